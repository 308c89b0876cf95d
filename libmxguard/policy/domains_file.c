/* SPDX-License-Identifier: MIT */
#include "policy/domains_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/domain_text.h"
#include "mxguard.h"
#include "base/neuter.h"
#include "policy/policy.h"
#include "base/trusted_file.h"
#include "system/error_text.h"

#define FILE_MOST (256u * 1024u * 1024u)
#define LINE_MOST 1024u
#define CHUNK 65536u

struct mxg_domains_reader {
	int fd;
	bool ended;
	unsigned long line;
	size_t at, used; /* in bytes */
	const char *path;
	char domain[256];
	char bytes[CHUNK];
};

/* ---- one line ---------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool mxg_domains_line(char out[256], const char *line, size_t len, const char **error)
{
	*error = NULL;
	out[0] = '\0';
	const char *comment = len == 0 ? NULL : memchr(line, '#', len);
	if (comment != NULL)
		len = (size_t)(comment - line);
	while (len > 0 && is_blank(*line)) {
		line++;
		len--;
	}
	while (len > 0 && is_blank(line[len - 1]))
		len--;
	if (len == 0)
		return false;
	*error = mxg_domain_text(out, line, len);
	return *error == NULL;
}

/* ---- the file ------------------------------------------------------------------------------------- */

/* What is left moves to the front, and more is read behind it. False: an error of read(2). */
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

int mxg_domains_open(struct mxg_domains_reader **reader, const char *path, char *message, size_t size)
{
	char why[MXG_TRUSTED_WHY_MAX], name[512];
	struct mxg_domains_reader *r = calloc(1, sizeof(*r) + strlen(path) + 1);
	*reader = NULL;
	int fd = r == NULL ? MXGUARD_ERROR_NOMEM : mxg_trusted_open(path, 0, FILE_MOST, why);
	if (fd >= 0) {
		char *copy = (char *)(r + 1);
		memcpy(copy, path, strlen(path) + 1);
		r->fd = fd;
		r->path = copy;
		*reader = r;
		return MXGUARD_ERROR_NONE;
	}
	mxg_neuter(name, sizeof(name), path, strlen(path), "");
	if (size > 0 && fd == MXGUARD_ERROR_NOMEM)
		snprintf(message, size, "out of memory");
	else if (size > 0)
		snprintf(message, size, "%s: %s", name, why);
	free(r);
	return fd;
}

int mxg_domains_next(struct mxg_domains_reader *r, const char **domain, char *message, size_t size)
{
	const char *line, *error;
	size_t len;
	int got;
	while ((got = next_line(r, &line, &len)) == 1) {
		error = len > LINE_MOST ? "a domain name" : NULL;
		*domain = r->domain;
		if (error == NULL && mxg_domains_line(r->domain, line, len, &error))
			return 1;
		if (error == NULL)
			continue;
		report(message, size, r, line, len, error);
		return len == sizeof(r->bytes) && !pass_rest(r) ? MXGUARD_ERROR_IO : MXGUARD_ERROR_CONFIG;
	}
	if (got < 0 && size > 0)
		snprintf(message, size, "%s: cannot be read: %s", r->path, mxg_error_text(errno));
	return got == 0 ? 0 : MXGUARD_ERROR_IO;
}

void mxg_domains_close(struct mxg_domains_reader *reader)
{
	if (reader == NULL)
		return;
	close(reader->fd);
	free(reader);
}

int mxg_domains_find(const char *path, const char *domain, size_t len)
{
	struct mxg_domains_reader *reader;
	const char *one;
	int got = 1;
	bool found = false;
	if (mxg_domains_open(&reader, path, NULL, 0) != MXGUARD_ERROR_NONE)
		return -1;
	while (!found && (got = mxg_domains_next(reader, &one, NULL, 0)) != 0 && got != MXGUARD_ERROR_IO)
		found = got == 1 && strlen(one) == len && memcmp(one, domain, len) == 0;
	mxg_domains_close(reader);
	return got == MXGUARD_ERROR_IO ? -1 : found;
}
