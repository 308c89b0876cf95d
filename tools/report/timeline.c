/* SPDX-License-Identifier: MIT */
/* What became of direct mail after the gateways of a domain changed. */
#include <stdlib.h>

#include "load.h"
#include "report/judge.h"

#define DAY 86400
#define STILL (7 * DAY) /* a host that came in the last so many seconds has stayed */

/* The part of the generation that the log covers; false: none, for what is decided at its end is the next one's. */
static bool window(const struct mxg_report_state *s, const struct mxg_time_line *l, int64_t *low, int64_t *high)
{
	*low = l->from > s->from ? l->from : s->from;
	*high = l->until != 0 && l->until < s->to ? l->until : s->to;
	return s->from != 0 && *low <= *high && (l->until == 0 || *low < l->until);
}

/* By domain and then by day, and by domain, so that a line looks at what is its domain's alone. */
static const struct mxg_report_state *sorted; /* qsort(3) hands nothing on */

static int by_domain_and_day(const void *a, const void *b)
{
	const struct mxg_day_state *x = &sorted->days[*(const uint32_t *)a], *y = &sorted->days[*(const uint32_t *)b];
	if (x->domain != y->domain)
		return x->domain < y->domain ? -1 : 1;
	return x->day < y->day ? -1 : x->day > y->day;
}

static int by_domain_and_number(const void *a, const void *b)
{
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	const struct mxg_pair_state *x = &sorted->pairs[i], *y = &sorted->pairs[j];
	if (x->domain != y->domain)
		return x->domain < y->domain ? -1 : 1;
	return i < j ? -1 : i > j;
}

struct order {
	uint32_t *days, *pairs;
};

static uint32_t *numbers(size_t count, int (*compare)(const void *, const void *))
{
	uint32_t *all = calloc(count + 1, sizeof(*all));
	for (size_t i = 0; all != NULL && i < count; i++)
		all[i] = (uint32_t)i;
	if (all != NULL)
		qsort(all, count, sizeof(*all), compare);
	return all;
}

static bool make_order(struct order *o, const struct mxg_report_state *s)
{
	sorted = s;
	o->days = numbers(s->day_count, by_domain_and_day);
	o->pairs = numbers(s->pair_count, by_domain_and_number);
	return o->days != NULL && o->pairs != NULL;
}

