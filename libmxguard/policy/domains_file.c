/* SPDX-License-Identifier: MIT */
#include "policy/domains_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/domain_text.h"
#include "mxguard.h"
#include "base/neuter.h"
#include "policy/policy.h"
#include "base/trusted_file.h"
#include "system/error_text.h"

#define FILE_MOST (256u * 1024u * 1024u)
#define LINE_MOST 1024u
#define CHUNK 65536u
#define FILES_MOST 10000

struct mxg_domains_reader {
	int fd; /* -1: none is open */
	bool ended;
	unsigned long line;
	size_t at, used; /* in bytes */
	size_t taken; /* of the file, which may grow while it is read */
	const char *folder; /* NULL: one file */
	struct dirent **files; /* of the folder, by name */
	int file_count, file; /* the next one */
	char path[PATH_MAX]; /* of what is open */
	char domain[256];
	char bytes[CHUNK];
};

/* ---- one line ---------------------------------------------------------------------------------- */

bool mxg_domains_line(char out[256], const char *line, size_t len, const char **error)
{
	*error = NULL;
	out[0] = '\0';
	const char *comment = len == 0 ? NULL : memchr(line, '#', len);
	if (comment != NULL)
		len = (size_t)(comment - line);
	while (len > 0 && mxg_ascii_is_blank(*line)) {
		line++;
		len--;
	}
	while (len > 0 && mxg_ascii_is_blank(line[len - 1]))
		len--;
	if (len == 0)
		return false;
	*error = mxg_domain_text(out, line, len);
	return *error == NULL;
}

/* ---- the file ------------------------------------------------------------------------------------- */

