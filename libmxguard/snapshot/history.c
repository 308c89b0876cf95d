/* SPDX-License-Identifier: MIT */
/* The history, read: an index of its lines in memory, the lines themselves from the file when they
 * are wanted. */
#include "snapshot/history.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/grow.h"
#include "base/trusted_file.h"
#include "mxguard.h"
#include "snapshot/format.h"

#define PIECE (1u << 20)
#define VERSIONS_MOST MXG_VERSIONS_MAX

struct line_at {
	uint64_t key; /* of type and name */
	int64_t time;
	uint64_t offset;
	uint32_t len;
};

struct mxg_history {
	int fd;
	struct line_at *lines; /* by time, offset */
	struct line_at *sorted; /* by key, time, offset */
	size_t count, room, damaged;
	unsigned part, parts;
};

void mxg_history_free(struct mxg_history *h)
{
	if (h == NULL)
		return;
	if (h->fd >= 0)
		close(h->fd);
	free(h->lines);
	free(h->sorted);
	free(h);
}

/* ---- the index ------------------------------------------------------------------------------------- */

/* Two names with one key do not harm: a line is compared when it is read. */
static uint64_t key_of(const char *type_and_name, size_t len)
{
	uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)type_and_name[i]) * UINT64_C(1099511628211);
	return hash;
}

static uint64_t question_key(const struct mxg_question *q)
{
	char text[MXG_NAME_TEXT_MAX + 8], name[MXG_NAME_TEXT_MAX];
	int n = snprintf(text, sizeof(text), "%s %s", mxg_dns_type_name(q->type), mxg_name_format(&q->name, name));
	return key_of(text, (size_t)n);
}

/* Behind the checksum and the time: "r MX example.com 300 …" */
static bool find_key(const char *line, size_t len, uint64_t *key)
{
	const char *at = line, *end = line + len, *starts[6];
	for (size_t i = 0; i < 6; i++) {
		starts[i] = at;
		at = memchr(at, ' ', (size_t)(end - at));
		if (at++ == NULL)
			return false;
	}
	*key = key_of(starts[3], (size_t)(starts[5] - 1 - starts[3]));
	return true;
}

static bool add_line(struct mxg_history *h, const char *line, size_t len, uint64_t offset)
{
	struct line_at new = { .offset = offset, .len = (uint32_t)len };
	char *end;
	/* strtoul() passes over blanks and line feeds, and might not stop where the buffer does */
	if (len < 10 || line[8] != ' ' || line[0] < '0' || strtoul(line, &end, 16) != mxg_crc32(0, line + 9, len - 9) ||
	    !find_key(line, len, &new.key)) {
		h->damaged++;
		return true;
	}
	if (new.key % h->parts != h->part)
		return true;
	new.time = (int64_t)strtoll(line + 9, &end, 10);
	if (!mxg_grow(&h->lines, &h->room, h->count, sizeof(*h->lines)))
		return false;
	h->lines[h->count++] = new;
	return true;
}

/* All whole lines in the buffer; returns how many bytes they take. */
static size_t add_lines(struct mxg_history *h, const char *buffer, size_t used, uint64_t offset, bool *ok)
{
	size_t at = 0;
	for (const char *stop; *ok && (stop = memchr(buffer + at, '\n', used - at)) != NULL;) {
		size_t len = (size_t)(stop - buffer) - at;
		if (len > 0 && buffer[at] != '#')
			*ok = add_line(h, buffer + at, len, offset + at);
		at += len + 1;
	}
	return at;
}

static int read_index(struct mxg_history *h)
{
	char *buffer = malloc(PIECE);
	uint64_t offset = 0;
	size_t used = 0;
	bool ok = buffer != NULL;
	while (ok) {
		ssize_t n = pread(h->fd, buffer + used, PIECE - used, (off_t)(offset + used));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			free(buffer);
			h->damaged += used > 0; /* torn: the end of the last line is missing */
			return n < 0 ? MXGUARD_ERROR_IO : MXGUARD_ERROR_NONE;
		}
		used += (size_t)n;
		size_t taken = add_lines(h, buffer, used, offset, &ok);
		if (taken == 0 && used == PIECE) { /* no line of ours is so long */
			h->damaged++;
			taken = used;
		}
		used -= taken;
		memmove(buffer, buffer + taken, used);
		offset += taken;
	}
	free(buffer);
	return MXGUARD_ERROR_NOMEM;
}

