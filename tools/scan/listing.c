/* SPDX-License-Identifier: MIT */
#include "scan/listing.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "terminal.h"
#include "text.h"

struct mxg_listing {
	pthread_mutex_t lock;
	enum mxg_path path;
	bool json;
	FILE *to;
	size_t count, oldest;
	struct mxg_listed kept[MXG_LISTING_KEPT];
};

struct mxg_listing *mxg_listing_new(enum mxg_path path, bool json, FILE *to)
{
	struct mxg_listing *l = calloc(1, sizeof(*l));
	if (l == NULL)
		return NULL;
	pthread_mutex_init(&l->lock, NULL);
	l->path = path;
	l->json = json;
	l->to = to;
	return l;
}

void mxg_listing_free(struct mxg_listing *l)
{
	if (l == NULL)
		return;
	pthread_mutex_destroy(&l->lock);
	free(l);
}

/* ---- as they are found ---------------------------------------------------------------------------------- */

static void put_clean(FILE *to, const char *text)
{
	char clean[2048];
	mxg_text_clean(clean, sizeof(clean), text, strlen(text), NULL);
	fputs(clean[0] == '\0' ? "-" : clean, to);
}

static void write_line(struct mxg_listing *l, const struct mxg_tally_message *m)
{
	char date[MXG_TIME_MAX];
	fprintf(l->to, "%s\t%s\t", m->date == 0 ? "-" : mxg_time_format(m->date, date), m->reason);
	put_clean(l->to, m->domain);
	fputc('\t', l->to);
	put_clean(l->to, m->peer);
	fputc('\t', l->to);
	put_clean(l->to, m->file);
	fprintf(l->to, m->number > 0 ? "\t%lu\n" : "\n", m->number);
}

static void write_object(const struct mxg_tally_message *m)
{
	json_t *o = json_object();
	json_object_set_new(o, "file", mxg_json_text(m->file));
	json_object_set_new(o, "message", m->number == 0 ? json_null() : json_integer((json_int_t)m->number));
	json_object_set_new(o, "path", json_string(mxg_path_name(m->path)));
	json_object_set_new(o, "reason", mxg_json_text(m->reason));
	json_object_set_new(o, "date", mxg_json_time(m->date));
	json_object_set_new(o, "domain", mxg_json_text(m->domain));
	json_object_set_new(o, "peer", mxg_json_text(m->peer));
	mxg_json_print(o);
}

/* ---- those that are kept -------------------------------------------------------------------------------- */

/* A total order, so that it does not depend on which worker was first which ones stay. */
static int newer(const struct mxg_listed *x, const struct mxg_listed *y)
{
	if (x->date != y->date)
		return x->date < y->date ? 1 : -1;
	int files = strcmp(x->file, y->file);
	return files != 0 ? files : x->number < y->number ? -1 : x->number > y->number;
}

static int newest_first(const void *a, const void *b)
{
	return newer(a, b);
}

static void keep(struct mxg_listing *l, const struct mxg_tally_message *m)
{
	struct mxg_listed one = { .reason = m->reason, .number = m->number, .date = m->date };
	snprintf(one.file, sizeof(one.file), "%s", m->file);
	snprintf(one.domain, sizeof(one.domain), "%s", m->domain);
	if (l->count < MXG_LISTING_KEPT) {
		l->kept[l->count++] = one;
		if (l->count < MXG_LISTING_KEPT)
			return;
	} else if (newer(&one, &l->kept[l->oldest]) < 0) {
		l->kept[l->oldest] = one;
	} else {
		return;
	}
	for (size_t i = 0; i < l->count; i++)
		if (newer(&l->kept[i], &l->kept[l->oldest]) > 0)
			l->oldest = i;
}

void mxg_listing_add(struct mxg_listing *l, const struct mxg_tally_message *m)
{
	bool listed = m->path == l->path;
	if (!listed && m->path != MXG_PATH_UNKNOWN)
		return;
	pthread_mutex_lock(&l->lock);
	if (listed)
		mxg_progress_aside();
	if (listed && l->json)
		write_object(m);
	else if (listed)
		write_line(l, m);
	if (m->path == MXG_PATH_UNKNOWN)
		keep(l, m);
	pthread_mutex_unlock(&l->lock);
}

const struct mxg_listed *mxg_listing_unknown(struct mxg_listing *l, size_t *count)
{
	*count = l->count;
	qsort(l->kept, l->count, sizeof(l->kept[0]), newest_first);
	return l->kept;
}