/* What is left moves to the front, and more is read behind it. False: an error, in errno. */
static bool refill(struct mxg_domains_reader *r)
{
	memmove(r->bytes, r->bytes + r->at, r->used - r->at);
	r->used -= r->at;
	r->at = 0;
	while (!r->ended && r->used < sizeof(r->bytes)) {
		ssize_t n = read(r->fd, r->bytes + r->used, sizeof(r->bytes) - r->used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		r->ended = n == 0;
		r->used += (size_t)n;
		r->taken += (size_t)n;
		if (r->taken > FILE_MOST) {
			errno = EFBIG;
			return false;
		}
	}
	return true;
}

/* A line that does not fit into the buffer is no domain: what fits of it is given out once,
 * and the rest is passed over. */
static bool pass_rest(struct mxg_domains_reader *r)
{
	for (;;) {
		const char *end = memchr(r->bytes + r->at, '\n', r->used - r->at);
		if (end != NULL) {
			r->at = (size_t)(end - r->bytes) + 1;
			return true;
		}
		r->at = r->used;
		if (r->ended)
			return true;
		if (!refill(r))
			return false;
	}
}

/* 1 and the line (without its end), 0 at the end, -1 for an error of read(2). */
static int next_line(struct mxg_domains_reader *r, const char **line, size_t *len)
{
	const char *end = memchr(r->bytes + r->at, '\n', r->used - r->at);
	if (end == NULL && !refill(r))
		return -1;
	if (end == NULL)
		end = memchr(r->bytes + r->at, '\n', r->used - r->at);
	if (end == NULL && r->used == r->at)
		return 0;
	r->line++;
	*line = r->bytes + r->at;
	*len = (end == NULL ? r->used : (size_t)(end - r->bytes)) - r->at;
	r->at += *len + (end != NULL);
	return 1;
}

static void report(char *message, size_t size, const struct mxg_domains_reader *r, const char *line, size_t len,
		   const char *expected)
{
	char found[120], name[512];
	mxg_neuter(name, sizeof(name), r->path, strlen(r->path), "");
	mxg_neuter(found, sizeof(found), line, len > 60 ? 60 : len, "");
	if (size > 0)
		snprintf(message, size, "%s:%lu: found \"%s%s\"; expected %s", name, r->line, found,
			 len > 60 ? "..." : "", expected);
}

static int fail(char *message, size_t size, int error, const char *path, const char *why)
{
	char name[512];
	mxg_neuter(name, sizeof(name), path, strlen(path), "");
	if (size > 0 && error == MXGUARD_ERROR_NOMEM)
		snprintf(message, size, "out of memory");
	else if (size > 0)
		snprintf(message, size, "%s: %s", name, why);
	return error;
}

static int open_file(struct mxg_domains_reader *r, char *message, size_t size)
{
	char why[MXG_TRUSTED_WHY_MAX];
	int fd = mxg_trusted_open(r->path, 0, FILE_MOST, why);
	if (fd < 0)
		return fail(message, size, fd, r->path, why);
	r->fd = fd;
	r->ended = false;
	r->line = 0;
	r->taken = 0;
	return MXGUARD_ERROR_NONE;
}

/* ---- a folder of them ----------------------------------------------------------------------------- */

/* What editors and package managers leave, and what is being written, is no list. */
static int is_list(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);
	return entry->d_name[0] != '.' && entry->d_name[len - 1] != '~' && strstr(entry->d_name, ".dpkg-") == NULL;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static bool is_folder(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int open_folder(struct mxg_domains_reader *r, const char *path, char *message, size_t size)
{
	r->folder = path;
	r->file_count = scandir(path, &r->files, is_list, by_name);
	if (r->file_count < 0)
		return fail(message, size, errno == ENOMEM ? MXGUARD_ERROR_NOMEM : MXGUARD_ERROR_IO, path,
			    mxg_error_text(errno));
	if (r->file_count > FILES_MOST)
		return fail(message, size, MXGUARD_ERROR_CONFIG, path, "found too many files; expected at most 10000");
	return MXGUARD_ERROR_NONE;
}

/* 1 where there is one more, 0 at the end. An error in one of them is one of them all: without it, its domains were
 * nobody's. */
static int next_file(struct mxg_domains_reader *r, char *message, size_t size)
{
	if (r->folder == NULL || r->file >= r->file_count)
		return 0;
	close(r->fd);
	r->fd = -1;
	int n = snprintf(r->path, sizeof(r->path), "%s/%s", r->folder, r->files[r->file++]->d_name);
	if (n < 0 || (size_t)n >= sizeof(r->path))
		return fail(message, size, MXGUARD_ERROR_IO, r->folder, "found a name that is too long");
	return open_file(r, message, size) == MXGUARD_ERROR_NONE ? 1 : MXGUARD_ERROR_IO;
}

static struct mxg_domains_reader *new_reader(const char *path)
{
	size_t len = strlen(path);
	struct mxg_domains_reader *r = calloc(1, sizeof(*r) + len + 1);
	if (r == NULL || len >= sizeof(r->path)) {
		free(r);
		return NULL;
	}
	r->fd = -1;
	memcpy(r->path, path, len + 1);
	memcpy(r + 1, path, len + 1);
	return r;
}

int mxg_domains_open(struct mxg_domains_reader **reader, const char *path, char *message, size_t size)
{
	struct mxg_domains_reader *r = new_reader(path);
	int result;
	*reader = NULL;
	if (r == NULL)
		return fail(message, size, MXGUARD_ERROR_NOMEM, path, "");
	if (is_folder(path))
		result = open_folder(r, (const char *)(r + 1), message, size);
	else
		result = open_file(r, message, size);
	if (result == MXGUARD_ERROR_NONE)
		*reader = r;
	else
		mxg_domains_close(r);
	return result;
}

bool mxg_domains_open_fd(struct mxg_domains_reader **reader, int fd, const char *name)
{
	*reader = new_reader(name);
	if (*reader != NULL)
		(*reader)->fd = fd;
	return *reader != NULL;
}

static bool is_read(struct mxg_domains_reader *r)
{
	return r->fd < 0 || (r->ended && r->at == r->used);
}

static int read_on(struct mxg_domains_reader *r, const char **line, size_t *len, char *message, size_t size)
{
	int got = is_read(r) ? 0 : next_line(r, line, len), more;
	while (got == 0 && (more = next_file(r, message, size)) != 0) {
		if (more != 1)
			return more;
		got = next_line(r, line, len);
	}
	if (got < 0) {
		fail(message, size, MXGUARD_ERROR_IO, r->path, mxg_error_text(errno));
		return MXGUARD_ERROR_IO;
	}
	return got;
}

int mxg_domains_next(struct mxg_domains_reader *r, const char **domain, char *message, size_t size)
{
	const char *line, *error;
	size_t len;
	int got;
	while ((got = read_on(r, &line, &len, message, size)) == 1) {
		error = len > LINE_MOST ? "a domain name" : NULL;
		*domain = r->domain;
		if (error == NULL && mxg_domains_line(r->domain, line, len, &error))
			return 1;
		if (error == NULL)
			continue;
		report(message, size, r, line, len, error);
		return len == sizeof(r->bytes) && !pass_rest(r) ? MXGUARD_ERROR_IO : MXGUARD_ERROR_CONFIG;
	}
	return got == 0 ? 0 : MXGUARD_ERROR_IO;
}

void mxg_domains_close(struct mxg_domains_reader *reader)
{
	if (reader == NULL)
		return;
	if (reader->fd >= 0)
		close(reader->fd);
	for (int i = 0; i < reader->file_count; i++)
		free(reader->files[i]);
	free(reader->files);
	free(reader);
}

bool mxg_domains_is_list(size_t domains, size_t wrong_lines)
{
	return domains > 0 && wrong_lines <= domains;
}

int mxg_domains_find(const char *path, const char *domain, size_t len)
{
	struct mxg_domains_reader *reader;
	const char *one;
	size_t domains = 0, wrong = 0;
	int got = 1;
	bool found = false;
	if (mxg_domains_open(&reader, path, NULL, 0) != MXGUARD_ERROR_NONE)
		return -1;
	while (!found && (got = mxg_domains_next(reader, &one, NULL, 0)) != 0 && got != MXGUARD_ERROR_IO) {
		found = got == 1 && strlen(one) == len && memcmp(one, domain, len) == 0;
		domains += got == 1;
		wrong += got != 1;
	}
	mxg_domains_close(reader);
	return got == MXGUARD_ERROR_IO || (!found && !mxg_domains_is_list(domains, wrong)) ? -1 : found;
}
