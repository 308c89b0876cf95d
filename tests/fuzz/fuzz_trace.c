/* SPDX-License-Identifier: MIT */
/* A header block. Fed in pieces whose sizes the first bytes give, it must come
 * out as when fed at once; an external address must be one that the hop it is
 * said to come from shows, and every hop above that must be an internal one. */
#include "received/trace.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
	if (!truth)
		abort();
}

struct seen {
	unsigned last_believed, boundary;
	bool outside_above;
	struct mxg_address address;
};

static void on_hop(void *context, const struct mxg_trace_hop *hop)
{
	struct seen *seen = context;
	if (!hop->believed)
		return;
	require(hop->number == seen->last_believed + 1);
	seen->last_believed = hop->number;
	seen->outside_above =
		seen->outside_above || (!hop->boundary && hop->received->address.family != 0 && !hop->internal);
	if (hop->boundary) {
		seen->boundary = hop->number;
		seen->address = hop->received->address;
	}
}

static void check_hops(const struct mxg_trace *t, const struct seen *seen)
{
	bool shows = t->outcome == MXG_TRACE_EXTERNAL || t->outcome == MXG_TRACE_AUTHENTICATED ||
		     t->outcome == MXG_TRACE_ORIGIN || t->outcome == MXG_TRACE_RETRIEVED;
	require(t->outcome != MXG_TRACE_PENDING);
	require(!seen->outside_above);
	if (!shows)
		return;
	require(seen->boundary == t->hop && mxg_address_equal(&seen->address, &t->address));
}

static void same(const struct mxg_trace *a, const struct mxg_trace *b)
{
	require(a->outcome == b->outcome && a->reason == b->reason && a->hop == b->hop && a->mta == b->mta);
	require(mxg_address_equal(&a->address, &b->address) && strcmp(a->helo, b->helo) == 0 &&
		strcmp(a->by, b->by) == 0);
}

static void feed_in_pieces(struct mxg_trace *t, const char *s, size_t len, const uint8_t sizes[4])
{
	size_t at = 0;
	for (unsigned i = 0; at < len; i++) {
		size_t n = 1 + sizes[i % 4];
		n = n < len - at ? n : len - at;
		char *piece = malloc(n);
		if (piece == NULL)
			abort();
		memcpy(piece, s + at, n);
		enum mxg_trace_feed more = mxg_trace_feed(t, piece, n);
		free(piece);
		if (more == MXG_TRACE_DONE)
			return;
		at += n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mxg_trace once, pieces, whole;
	static const char *const names[] = { "mx.example.com", ".example.com" };
	struct mxg_prefix internal[3];
	struct seen seen = { 0, 0, false, { 0, { 0 } } };
	if (size < 5 || size > 65536)
		return 0;
	mxg_prefix_parse(&internal[0], "127.0.0.0/8", 11);
	mxg_prefix_parse(&internal[1], "198.51.100.0/24", 15);
	mxg_prefix_parse(&internal[2], "::1", 3);
	struct mxg_trace_rules rules = { .internal = internal,
					 .internal_count = 3,
					 .by = names,
					 .by_count = 2,
					 .belief = (enum mxg_trace_belief)(data[4] % 4) };
	const char *s = (const char *)data + 5;
	size_t len = size - 5;
	mxg_trace_init(&once, &rules);
	mxg_trace_feed(&once, s, len);
	mxg_trace_end(&once);
	mxg_trace_init(&pieces, &rules);
	feed_in_pieces(&pieces, s, len, data);
	mxg_trace_end(&pieces);
	same(&once, &pieces);
	rules.all_hops = true;
	rules.on_hop = on_hop;
	rules.context = &seen;
	mxg_trace_init(&whole, &rules);
	mxg_trace_feed(&whole, s, len);
	mxg_trace_end(&whole);
	same(&once, &whole);
	check_hops(&whole, &seen);
	return 0;
}
