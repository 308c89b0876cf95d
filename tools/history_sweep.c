/* SPDX-License-Identifier: MIT */
#include "history_sweep.h"

#include <stdlib.h>
#include <string.h>

#include "snapshot/format.h"

/* Of a record or, `state`, of a whole answer. */
struct seen {
	struct seen *next;
	int64_t first, last;
	bool state;
	uint8_t kind;
	uint16_t count;
	uint32_t size;
	uint8_t data[];
};

struct known { /* a line that stands there already */
	struct known *next;
	int64_t time;
	uint32_t content;
};

struct asked {
	struct asked *next; /* in its bucket */
	struct mxg_question question;
	struct seen *seen;
	struct known *known;
	size_t count;
	int64_t own; /* when refresh first saw it; 0: never */
};

#define BUCKETS 65536u

struct mxg_sweep {
	size_t most, each, all, names, dropped;
	int64_t gap;
	bool nomem;
	struct mxg_history_line line;
	struct asked *buckets[BUCKETS];
};

struct mxg_sweep *mxg_sweep_new(size_t most, size_t each, int64_t gap)
{
	struct mxg_sweep *s = calloc(1, sizeof(*s));
	if (s != NULL) {
		s->most = most;
		s->each = each;
		s->gap = gap;
	}
	return s;
}

static void free_asked(struct asked *a)
{
	for (struct seen *s = a->seen, *next; s != NULL; s = next) {
		next = s->next;
		free(s);
	}
	for (struct known *k = a->known, *next; k != NULL; k = next) {
		next = k->next;
		free(k);
	}
	free(a);
}

void mxg_sweep_free(struct mxg_sweep *s)
{
	for (size_t i = 0; s != NULL && i < BUCKETS; i++)
		for (struct asked *a = s->buckets[i], *next; a != NULL; a = next) {
			next = a->next;
			free_asked(a);
		}
	free(s);
}

bool mxg_sweep_ok(const struct mxg_sweep *s)
{
	return !s->nomem;
}

size_t mxg_sweep_names(const struct mxg_sweep *s)
{
	return s->names;
}

size_t mxg_sweep_dropped(const struct mxg_sweep *s)
{
	return s->dropped;
}

static struct asked **place(struct mxg_sweep *s, const struct mxg_question *q)
{
	struct asked **at = &s->buckets[(mxg_name_hash(&q->name) * 31u + q->type) % BUCKETS];
	while (*at != NULL && ((*at)->question.type != q->type || !mxg_name_equal(&(*at)->question.name, &q->name)))
		at = &(*at)->next;
	return at;
}

static bool add(struct mxg_sweep *s, const struct mxg_history_line *line, int64_t first, int64_t last, bool state)
{
	struct asked **at = place(s, &line->question);
	if (s->all >= s->most || (*at != NULL && (*at)->count >= s->each))
		return false;
	if (*at == NULL) {
		*at = calloc(1, sizeof(**at));
		s->names += *at != NULL;
	}
	struct seen *new = *at == NULL ? NULL : malloc(sizeof(*new) + line->size);
	if (new == NULL) {
		s->nomem = true;
		return true;
	}
	struct asked *a = *at;
	a->question = line->question;
	*new = (struct seen){ .next = a->seen,
			      .first = first,
			      .last = last,
			      .state = state,
			      .kind = (uint8_t)line->kind,
			      .count = line->count,
			      .size = line->size };
	memcpy(new->data, line->data, line->size);
	a->seen = new;
	a->count++;
	s->all++;
	return true;
}

bool mxg_sweep_seen(struct mxg_sweep *s, const struct mxg_history_line *line, int64_t first, int64_t last)
{
	return add(s, line, first, last, false);
}

bool mxg_sweep_state(struct mxg_sweep *s, const struct mxg_history_line *line)
{
	return add(s, line, line->time, line->time, true);
}

/* ---- what is there already --------------------------------------------------------------------------- */

static uint32_t content(const struct mxg_history_line *line)
{
	return mxg_crc32(line->kind, line->data, line->size);
}

static bool add_known(struct asked *a, const struct mxg_history_line *line)
{
	struct known *k = malloc(sizeof(*k));
	if (k == NULL)
		return false;
	*k = (struct known){ .next = a->known, .time = line->time, .content = content(line) };
	a->known = k;
	return true;
}

bool mxg_sweep_known(struct mxg_sweep *s, const struct mxg_history *before)
{
	for (size_t at = 0; mxg_history_next_by_time(before, &at, &s->line);) {
		struct asked *a = *place(s, &s->line.question);
		if (a == NULL)
			continue;
		if (!s->line.imported && (a->own == 0 || s->line.time < a->own))
			a->own = s->line.time;
		if (s->line.imported && !add_known(a, &s->line))
			return false;
	}
	return true;
}

