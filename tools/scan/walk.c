/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scan/own_folders.h"
#include "scan/source.h"
#include "system/unnoticed.h"
#include "terminal.h"
#include "text.h"

#define DEPTH_MAX 64 /* folders within folders; a mail store has fewer */

static void complain(struct mxg_walk_rules *rules, const char *path, const char *what)
{
	char clean[1024];
	rules->failed++;
	if (rules->quiet)
		return;
	mxg_text_clean(clean, sizeof(clean), path, strlen(path), NULL);
	mxg_progress_aside();
	fprintf(stderr, "mxguard scan: %s: %s\n", clean, what);
}

#define START_MAX 128

/* What a message may begin with, as mail stores and exports write them. */
static bool begins_like_a_message(const char *start)
{
	static const char *const fields[] = {
		"Return-Path:",
		"Received:",
		"Delivered-To:",
		"X-Original-To:",
		"Envelope-To:",
		"From:",
		"Date:",
		"Message-ID:",
		"Subject:",
		"MIME-Version:",
		"To:",
		"DKIM-Signature:",
		"ARC-Seal:",
		"Authentication-Results:",
		"X-Envelope-To:",
	};
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (strncasecmp(start, fields[i], strlen(fields[i])) == 0)
			return true;
	return false;
}

static bool is_mail(int dir, const char *name)
{
	char start[START_MAX] = "";
	size_t len = strlen(name);
	if (len > 4 && strcasecmp(name + len - 4, ".eml") == 0)
		return true;
	int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
	int fd = mxg_open_unnoticed(dir, name, flags);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, start, sizeof(start) - 1);
	close(fd);
	return n > 0 && (strncmp(start, "From ", 5) == 0 || begins_like_a_message(start));
}

/* What mail servers keep beside the mail. */
static bool is_of_the_store(const char *name)
{
	static const char *const prefixes[] = { "dovecot", ".dovecot",    "subscriptions",
						"maildir", "courierimap", ".lock" };
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

static bool is_in_tmp(const char *folder)
{
	const char *slash = strrchr(folder, '/');
	return strcmp(slash == NULL ? folder : slash + 1, "tmp") == 0;
}

static void leave(struct mxg_walk_rules *rules, const char *folder, const char *name, const char *path)
{
	if (is_of_the_store(name) || is_in_tmp(folder))
		return;
	if (rules->left++ == 0)
		snprintf(rules->left_sample, sizeof(rules->left_sample), "%.255s", path);
}

static bool is_message_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash == NULL ? path : slash + 1;
	return strcmp(name, "cur") == 0 || strcmp(name, "new") == 0;
}

/* A Maildir name begins with the time of delivery: no stat(2) is needed for --since then. */
static bool too_old(const struct mxg_walk_rules *rules, int dir, const char *name)
{
	struct stat st;
	char *end;
	if (rules->since == 0)
		return false;
	const char *slash = strrchr(name, '/');
	long long stamp = strtoll(slash == NULL ? name : slash + 1, &end, 10);
	if (*end == '.' && stamp > 100000000)
		return stamp < rules->since;
	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mtime < rules->since;
}

/* A folder "sent" may as well be that of a user of that name, unless it stands where mail folders stand. */
static bool may_be_user(int parent, const char *name)
{
	static const char *const signs[] = { "cur", "subscriptions", ".subscriptions", ".imap",
					     "dovecot.list.index.log" };
	if (name[0] == '.' || name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789")] != '\0')
		return false;
	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
		if (faccessat(parent, signs[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return false;
	return true;
}

static bool leave_own(struct mxg_walk_rules *rules, int parent, const char *name, const char *path)
{
	if (rules->all_folders || mxg_own_folder(name) == MXG_OWN_NO || may_be_user(parent, name) ||
	    !mxg_own_folder_for_certain(name))
		return false;
	if (rules->own++ == 0)
		snprintf(rules->own_sample, sizeof(rules->own_sample), "%.255s", path);
	return true;
}

static void walk_folder(struct mxg_walk_rules *rules, int parent, const char *name, const char *path, int depth);

static unsigned char type_of(int dir, const struct dirent *entry)
{
	struct stat st;
	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type;
	if (fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return DT_UNKNOWN;
	return S_ISREG(st.st_mode) ? DT_REG : S_ISDIR(st.st_mode) ? DT_DIR : DT_UNKNOWN;
}

/* "FOLDER/NAME"; false where it is too long. */
static bool join(char path[MXG_PATH_MAX], const char *folder, const char *name)
{
	size_t head = strlen(folder), tail = strlen(name);
	if (head + 1 + tail >= MXG_PATH_MAX)
		return false;
	memcpy(path, folder, head);
	path[head] = '/';
	memcpy(path + head + 1, name, tail + 1);
	return true;
}

static void walk_entry(struct mxg_walk_rules *rules, int dir, const struct dirent *entry, const char *folder, int depth,
		       bool messages)
{
	char path[MXG_PATH_MAX];
	unsigned char type = type_of(dir, entry);
	if (!join(path, folder, entry->d_name)) {
		complain(rules, folder, "a name below it is too long");
	} else if ((type == DT_DIR || (type == DT_REG && !messages)) && leave_own(rules, dir, entry->d_name, path)) {
		return;
	} else if (type == DT_DIR) {
		walk_folder(rules, dir, entry->d_name, path, depth + 1);
	} else if (type == DT_REG && !too_old(rules, dir, entry->d_name)) {
		if (messages || is_mail(dir, entry->d_name))
			rules->found(rules->context, path, strlen(path) - strlen(entry->d_name), !messages);
		else
			leave(rules, folder, entry->d_name, path);
	} else if (type != DT_REG) {
		leave(rules, folder, entry->d_name, path);
	}
}

static void walk_folder(struct mxg_walk_rules *rules, int parent, const char *name, const char *path, int depth)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (depth > 0 ? O_NOFOLLOW : 0));
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL || depth > DEPTH_MAX) {
		complain(rules, path, dir == NULL ? strerror(errno) : "too many folders within folders");
		if (dir != NULL)
			closedir(dir);
		else if (fd >= 0)
			close(fd);
		return;
	}
	bool messages = is_message_folder(path);
	for (struct dirent *entry; !atomic_load(rules->stop) && (entry = readdir(dir)) != NULL;)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			walk_entry(rules, dirfd(dir), entry, path, depth, messages);
	closedir(dir);
}

static size_t name_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash == NULL ? 0 : (size_t)(slash + 1 - path);
}

void mxg_walk_path(struct mxg_walk_rules *rules, const char *path)
{
	struct stat st;
	if (stat(path, &st) != 0)
		complain(rules, path, strerror(errno));
	else if (S_ISDIR(st.st_mode))
		walk_folder(rules, AT_FDCWD, path, path, 0);
	else if (S_ISREG(st.st_mode) && too_old(rules, AT_FDCWD, path))
		return;
	else if (S_ISREG(st.st_mode))
		rules->found(rules->context, path, name_of(path), true);
	else
		complain(rules, path, "is neither a folder nor a file");
}

void mxg_walk_list(struct mxg_walk_rules *rules, int fd)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	FILE *list = fdopen(dup(fd), "r");
	while (list != NULL && !atomic_load(rules->stop) && (len = getline(&line, &room, list)) > 0) {
		if (line[len - 1] == '\n')
			line[len - 1] = '\0';
		if (line[0] != '\0')
			mxg_walk_path(rules, line);
	}
	free(line);
	if (list != NULL)
		fclose(list);
}
