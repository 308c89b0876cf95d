/* SPDX-License-Identifier: MIT */
/* The hops of one message, as they are shown. */
#include "hops.h"

#include <stdio.h>
#include <string.h>

#include "json.h"

#define REMARK_MAX 160

json_t *mxg_trace_text(const char *text, size_t len)
{
	char copy[1024];
	if (len == 0 || len >= sizeof(copy))
		return json_null();
	memcpy(copy, text, len);
	copy[len] = '\0';
	return mxg_json_text(copy);
}

static json_t *slice(const struct mxg_slice *s)
{
	return mxg_trace_text(s->at, s->len);
}

json_t *mxg_trace_address(const struct mxg_address *a)
{
	char buf[MXG_ADDRESS_TEXT_MAX];
	return a->family == 0 ? json_null() : json_string(mxg_address_format(a, buf));
}

/* Of several that might have written a field, the first in the list. */
static unsigned lowest(unsigned mask)
{
	return mask & (~mask + 1u);
}

static void add_json_hop(struct mxg_trace_hops *h, const struct mxg_trace_hop *hop)
{
	const struct mxg_received *r = hop->received;
	json_t *o = json_object();
	json_object_set_new(o, "address", mxg_trace_address(&r->address));
	json_object_set_new(o, "helo", slice(&r->helo));
	json_object_set_new(o, "hostname", slice(&r->hostname));
	json_object_set_new(o, "by", slice(&r->by));
	json_object_set_new(o, "protocol", slice(&r->protocol));
	json_object_set_new(o, "authenticated", json_boolean(r->authenticated));
	json_object_set_new(o, "internal", json_boolean(hop->internal));
	json_object_set_new(o, "readable", json_boolean(r->kind != MXG_RECEIVED_UNREADABLE));
	if (r->kind == MXG_RECEIVED_UNREADABLE) {
		unsigned nearly;
		json_object_set_new(o, "obstacle",
				    json_string(mxg_received_obstacle(hop->field, hop->field_len, &nearly)));
		json_object_set_new(o, "nearly", nearly == 0 ? json_null() : json_string(mxg_mta_name(lowest(nearly))));
	}
	json_array_append_new(h->json, o);
}

/* Whose an unreadable field nearly is, and what is in the way. */
static const char *obstacle(const struct mxg_trace_hop *hop, char out[REMARK_MAX])
{
	unsigned nearly;
	const char *reason = mxg_received_reason_name(hop->received->reason);
	const char *what = mxg_received_obstacle(hop->field, hop->field_len, &nearly);
	if (hop->received->reason == MXG_RECEIVED_NOT_NAMED || hop->received->reason == MXG_RECEIVED_OTHER_MTA)
		snprintf(out, REMARK_MAX, "%s: %s, which trace.mta does not name", reason,
			 nearly == 0 ? "another MTA" : mxg_mta_name(lowest(nearly)));
	else
		snprintf(out, REMARK_MAX, "%s: %s%s%s", reason, nearly == 0 ? "" : "nearly ",
			 nearly == 0 ? "" : mxg_mta_name(lowest(nearly)), nearly == 0 ? what : "");
	if (nearly != 0 && hop->received->reason != MXG_RECEIVED_NOT_NAMED &&
	    hop->received->reason != MXG_RECEIVED_OTHER_MTA) {
		size_t len = strlen(out);
		snprintf(out + len, REMARK_MAX - len, ", but %s", what);
	}
	return out;
}

static const char *remark(const struct mxg_trace_hops *h, const struct mxg_trace_hop *hop, char room[REMARK_MAX])
{
	const struct mxg_received *r = hop->received;
	if (r->kind == MXG_RECEIVED_UNREADABLE)
		return obstacle(hop, room);
	if (!hop->believed)
		return "not believed: below the boundary";
	if (!hop->ours)
		return "not ours: belief ends";
	if (r->authenticated)
		return "logged in: belief ends";
	if (r->kind == MXG_RECEIVED_LOCAL)
		return "submitted on this host: what stands below tells more";
	if (r->kind == MXG_RECEIVED_RETRIEVED)
		return "fetched from another mailbox";
	if (r->kind == MXG_RECEIVED_MARKER)
		return "the next field tells";
	return hop->internal ? "internal: looked through" : h->ended == 0 ? "the boundary: belief ends" : "";
}

static void copy(char *out, size_t room, const struct mxg_slice *s)
{
	size_t n = s->len < room ? s->len : room - 1;
	if (n > 0)
		memcpy(out, s->at, n);
	out[n] = '\0';
}

static void add_row(struct mxg_trace_hops *h, const struct mxg_trace_hop *hop)
{
	char number[16], from[MXG_ADDRESS_TEXT_MAX], helo[80], by[80], with[24], room[REMARK_MAX];
	const struct mxg_received *r = hop->received;
	snprintf(number, sizeof(number), "%u", hop->number);
	copy(helo, sizeof(helo), &r->helo);
	copy(by, sizeof(by), &r->by);
	copy(with, sizeof(with), &r->protocol);
	const char *cells[] = { number,
				mxg_address_format(&r->address, from),
				helo,
				by,
				with,
				r->mta == 0 ? "" : mxg_mta_name(r->mta),
				hop->ours && hop->believed ? "yes" : "no",
				remark(h, hop, room) };
	mxg_table_add(h->table, !hop->believed ? MXG_FAINT : hop->boundary ? MXG_BOLD : MXG_PLAIN, cells);
}

void mxg_trace_hops_add(struct mxg_trace_hops *h, const struct mxg_trace_hop *hop)
{
	if (h->json != NULL)
		add_json_hop(h, hop);
	else if (h->table != NULL)
		add_row(h, hop);
	if (hop->boundary)
		h->ended = hop->number;
}

bool mxg_trace_hops_init(struct mxg_trace_hops *h, bool json)
{
	static const char *const headings[] = { "hop", "from", "helo", "by", "with", "mta", "ours", "", NULL };
	*h = (struct mxg_trace_hops){ 0 };
	if (json)
		h->json = json_array();
	else
		h->table = mxg_table_new(headings);
	return h->json != NULL || h->table != NULL;
}

void mxg_trace_hops_clear(struct mxg_trace_hops *h)
{
	mxg_table_free(h->table);
	json_decref(h->json);
	*h = (struct mxg_trace_hops){ 0 };
}
