/* SPDX-License-Identifier: MIT */
/* The confirmed names of candidates: those whose addresses lead back to the host. All are asked at once,
 * and whoever does not answer in time has none: a report must not hang on a resolver. */
#include <stdio.h>
#include <stdlib.h>

#include "report/judge.h"
#include "base/clock.h"
#include "resolver/driver.h"
#include "spf/macro.h"

#define HOSTS_MAX 200
#define PATIENCE_MS 5000
#define NAMES_EACH 2

struct lookup;

struct asked {
	struct mxg_waiter waiter; /* first: the one is the other */
	struct lookup *lookup;
	bool out, back; /* back: an address of a name is asked */
	struct mxg_name name;
};

struct lookup {
	struct mxg_driver *driver;
	struct mxg_candidate *candidate;
	struct mxg_address host;
	size_t *open;
	struct asked pointer, address[NAMES_EACH];
	size_t names;
};

static void ask(struct asked *a, const struct mxg_name *name, uint16_t type)
{
	struct mxg_question q = { .name = *name, .type = type };
	a->out = true;
	(*a->lookup->open)++;
	mxg_driver_ask(a->lookup->driver, &q, &a->waiter);
}

static void note_name(struct mxg_candidate *c, const struct mxg_name *name)
{
	char text[MXG_NAME_TEXT_MAX];
	size_t at = strlen(c->names), len;
	mxg_name_format(name, text);
	len = strlen(text);
	if (strstr(c->names, text) == NULL && at + len + 2 < sizeof(c->names)) {
		if (at > 0)
			c->names[at++] = ' ';
		memcpy(c->names + at, text, len + 1);
	}
	c->why |= MXG_WHY_NAMED;
}

static void on_reply(struct mxg_waiter *waiter, struct mxg_reply *reply)
{
	struct asked *a = (struct asked *)waiter;
	struct lookup *l = a->lookup;
	const uint8_t *item;
	size_t at = 0, len;
	a->out = false;
	(*l->open)--;
	if (reply->kind != MXG_ANSWER_RECORDS)
		return;
	while (mxg_rrset_next(reply->records.data, reply->records.size, &at, &item, &len)) {
		struct mxg_address address;
		if (a->back && (len == 4 || len == 16)) {
			mxg_address_from_bytes(&address, len == 4 ? 4 : 6, item);
			if (mxg_address_equal(&address, &l->host))
				note_name(l->candidate, &a->name);
		} else if (!a->back && l->names < NAMES_EACH) {
			struct asked *back = &l->address[l->names];
			if (!mxg_name_from_wire(&back->name, item, len))
				continue;
			l->names++;
			ask(back, &back->name, l->host.family == 6 ? MXG_DNS_AAAA : MXG_DNS_A);
		}
	}
}

static void begin(struct lookup *l, struct mxg_driver *driver, struct mxg_candidate *c, const struct mxg_address *host,
		  size_t *open)
{
	*l = (struct lookup){ .driver = driver, .candidate = c, .host = *host, .open = open };
	l->pointer = (struct asked){ .waiter.done = on_reply, .lookup = l };
	for (size_t i = 0; i < NAMES_EACH; i++)
		l->address[i] = (struct asked){ .waiter.done = on_reply, .lookup = l, .back = true };
	if (mxg_macro_reverse_name(&l->pointer.name, host))
		ask(&l->pointer, &l->pointer.name, MXG_DNS_PTR);
}

static void forget(struct lookup *l)
{
	if (l->pointer.out)
		mxg_driver_forget(&l->pointer.waiter);
	for (size_t i = 0; i < NAMES_EACH; i++)
		if (l->address[i].out)
			mxg_driver_forget(&l->address[i].waiter);
}

void mxg_report_names(struct mxg_report_result *r, const struct mxg_report_inputs *in)
{
	struct mxg_driver *driver =
		in->policy == NULL || r->candidate_count == 0 ? NULL : mxg_driver_new(in->policy, MXG_DRIVER_DEADLINES);
	struct lookup *lookups = driver == NULL ? NULL : calloc(HOSTS_MAX, sizeof(*lookups));
	size_t count = 0, open = 0;
	for (size_t i = 0; lookups != NULL && i < r->candidate_count; i++)
		for (size_t h = 0; h < r->candidates[i].host_count && count < HOSTS_MAX; h++)
			begin(&lookups[count++], driver, &r->candidates[i], &r->candidates[i].hosts[h], &open);
	int64_t end = mxg_monotonic_ms() + PATIENCE_MS;
	while (open > 0 && mxg_monotonic_ms() < end)
		mxg_driver_wait(driver, 200);
	for (size_t i = 0; i < count; i++)
		forget(&lookups[i]);
	free(lookups);
	mxg_driver_free(driver);
}
