/* SPDX-License-Identifier: MIT */
#include "report/piece.h"

#include <stdlib.h>

#define AHEAD 12 /* decisions, before one is counted, that what is needed for it is asked for */
#define SOON 8
#define NEXT 4

bool mxg_piece_room(struct mxg_piece *p)
{
	if (p->text == NULL)
		p->text = malloc(MXG_LINE_MOST + MXG_PIECE_BYTES);
	return p->text != NULL;
}

void mxg_piece_clear(struct mxg_piece *p)
{
	free(p->text);
	free(p->items);
	free(p->scratch);
}

/* ---- its lines ------------------------------------------------------------------------------------------- */

static bool is_of_wanted_domain(const struct mxg_report_input *in, const struct mxg_decision *d)
{
	for (size_t i = 0; i < in->domain_count; i++)
		if (strlen(in->domains[i]) == d->domain.len &&
		    strncasecmp(d->domain.at, in->domains[i], d->domain.len) == 0)
			return true;
	return in->domain_count == 0;
}

static bool is_wanted(const struct mxg_report_input *in, const struct mxg_decision *d)
{
	return (in->since == 0 || d->time == 0 || d->time >= in->since) && is_of_wanted_domain(in, d);
}

static struct mxg_decision *new_item(struct mxg_piece *p)
{
	if (p->count == p->room) {
		size_t room = p->room == 0 ? 512 : p->room * 2;
		struct mxg_decision *items = reallocarray(p->items, room, sizeof(*items));
		if (items == NULL) {
			p->nomem = true;
			return NULL;
		}
		p->items = items;
		p->room = room;
	}
	return &p->items[p->count];
}

/* Each wrapped message needs a place of its own until the piece is counted; none is longer than its line. */
static char *scratch_of(struct mxg_piece *p)
{
	if (p->scratch == NULL)
		p->scratch = malloc(MXG_LINE_MOST + MXG_PIECE_BYTES);
	p->nomem |= p->scratch == NULL;
	return p->scratch == NULL ? NULL : p->scratch + p->scratch_used;
}

static void read_line(struct mxg_piece *p, const char *line, size_t len, const struct mxg_report_input *in)
{
	struct mxg_decision *d = new_item(p);
	p->lines++;
	if (d == NULL || len < 40 || len > MXG_LINE_MOST)
		return;
	char *scratch = line[0] == '{' ? scratch_of(p) : NULL;
	switch (mxg_line_read(d, line, len, &p->clock, scratch, scratch == NULL ? 0 : len)) {
	case MXG_LINE_DECISION:
		p->count += is_wanted(in, d);
		p->scratch_used += scratch == NULL ? 0 : len;
		break;
	case MXG_LINE_UNREAD:
		p->unread++;
		break;
	case MXG_LINE_OTHER:
		break;
	}
}

void mxg_piece_parse(struct mxg_piece *p, const struct mxg_report_input *in)
{
	const char *at = p->text, *end = p->text + p->len;
	p->count = p->lines = p->unread = p->scratch_used = 0;
	while (at < end) { /* the last line of all may lack its line feed */
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		stop = stop == NULL ? end : stop;
		read_line(p, at, (size_t)(stop - at), in);
		at = stop + 1;
	}
}

/* ---- its decisions ----------------------------------------------------------------------------------------- */

void mxg_piece_count(const struct mxg_piece *p, struct mxg_report_input *in)
{
	in->state->lines += p->lines + p->skipped;
	in->state->unread += p->unread;
	in->state->nomem |= p->nomem;
	for (size_t i = 0; i < p->count; i++) {
		const struct mxg_decision *d = &p->items[i];
		if (i + NEXT < p->count)
			mxg_report_expect_next(in->state, d + NEXT);
		if (i + SOON < p->count)
			mxg_report_expect_soon(in->state, d + SOON);
		if (i + AHEAD < p->count)
			mxg_report_expect(in->state, d + AHEAD);
		if (in->since != 0 && d->time == 0)
			mxg_report_leave_out(in->state, d); /* nobody knows whether it was decided since then */
		else if (mxg_seen_line(in->seen, d->time, d->hash))
			in->state->duplicates += d->repeat;
		else if (!mxg_report_count(in->state, d))
			in->state->unread++;
	}
}
