/* SPDX-License-Identifier: MIT */
#ifndef MXG_PLUGIN_HEADER_H
#define MXG_PLUGIN_HEADER_H

#include "dovecot-compat.h"
#include "mxguard.h"

/* A field that has to go: bytes of the message. */
struct header_cut {
	uoff_t from, to;
};
ARRAY_DEFINE_TYPE(header_cut, struct header_cut);
ARRAY_DEFINE_TYPE(istream_list, struct istream *);

struct header_scan {
	ARRAY_TYPE(header_cut) cuts;
	uoff_t top; /* where a field of ours goes in: below an mbox "From " line; no cut is above it */
	const char *message_id; /* as it stands there; NULL: none */
};

/*
 * Reads the header block and seeks back to where the stream stood. Notes what the policy wants
 * removed, and feeds the check, where one is given, as long as it wants more. 0, or -1 where
 * the stream failed or there is no memory.
 */
int header_scan(struct istream *input, struct mxguard_policy *policy, struct mxguard_check *check, pool_t pool,
		struct header_scan *scan_r);

/* The message with `field` on top and without the cuts; the same stream, with one more
 * reference, where nothing changes. */
struct istream *header_rewrite(struct istream *input, const char *field, const struct header_scan *scan);

#endif