/* The first of the domain, and of that day or later. */
static size_t first_day(const struct mxg_report_state *s, const uint32_t *order, uint32_t domain, int32_t day)
{
	size_t low = 0, high = s->day_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct mxg_day_state *d = &s->days[order[middle]];
		if (d->domain < domain || (d->domain == domain && d->day < day))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static size_t first_pair(const struct mxg_report_state *s, const uint32_t *order, uint32_t domain)
{
	size_t low = 0, high = s->pair_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (s->pairs[order[middle]].domain < domain)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The day of a change belongs to what came after it. */
static bool take_days(const struct mxg_report_state *s, const struct order *o, struct mxg_time_line *l, int64_t low,
		      int64_t high)
{
	int32_t first = (int32_t)(low / DAY), last = (int32_t)(high / DAY);
	last -= l->until != 0 && high == l->until && last > first;
	size_t begin = first_day(s, o->days, l->domain, first), end = first_day(s, o->days, l->domain, last + 1);
	l->days = calloc(end - begin + 1, sizeof(*l->days));
	if (l->days == NULL)
		return false;
	for (size_t i = begin; i < end; i++) {
		const struct mxg_day_state *d = &s->days[o->days[i]];
		l->days[l->day_count++] = (struct mxg_day_count){ .day = d->day, .direct = d->direct };
	}
	return true;
}

/* Where mail dies away as a half-life says, half of all of it has come when the first one has passed. */
static double half_life(const struct mxg_time_line *l, int64_t low, int64_t high)
{
	double all = 0, early = 0, sum = 0, middle = (double)(low + high) / 2;
	for (size_t i = 0; i < l->day_count; i++) {
		all += (double)l->days[i].direct;
		early += ((double)l->days[i].day + 0.5) * DAY < middle ? (double)l->days[i].direct : 0;
	}
	if (all < 2 || high - low < 2 * DAY || early < 1.5 * (all - early))
		return -1;
	for (size_t i = 0; i < l->day_count; i++) {
		double n = (double)l->days[i].direct;
		if (sum + n >= all / 2) {
			double begin =
				(double)l->days[i].day * DAY > (double)low ? (double)l->days[i].day * DAY : (double)low;
			double end = ((double)l->days[i].day + 1) * DAY;
			return (begin + (end - begin) * (all / 2 - sum) / n - (double)low) / DAY;
		}
		sum += n;
	}
	return -1;
}

static void measure(struct mxg_time_line *l, int64_t low, int64_t high)
{
	uint64_t all = 0;
	double days = (double)(high - low) / DAY;
	for (size_t i = 0; i < l->day_count; i++)
		all += l->days[i].direct;
	l->direct_per_day = (double)all / (days < 1 ? 1 : days);
	l->half_life_days = half_life(l, low, high);
	int32_t last = l->day_count == 0 ? (int32_t)(low / DAY) - 1 : l->days[l->day_count - 1].day;
	if (high / DAY > (int64_t)last + 1) /* a whole day without any, at the least */
		l->dry = last + 1;
}

static bool add_moved(struct mxg_time_line *l, const struct mxg_pair_state *p)
{
	struct mxg_moved *more = reallocarray(l->moved, l->moved_count + 1, sizeof(*more));
	if (more == NULL)
		return false;
	l->moved = more;
	more[l->moved_count++] =
		(struct mxg_moved){ .host = p->host, .after_days = (double)(p->first_via - l->from) / DAY };
	return true;
}

static bool add_stayed(struct mxg_time_line *l, const struct mxg_pair_state *p)
{
	struct mxg_stayed *more = reallocarray(l->stayed, l->stayed_count + 1, sizeof(*more));
	if (more == NULL)
		return false;
	l->stayed = more;
	more[l->stayed_count++] = (struct mxg_stayed){ .host = p->host, .messages = p->direct, .last = p->last_direct };
	return true;
}

/* Hosts that came past the gateways, and then through them; and those that still come past them. */
static bool follow_hosts(const struct mxg_report_state *s, const struct order *o, struct mxg_time_line *l, int64_t high)
{
	bool ok = true;
	for (size_t i = first_pair(s, o->pairs, l->domain); ok && i < s->pair_count; i++) {
		const struct mxg_pair_state *p = &s->pairs[o->pairs[i]];
		if (p->domain != l->domain)
			break;
		if (p->direct == 0 || l->from == 0)
			continue;
		bool moved = p->first_via != 0 && p->first_direct < p->first_via && p->first_via >= l->from &&
			     (l->until == 0 || p->first_via < l->until) && p->last_direct <= p->first_via;
		bool stayed = !moved && p->first_direct < l->from && p->last_direct > l->from &&
			      p->last_direct > high - STILL;
		ok = (!moved || add_moved(l, p)) && (!stayed || add_stayed(l, p));
	}
	return ok;
}

static int by_days(const void *a, const void *b)
{
	const struct mxg_moved *x = a, *y = b;
	if (x->after_days < y->after_days || x->after_days > y->after_days)
		return x->after_days < y->after_days ? -1 : 1;
	return memcmp(&x->host, &y->host, sizeof(x->host));
}

static int by_messages(const void *a, const void *b)
{
	const struct mxg_stayed *x = a, *y = b;
	if (x->messages != y->messages)
		return x->messages < y->messages ? 1 : -1;
	return memcmp(&x->host, &y->host, sizeof(x->host));
}

static bool fill(struct mxg_report_result *r, const struct order *o, struct mxg_time_line *l)
{
	int64_t low, high;
	l->half_life_days = -1;
	l->dry = -1;
	l->counted = !r->state->domains[l->domain].unwatched;
	l->logged = window(r->state, l, &low, &high);
	if (!l->counted || !l->logged) {
		l->unpublished_since = 0;
		return true;
	}
	if (!take_days(r->state, o, l, low, high) || !follow_hosts(r->state, o, l, high) ||
	    !mxg_report_unpublished(r, o->pairs, first_pair(r->state, o->pairs, l->domain), l))
		return false;
	measure(l, low, high);
	if (l->moved_count > 0)
		qsort(l->moved, l->moved_count, sizeof(*l->moved), by_days);
	if (l->stayed_count > 0)
		qsort(l->stayed, l->stayed_count, sizeof(*l->stayed), by_messages);
	return true;
}

static struct mxg_time_line *new_line(struct mxg_report_result *r, uint32_t domain, int64_t from, int64_t until)
{
	struct mxg_time_line *more = reallocarray(r->lines, r->line_count + 1, sizeof(*more));
	if (more == NULL)
		return NULL;
	r->lines = more;
	more[r->line_count] = (struct mxg_time_line){ .domain = domain, .from = from, .until = until };
	return &more[r->line_count++];
}

static bool set_gateways(struct mxg_time_line *l, const struct mxg_generation *g)
{
	l->gateways = calloc(g->count + 1, sizeof(*l->gateways));
	if (l->gateways == NULL)
		return false;
	for (size_t i = 0; i < g->count; i++)
		mxg_gateway_text(&g->gateways[i], l->gateways[i]);
	l->gateway_count = g->count;
	return true;
}

static int by_time(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

/* The times at which the administrator says that the domain changed. */
static bool lines_of_changes(struct mxg_report_result *r, const struct mxg_report_inputs *in, const struct order *o,
			     uint32_t domain, const struct mxg_generations *known, bool *any)
{
	int64_t times[66] = { 0 };
	size_t n = 1;
	for (size_t i = 0; i < in->change_count && n < 65; i++)
		if (strcmp(in->changes[i].domain, r->state->domains[domain].name) == 0)
			times[n++] = in->changes[i].at;
	*any = n > 1;
	qsort(times, n, sizeof(times[0]), by_time);
	for (size_t i = 0; *any && i < n; i++) {
		struct mxg_time_line *l = new_line(r, domain, times[i], i + 1 < n ? times[i + 1] : 0);
		if (l == NULL)
			return false;
		l->unpublished_since = times[1];
		const struct mxg_generation *g = mxg_generation_at(known, l->until != 0 ? l->until - 1 : in->now);
		if ((g != NULL && !set_gateways(l, g)) || !fill(r, o, l))
			return false;
	}
	return true;
}

/* As the history tells, as far as the log reaches. */
static bool lines_of_history(struct mxg_report_result *r, const struct mxg_report_inputs *in, const struct order *o,
			     uint32_t domain, const struct mxg_generations *known)
{
	int64_t since = mxg_unpublished_since(in->policy, known);
	for (size_t i = 0; i < known->count; i++) {
		const struct mxg_generation *g = &known->items[i];
		if (g->until != 0 && g->until <= r->state->from)
			continue;
		struct mxg_time_line *l = new_line(r, domain, g->from, g->until);
		if (l == NULL)
			return false;
		l->unpublished_since = since;
		if (!set_gateways(l, g) || !fill(r, o, l))
			return false;
	}
	return true;
}

static bool lines_of_domain(struct mxg_report_result *r, const struct mxg_report_inputs *in, const struct order *o,
			    struct mxg_flattener *f, uint32_t domain)
{
	struct mxg_generations known = { .count = 0 };
	const char *name = r->state->domains[domain].name;
	struct mxg_name wire;
	bool any, ok = true;
	if (f != NULL && mxg_name_from_text(&wire, name, strlen(name))) {
		f->now = in->now;
		ok = mxg_generations_of(f, mxg_policy_ruleset(in->policy, name, strlen(name)), &wire, &known);
	}
	ok = ok && lines_of_changes(r, in, o, domain, &known, &any) &&
	     (any || lines_of_history(r, in, o, domain, &known));
	mxg_generations_clear(&known);
	return ok;
}

bool mxg_report_time_lines(struct mxg_report_result *r, const struct mxg_report_inputs *in)
{
	struct mxg_flattener flattener, *f = NULL;
	struct order order;
	bool ok = make_order(&order, r->state);
	if (ok && in->policy != NULL && in->history != NULL) {
		ok = mxg_flattener_init(&flattener, in->policy, NULL);
		f = ok ? &flattener : NULL;
		flattener.history = in->history;
	}
	for (size_t i = 0; ok && i < r->domain_count; i++)
		if (r->state->domains[r->domains[i].domain].watched)
			ok = lines_of_domain(r, in, &order, f, r->domains[i].domain);
	if (f != NULL)
		mxg_flattener_clear(f);
	free(order.days);
	free(order.pairs);
	return ok;
}
