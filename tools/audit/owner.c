/* SPDX-License-Identifier: MIT */
/* Which program has a socket, as /proc tells. Where there is none, or it may not be looked into, nothing is
 * known, and the configurations alone must tell who answers where. */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/listeners.h"

#define ARGUMENTS_MAX 4096
#define ENVIRONMENT_MAX ((size_t)128 * 1024)

/* The word behind -c, -C or -f: Postfix, Dovecot and mxguard, Exim and sendmail, OpenSMTPD. */
static void find_config(char out[256], const char *arguments, size_t len)
{
	for (size_t at = 0; at < len; at += strlen(arguments + at) + 1) {
		const char *word = arguments + at;
		size_t next = at + strlen(word) + 1;
		if (word[0] != '-' || word[1] == '\0' || strchr("cCf", word[1]) == NULL)
			continue;
		const char *value = word[2] != '\0' ? word + 2 : next < len ? arguments + next : "";
		if (value[0] == '/' && strlen(value) < 256)
			snprintf(out, 256, "%s", value);
	}
}

static bool read_file(int process, const char *name, char *out, size_t size, size_t *len)
{
	int fd = openat(process, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);
	if (fd >= 0)
		close(fd);
	*len = n < 0 ? 0 : (size_t)n;
	out[*len] = '\0';
	return n > 0;
}

/* By its real user: the files' owner is root's, too, where a process does not let itself be traced. */
static bool is_roots(int process)
{
	char status[ARGUMENTS_MAX];
	size_t len;
	if (!read_file(process, "status", status, sizeof(status), &len))
		return false;
	const char *uid = strstr(status, "\nUid:\t");
	return uid != NULL && strncmp(uid + 6, "0\t", 2) == 0;
}

/* Of Postfix, whose master(8) always gets it from postfix(1), with -c or without. */
static void find_environment(int process, char out[256])
{
	static const char name[] = "MAIL_CONFIG=";
	const size_t own = sizeof(name) - 1;
	char *text = malloc(ENVIRONMENT_MAX);
	int fd = text == NULL ? -1 : openat(process, "environ", O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;
	/* /proc hands out no more than a page at a time */
	while (fd >= 0 && len < ENVIRONMENT_MAX - 1 && (n = read(fd, text + len, ENVIRONMENT_MAX - 1 - len)) > 0)
		len += (size_t)n;
	if (fd >= 0)
		close(fd);
	if (text != NULL)
		text[len] = '\0';
	for (size_t at = 0; at < len; at += strlen(text + at) + 1) {
		const char *value = text + at + own;
		if (strncmp(text + at, name, own) != 0 || value[0] != '/' || strlen(value) >= 256)
			continue;
		snprintf(out, 256, "%s", value);
		break;
	}
	free(text);
}

/* Only what root has started says which configuration counts: it is handed on to other programs. */
static void read_config(int process, const char *program, char out[256])
{
	char arguments[ARGUMENTS_MAX];
	size_t len;
	if (!is_roots(process))
		return;
	if (read_file(process, "cmdline", arguments, sizeof(arguments), &len))
		find_config(out, arguments, len);
	if (out[0] == '\0' && strcmp(program, "postfix") == 0)
		find_environment(process, out);
}

/* All programs of one server by its name. */
static const char *family_of(const char *path, const char *base)
{
	if (strstr(path, "/postfix/") != NULL)
		return "postfix";
	if (strstr(path, "/dovecot/") != NULL)
		return "dovecot";
	if (strncmp(base, "exim", 4) == 0)
		return "exim";
	if (strncmp(base, "sendmail", 8) == 0)
		return "sendmail";
	return strcmp(base, "smtpd") == 0 ? "opensmtpd" : base;
}

/* Whoever may write a program may name it as he likes, and answer as if it were a server of the system's. */
static bool is_systems(int process)
{
	struct stat status;
	return fstatat(process, "exe", &status, 0) == 0 && status.st_uid == 0 && (status.st_mode & 022) == 0;
}

/* Of a container the files are its own, whatever they are called. Also a service of this host's has a mount namespace
 * of its own where systemd hides something from it; but what it runs is the program that lies here, or its root is
 * ours. */
static bool is_elsewhere(int process, const char *path)
{
	struct stat own, other;
	if (stat("/proc/self/ns/mnt", &own) == 0 && fstatat(process, "ns/mnt", &other, 0) == 0 &&
	    own.st_ino == other.st_ino)
		return false;
	if (stat(path, &own) == 0 && fstatat(process, "exe", &other, 0) == 0 && own.st_dev == other.st_dev &&
	    own.st_ino == other.st_ino)
		return false;
	return stat("/", &own) != 0 || fstatat(process, "root", &other, 0) != 0 || own.st_dev != other.st_dev ||
	       own.st_ino != other.st_ino;
}

static void read_program(int process, struct mxg_listener *out, bool *first)
{
	char path[512];
	ssize_t n = readlinkat(process, "exe", path, sizeof(path) - 1);
	if (n <= 0)
		return;
	path[n] = '\0';
	char *deleted = strstr(path, " (deleted)"); /* it was upgraded, and runs on */
	if (deleted != NULL)
		*deleted = '\0';
	const char *slash = strrchr(path, '/'), *base = slash == NULL ? path : slash + 1;
	bool systems = is_systems(process);
	*first = systems && (strcmp(base, "master") == 0 || strcmp(base, "dovecot") == 0);
	out->elsewhere = is_elsewhere(process, path);
	snprintf(out->program, sizeof(out->program), "%.63s", systems ? family_of(path, base) : "?");
}

/* systemd holds the sockets of what it starts; whoever else has one is who answers. The first process of a
 * server is the one that was told the configuration. */
static void take(struct mxg_listener *l, int process)
{
	struct mxg_listener found = { .program = "" };
	bool first = false;
	read_program(process, &found, &first);
	if (found.program[0] == '\0' || (l->program[0] != '\0' && strcmp(l->program, "systemd") != 0 && !first))
		return;
	memcpy(l->program, found.program, sizeof(found.program));
	l->elsewhere = found.elsewhere;
	l->config[0] = '\0';
	if (!l->elsewhere)
		read_config(process, l->program, l->config);
}

static void look_into(struct mxg_listeners *l, int process)
{
	int fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	while (folder != NULL && (entry = readdir(folder)) != NULL) {
		char link[64];
		unsigned long inode;
		ssize_t n = readlinkat(fd, entry->d_name, link, sizeof(link) - 1);
		if (n <= 0)
			continue;
		link[n] = '\0';
		for (size_t i = 0; sscanf(link, "socket:[%lu]", &inode) == 1 && i < l->count; i++)
			if (l->items[i].inode == inode)
				take(&l->items[i], process);
	}
	if (folder != NULL)
		closedir(folder);
	else if (fd >= 0)
		close(fd);
}

void mxg_listeners_owners(struct mxg_listeners *l)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	while (proc != NULL && (entry = readdir(proc)) != NULL) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		int process = openat(dirfd(proc), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (process < 0)
			continue;
		look_into(l, process);
		close(process);
	}
	if (proc != NULL)
		closedir(proc);
}