static bool is_known(const struct asked *a, const struct mxg_history_line *line)
{
	uint32_t own = content(line);
	for (const struct known *k = a->known; k != NULL; k = k->next)
		if (k->time == line->time && k->content == own)
			return true;
	return false;
}

/* ---- the sweep over one question's times ----------------------------------------------------------------- */

static int by_time(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

/* Where something begins or has ended, ascending, each once. */
static size_t edges(const struct asked *a, int64_t *out)
{
	size_t n = 0, kept = 0;
	for (const struct seen *s = a->seen; s != NULL; s = s->next) {
		out[n++] = s->first;
		if (!s->state)
			out[n++] = s->last + 1;
	}
	qsort(out, n, sizeof(*out), by_time);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || out[kept - 1] != out[i])
			out[kept++] = out[i];
	return kept;
}

static bool has(const struct mxg_history_line *line, const uint8_t *item, size_t size)
{
	for (size_t at = 0; at + 2 <= line->size; at += 2u + mxg_get16(line->data + at))
		if (2u + mxg_get16(line->data + at) == size && memcmp(line->data + at, item, size) == 0)
			return true;
	return false;
}

static void add_item(struct mxg_sweep *s, const struct seen *seen)
{
	struct mxg_history_line *line = &s->line;
	if (has(line, seen->data, seen->size))
		return;
	if (line->size + seen->size > sizeof(line->data)) {
		s->dropped++;
		return;
	}
	memcpy(line->data + line->size, seen->data, seen->size);
	line->size += seen->size;
	line->count++;
	line->kind = MXG_ANSWER_RECORDS;
}

/* What stands at the moment; false: nothing was seen then. A state that begins there says it all. */
static bool fill(struct mxg_sweep *s, const struct asked *a, int64_t at)
{
	s->line.kind = MXG_ANSWER_NONE;
	s->line.count = 0;
	s->line.size = 0;
	for (const struct seen *seen = a->seen; seen != NULL; seen = seen->next) {
		if (seen->state && seen->first == at) {
			s->line.kind = (enum mxg_answer_kind)seen->kind;
			s->line.count = seen->count;
			s->line.size = seen->size;
			memcpy(s->line.data, seen->data, seen->size);
			return true;
		}
	}
	for (const struct seen *seen = a->seen; seen != NULL; seen = seen->next)
		if (!seen->state && seen->first <= at && at <= seen->last)
			add_item(s, seen);
	return s->line.kind != MXG_ANSWER_NONE;
}

static bool write_asked(struct mxg_sweep *s, const struct asked *a, struct mxg_history_writer *w)
{
	int64_t *at = calloc(2 * a->count + 1, sizeof(*at));
	uint32_t last = 0;
	bool any = false;
	if (at == NULL)
		return false;
	size_t n = edges(a, at);
	for (size_t i = 0; i < n && (a->own == 0 || at[i] < a->own); i++) {
		int64_t next = i + 1 < n ? at[i + 1] : a->own;
		bool seen = fill(s, a, at[i]);
		/* only what is seen again later is believed to have stood in between */
		if (!seen && any && next != 0 && next - at[i] <= s->gap)
			continue;
		s->line.time = at[i];
		s->line.question = a->question;
		s->line.imported = true;
		s->line.doubtful = false;
		s->line.ttl = 0;
		if (!is_known(a, &s->line) && (!any || content(&s->line) != last))
			mxg_history_put_line(w, &s->line);
		last = content(&s->line);
		any = true;
	}
	free(at);
	return true;
}

/* Passive DNS holds no lack of records. Of a host of which one kind of address was seen and never the
 * other, it is taken that there was none. */
static void write_lack(struct mxg_sweep *s, const struct asked *a, const struct mxg_history *before,
		       struct mxg_history_writer *w)
{
	struct mxg_question other = a->question;
	int64_t first = 0, time;
	if (other.type != MXG_DNS_A && other.type != MXG_DNS_AAAA)
		return;
	other.type = other.type == MXG_DNS_A ? MXG_DNS_AAAA : MXG_DNS_A;
	if (*place(s, &other) != NULL || mxg_history_times(before, &other, &time, 1) > 0)
		return;
	for (const struct seen *seen = a->seen; seen != NULL; seen = seen->next)
		first = first == 0 || seen->first < first ? seen->first : first;
	s->line.time = first;
	s->line.question = other;
	s->line.imported = true;
	s->line.doubtful = false;
	s->line.ttl = 0;
	s->line.kind = MXG_ANSWER_NODATA;
	s->line.count = 0;
	s->line.size = 0;
	mxg_history_put_line(w, &s->line);
}

bool mxg_sweep_write(struct mxg_sweep *s, const struct mxg_history *before, struct mxg_history_writer *w)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (const struct asked *a = s->buckets[i]; a != NULL; a = a->next)
			if (!write_asked(s, a, w))
				return false;
			else
				write_lack(s, a, before, w);
	return true;
}
