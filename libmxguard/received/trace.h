/* SPDX-License-Identifier: MIT */
#ifndef MXG_TRACE_H
#define MXG_TRACE_H

#include "base/header_cutter.h"
#include "received/received.h"

/*
 * The walk down a header block's Received fields (docs/design.md, "Boundary peer"): from
 * the topmost on while each names an internal client and was written by a host
 * of ours. All state is in a struct of the caller's; nothing is allocated.
 */
#define MXG_TRACE_FIELD_MAX 16384 /* of one Received field; longer is unreadable */
#define MXG_TRACE_BYTES_MAX (256 * 1024)
#define MXG_TRACE_HOPS_MAX 200

/* Which fields count as written by a host of ours. */
enum mxg_trace_belief {
	MXG_TRACE_FIRST_HOP = 0, /* only the topmost field, whatever it says */
	MXG_TRACE_FIRST_OR_NAMED, /* the topmost field, whatever it says, and those whose "by" is in the list */
	MXG_TRACE_NAMED, /* those whose "by" is in the list */
	MXG_TRACE_ANY /* every field that an internal client of ours handed on */
};

struct mxg_trace_hop {
	unsigned number; /* topmost is 1 */
	const struct mxg_received *received; /* dies with the callback, as does the field */
	const char *field;
	size_t field_len;
	bool believed; /* at or above the place where belief ends */
	bool ours;
	bool internal; /* its client is */
	bool boundary; /* the hop that the outcome comes from */
};

/* Everything pointed to must outlive the trace. Loopback is internal only if
 * it is in the list. */
struct mxg_trace_rules {
	const struct mxg_prefix *internal;
	size_t internal_count;
	const struct mxg_prefix *origins;
	size_t origins_count;
	enum mxg_trace_belief belief;
	const char *const *by; /* NUL-terminated names, or ".suffix" */
	size_t by_count;
	unsigned mta_mask; /* 0: the form itself must tell */
	bool captured_only; /* and of what no mask names, only MXG_MTA_CAPTURED counts */
	bool submitted; /* on this host, by nobody's connection: what stands on top must be ours */
	bool want_first_date; /* of hop 1, for first_date */
	bool all_hops; /* read on to the end of the header for on_hop's sake */
	bool every_field; /* on_field gets those above the answer, too, and whatever the answer is */
	/* In place of `internal`; asked about the client of each field that is ours, and no other. */
	bool (*is_internal)(void *context, const struct mxg_address *client);
	/* The fields below an EXTERNAL answer, unread; false: no more of them. */
	bool (*on_field)(void *context, unsigned number, const char *field, size_t len);
	void (*on_hop)(void *context, const struct mxg_trace_hop *hop); /* may be NULL */
	void *context;
};

enum mxg_trace_outcome {
	MXG_TRACE_PENDING = 0,
	MXG_TRACE_EXTERNAL, /* address is the boundary peer */
	MXG_TRACE_ORIGIN, /* the same, and it is in origins */
	MXG_TRACE_AUTHENTICATED, /* address logged in */
	MXG_TRACE_LOCAL, /* a host of ours made it itself */
	MXG_TRACE_RESUBMITTED, /* submitted on a host of ours, above a field that no host of ours wrote */
	MXG_TRACE_RETRIEVED, /* a host of ours fetched it from address, a mailbox server */
	MXG_TRACE_ENDED, /* no field below internal client address (none: a unix socket) */
	MXG_TRACE_NONE, /* no Received field at all */
	MXG_TRACE_UNREADABLE, /* see reason */
	MXG_TRACE_TOO_LONG /* bytes or hops */
};

enum mxg_trace_reason {
	MXG_TRACE_REASON_NONE = 0,
	MXG_TRACE_FIELD_UNREADABLE, /* see field_reason */
	MXG_TRACE_FIELD_TOO_LONG,
	MXG_TRACE_NOT_OURS, /* "by" is no name of ours, or belief ends after hop 1 */
	MXG_TRACE_MARKER_ALONE, /* a field that leaves it to the next, and that is not its fellow */
	MXG_TRACE_BROKEN_HEADER, /* a line that is no field, above the answer */
	MXG_TRACE_MANY_BYTES,
	MXG_TRACE_MANY_HOPS
};

struct mxg_trace {
	/* the answer, once outcome is not PENDING */
	enum mxg_trace_outcome outcome;
	enum mxg_trace_reason reason;
	enum mxg_received_reason field_reason;
	struct mxg_address address;
	unsigned hop; /* the one it comes from; 0 for NONE */
	unsigned mta;
	int64_t date;
	/* of hop 1, as soon as hops is not 0 */
	int64_t first_date; /* 0: none, or not asked for */
	bool first_ours, first_named; /* it is believed; its "by" is in the list */
	char helo[256], hostname[256], by[256], protocol[32]; /* cut to fit; not neutered */
	char for_address[320]; /* empty rather than cut */

	/* the walk's own */
	struct mxg_trace_rules rules;
	unsigned hops;
	bool closed;
	unsigned marker; /* MTA of a marker directly above; 0 none */
	bool marker_local;
	bool submitted; /* the field directly above is a local form: what stands below it decides */
	struct mxg_header_cutter cutter;
	char field[MXG_TRACE_FIELD_MAX];
};

enum mxg_trace_feed { MXG_TRACE_MORE, MXG_TRACE_DONE };

void mxg_trace_init(struct mxg_trace *t, const struct mxg_trace_rules *rules);

/* In place of bytes: the next Received field; `too_long`: of more than MXG_TRACE_FIELD_MAX bytes, which
 * are not there. */
void mxg_trace_take_field(struct mxg_trace *t, const char *field, size_t len, bool too_long);

/* Takes the next bytes of the message, from its very first on, in pieces of
 * any size; LF or CRLF; an mbox "From " line may stand first. DONE: the answer
 * is there, or the header has ended; more bytes are ignored. */
enum mxg_trace_feed mxg_trace_feed(struct mxg_trace *t, const char *bytes, size_t n);

/* No more bytes will come. outcome is never PENDING after it. */
void mxg_trace_end(struct mxg_trace *t);

/* Stable names, for logs and --json. */
const char *mxg_trace_outcome_name(enum mxg_trace_outcome outcome);
const char *mxg_trace_reason_name(enum mxg_trace_reason reason);
const char *mxg_received_reason_name(enum mxg_received_reason reason);

#endif
