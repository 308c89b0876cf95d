/* SPDX-License-Identifier: MIT */
#include "generations.h"

#include <stdlib.h>
#include <string.h>

#include "base/grow.h"

#define TIMES_OF_NAME 256

/* A moment at which something that the domain rests on changed, and what was in force from then on. */
struct moment {
	int64_t at;
	bool done;
	struct mxg_generation state;
};

struct moments {
	struct moment *items; /* ascending */
	size_t count, room;
	bool changes; /* not only the moment of the question */
	bool cut;
};

void mxg_generations_clear(struct mxg_generations *g)
{
	for (size_t i = 0; i < g->count; i++)
		free(g->items[i].gateways);
	free(g->items);
	*g = (struct mxg_generations){ 0 };
}

static bool add_moment(struct moments *m, int64_t at)
{
	size_t i = m->count;
	while (i > 0 && m->items[i - 1].at > at)
		i--;
	if (i > 0 && m->items[i - 1].at == at)
		return true;
	if (m->count == MXG_GENERATIONS_MAX) {
		m->cut = true;
		return true;
	}
	if (!mxg_grow(&m->items, &m->room, m->count, sizeof(*m->items)))
		return false;
	memmove(m->items + i + 1, m->items + i, (m->count - i) * sizeof(*m->items));
	m->items[i] = (struct moment){ .at = at };
	m->count++;
	return true;
}

/* Everything that the last walk mentioned may change what it found. */
static bool add_times(struct mxg_flattener *f, struct moments *m, int64_t end)
{
	int64_t times[TIMES_OF_NAME];
	for (int e = 0; e < (int)mxg_answers_count(f->table); e++) {
		size_t n = mxg_history_times(f->history, mxg_answers_question(f->table, e), times, TIMES_OF_NAME);
		for (size_t i = n; i-- > 0;) {
			if (times[i] > end)
				continue;
			m->changes = true;
			if (!add_moment(m, times[i]))
				return false;
		}
	}
	return true;
}

static bool take_state(const struct mxg_flat *flat, struct mxg_generation *g)
{
	g->known = !flat->incomplete;
	g->gateways = calloc(flat->count + 1, sizeof(*g->gateways));
	if (g->gateways == NULL)
		return false;
	for (size_t i = 0; i < flat->count; i++)
		if (flat->ranges[i].grace_until == 0)
			g->gateways[g->count++] = flat->ranges[i].range.prefix;
	g->count = mxg_prefixes_merge(g->gateways, g->count);
	return true;
}

static struct moment *next_open(struct moments *m)
{
	for (size_t i = m->count; i-- > 0;)
		if (!m->items[i].done)
			return &m->items[i];
	return NULL;
}

static bool visit_all(struct mxg_flattener *f, const struct mxg_ruleset *ruleset, const struct mxg_name *domain,
		      struct moments *m, struct mxg_flat *flat, int64_t end)
{
	bool ok = add_moment(m, end);
	for (struct moment *next; ok && (next = next_open(m)) != NULL;) {
		f->now = next->at;
		next->done = true;
		ok = mxg_flatten(f, flat, ruleset, domain, false) && take_state(flat, &next->state) &&
		     add_times(f, m, end);
	}
	f->now = end;
	return ok;
}

static bool same(const struct mxg_generation *a, const struct mxg_generation *b)
{
	if (a->known != b->known || a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->gateways[i].bits != b->gateways[i].bits ||
		    !mxg_address_equal(&a->gateways[i].base, &b->gateways[i].base))
			return false;
	return true;
}

/* The last moment is that of the question, and a change only where the history has one in the same second. */
static int64_t beginning_of(const struct moments *m, size_t moment)
{
	return !m->changes && m->items[0].state.known ? 0 : m->items[moment].at;
}

/* Moments at which nothing changed go; so does a beginning of which nothing is known. */
static bool join(struct moments *m, struct mxg_generations *out)
{
	out->items = calloc(m->count + 1, sizeof(*out->items));
	if (out->items == NULL)
		return false;
	for (size_t i = 0; i < m->count; i++) {
		struct mxg_generation *state = &m->items[i].state;
		struct mxg_generation *last = out->count == 0 ? NULL : &out->items[out->count - 1];
		if ((last != NULL && same(last, state)) || (last == NULL && !state->known && i + 1 < m->count))
			continue;
		if (last != NULL)
			last->until = m->items[i].at;
		out->items[out->count] = *state;
		out->items[out->count++].from = beginning_of(m, i);
		state->gateways = NULL;
	}
	out->cut = m->cut;
	return true;
}

bool mxg_generations_of(struct mxg_flattener *f, const struct mxg_ruleset *ruleset, const struct mxg_name *domain,
			struct mxg_generations *out)
{
	struct moments m = { 0 };
	struct mxg_flat *flat = calloc(1, sizeof(*flat));
	*out = (struct mxg_generations){ 0 };
	bool ok = flat != NULL && visit_all(f, ruleset, domain, &m, flat, f->now) && join(&m, out);
	for (size_t i = 0; i < m.count; i++)
		free(m.items[i].state.gateways);
	free(m.items);
	if (flat != NULL)
		mxg_flat_clear(flat);
	free(flat);
	if (!ok)
		mxg_generations_clear(out);
	return ok;
}

const struct mxg_generation *mxg_generation_at(const struct mxg_generations *g, int64_t at)
{
	for (size_t i = g->count; i-- > 0;)
		if (g->items[i].from <= at)
			return &g->items[i];
	return NULL;
}

bool mxg_generation_has(const struct mxg_generation *g, const struct mxg_address *peer)
{
	return mxg_prefixes_contain(g->gateways, g->count, peer);
}

const char *mxg_gateway_text(const struct mxg_prefix *p, char text[MXG_PREFIX_TEXT_MAX])
{
	mxg_prefix_format(p, text);
	if (p->bits == (p->base.family == 6 ? 128 : 32) && strchr(text, '/') != NULL)
		*strchr(text, '/') = '\0';
	return text;
}