static int by_key(const void *a, const void *b)
{
	const struct line_at *x = a, *y = b;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int by_time(const void *a, const void *b)
{
	const struct line_at *x = a, *y = b;
	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static bool sort_index(struct mxg_history *h)
{
	if (h->count == 0)
		return true;
	h->sorted = malloc(h->count * sizeof(*h->sorted));
	if (h->sorted == NULL)
		return false;
	memcpy(h->sorted, h->lines, h->count * sizeof(*h->sorted));
	qsort(h->sorted, h->count, sizeof(*h->sorted), by_key);
	qsort(h->lines, h->count, sizeof(*h->lines), by_time);
	return true;
}

static int complain(char *message, size_t size, int error, const char *path, const char *why)
{
	snprintf(message, size, "%s: %s", path, why);
	return error;
}

int mxg_history_open(struct mxg_history **out, const char *state_dir, char *message, size_t size)
{
	return mxg_history_open_part(out, state_dir, 0, 1, message, size);
}

int mxg_history_open_part(struct mxg_history **out, const char *state_dir, unsigned part, unsigned parts, char *message,
			  size_t size)
{
	char path[PATH_MAX], why[MXG_TRUSTED_WHY_MAX];
	*out = NULL;
	struct mxg_history *h = calloc(1, sizeof(*h));
	if (h == NULL)
		return complain(message, size, MXGUARD_ERROR_NOMEM, MXG_HISTORY_FILE, "out of memory");
	h->part = part;
	h->parts = parts;
	int n = snprintf(path, sizeof(path), "%s/%s", state_dir, MXG_HISTORY_FILE);
	if (n < 0 || n >= PATH_MAX) {
		free(h);
		return complain(message, size, MXGUARD_ERROR_CONFIG, state_dir, "the path is too long");
	}
	h->fd = mxg_trusted_open(path, 0, MXG_HISTORY_SIZE_MAX, why);
	if (h->fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		*out = h;
		return MXGUARD_ERROR_NONE;
	}
	int result = h->fd < 0 ? complain(message, size, h->fd, path, why) : read_index(h);
	if (h->fd >= 0 && result == MXGUARD_ERROR_NONE && !sort_index(h))
		result = MXGUARD_ERROR_NOMEM;
	if (result == MXGUARD_ERROR_NONE) {
		*out = h;
		return result;
	}
	if (h->fd >= 0)
		complain(message, size, result, path,
			 result == MXGUARD_ERROR_NOMEM ? "out of memory" : "cannot be read");
	mxg_history_free(h);
	return result;
}

bool mxg_history_is_empty(const struct mxg_history *h)
{
	return h->count == 0;
}

int64_t mxg_history_begins(const struct mxg_history *h)
{
	return h->count == 0 ? 0 : h->lines[0].time;
}

size_t mxg_history_lines(const struct mxg_history *h)
{
	return h->count;
}

size_t mxg_history_damaged(const struct mxg_history *h)
{
	return h->damaged;
}

/* ---- looking up ------------------------------------------------------------------------------------- */

/* The first line of the key whose time is beyond `at`, or the end of its lines. */
static size_t find_line(const struct mxg_history *h, uint64_t key, int64_t at)
{
	size_t low = 0, high = h->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct line_at *l = &h->sorted[middle];
		if (l->key < key || (l->key == key && l->time <= at))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool read_line(const struct mxg_history *h, const struct line_at *at, struct mxg_history_line *out)
{
	char text[MXG_HISTORY_LINE_MAX];
	if (at->len > sizeof(text))
		return false;
	return pread(h->fd, text, at->len, (off_t)at->offset) == (ssize_t)at->len &&
	       mxg_history_line_read(out, text, at->len);
}

/* Versions of one question, newest first, as they are found going back in time. */
struct loading {
	const struct mxg_history *history;
	struct mxg_history_line lines[VERSIONS_MOST + 1];
	struct mxg_answer versions[VERSIONS_MOST + 1];
	size_t count;
};

static bool is_question(const struct mxg_history_line *line, const struct mxg_question *q)
{
	return line->question.type == q->type && mxg_name_equal(&line->question.name, &q->name);
}

/* What said the same before is one version with what follows it. */
static void add_version(struct loading *l, int64_t *superseded)
{
	struct mxg_answer v = mxg_history_answer(&l->lines[l->count]);
	struct mxg_answer *newer = l->count == 0 ? NULL : &l->versions[l->count - 1];
	if (newer != NULL && mxg_answers_same(newer, &v)) {
		newer->from = v.from;
	} else {
		v.superseded = *superseded;
		l->versions[l->count++] = v;
	}
	*superseded = v.from;
}

static enum mxg_history_cover collect(struct loading *l, const struct mxg_question *q, int64_t at, int64_t back)
{
	uint64_t key = question_key(q);
	int64_t superseded = 0;
	bool later = false;
	size_t i = find_line(l->history, key, at);
	later = i < l->history->count && l->history->sorted[i].key == key;
	while (i-- > 0 && l->history->sorted[i].key == key && l->count < VERSIONS_MOST) {
		struct mxg_history_line *line = &l->lines[l->count];
		if (superseded != 0 && superseded < at - back)
			break;
		if (!read_line(l->history, &l->history->sorted[i], line) || !is_question(line, q))
			continue;
		if (line->kind == MXG_ANSWER_NONE) {
			later |= l->count == 0;
			break;
		}
		add_version(l, &superseded);
	}
	return l->count > 0 ? MXG_HISTORY_COVERED : later ? MXG_HISTORY_UNCOVERED : MXG_HISTORY_ABSENT;
}

static bool put_versions(struct loading *l, struct mxg_answers *answers, int entry, int64_t at)
{
	for (size_t i = 0; i < l->count; i++) {
		struct mxg_answer *v = &l->versions[i];
		v->confirmed = i == 0 ? at : v->superseded;
		v->ttl += i == 0 && v->ttl == 0; /* it was seen at that time: it is fresh */
		if (!mxg_answers_put_version(answers, entry, v))
			return false;
	}
	return true;
}

enum mxg_history_cover mxg_history_load(const struct mxg_history *h, struct mxg_answers *answers, int entry, int64_t at,
					int64_t back)
{
	if (h->count == 0)
		return MXG_HISTORY_ABSENT;
	struct loading *l = malloc(sizeof(*l));
	if (l == NULL)
		return MXG_HISTORY_NOMEM;
	l->history = h;
	l->count = 0;
	enum mxg_history_cover cover = collect(l, mxg_answers_question(answers, entry), at, back);
	if (cover == MXG_HISTORY_COVERED && !put_versions(l, answers, entry, at))
		cover = MXG_HISTORY_NOMEM;
	free(l);
	return cover;
}

size_t mxg_history_times(const struct mxg_history *h, const struct mxg_question *q, int64_t *times, size_t room)
{
	uint64_t key = question_key(q);
	size_t end = find_line(h, key, INT64_MAX), first = end;
	while (first > 0 && end - first < room && h->sorted[first - 1].key == key)
		first--;
	for (size_t i = first; i < end; i++)
		times[i - first] = h->sorted[i].time;
	return end - first;
}

static size_t times_until(const struct mxg_history *h, int64_t at)
{
	size_t low = 0, high = h->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (h->lines[middle].time <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t mxg_history_stretch(const struct mxg_history *h, int64_t at, int64_t after, int64_t settle)
{
	return times_until(h, at) + times_until(h, at - after) + times_until(h, at - settle);
}

bool mxg_history_next_by_time(const struct mxg_history *h, size_t *at, struct mxg_history_line *out)
{
	while (*at < h->count)
		if (read_line(h, &h->lines[(*at)++], out))
			return true;
	return false;
}
