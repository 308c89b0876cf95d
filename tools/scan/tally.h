/* SPDX-License-Identifier: MIT */
#ifndef MXG_SCAN_TALLY_H
#define MXG_SCAN_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mxguard.h"

/* What a scan counts. Its size does not depend on how much is scanned: the busiest peers are
 * kept by the Space-Saving method (Metwally 2005), which never loses one that holds more than
 * 1/MXG_TALLY_PEERS of the direct mail. */

enum mxg_path { /* how a message came */
		MXG_PATH_GATEWAY,
		MXG_PATH_DIRECT,
		MXG_PATH_UNKNOWN,
		MXG_PATH_LOCAL,
		MXG_PATH_AUTHENTICATED,
		MXG_PATH_EXEMPT,
		MXG_PATHS
};

#define MXG_TALLY_PEERS 1024
#define MXG_TALLY_GATEWAYS 256 /* more entries than that count as one, "(others)" */
#define MXG_TALLY_FIRST_YEAR 1980
#define MXG_TALLY_MONTHS (12 * 150)

struct mxg_tally_peer {
	uint32_t hash; /* of address: looked at first */
	char address[48];
	uint64_t count, error; /* count may be too high by error at the most */
	int64_t first, last; /* seconds since the epoch, 0: not known */
	char sample[256]; /* a file's name, as it is on disk */
};

struct mxg_tally_gateway {
	char name[64];
	uint64_t count;
};

struct mxg_tally_reason {
	const char *code; /* static */
	uint64_t count;
};
#define MXG_TALLY_REASONS 64

struct mxg_tally {
	uint64_t messages, failed; /* failed: could not be read */
	uint64_t paths[MXG_PATHS];
	uint64_t enforce[MXGUARD_ACTION_REJECT + 1]; /* by enum mxguard_action: what enforce mode would have done */
	uint64_t months[MXG_TALLY_MONTHS][MXG_PATHS];
	uint64_t undated;
	uint64_t today; /* judged by answers of today, since the history does not know those of their time */
	uint64_t left; /* files that are no messages, symbolic links */
	char left_sample[256];
	uint64_t own; /* folders of one's own mail, left out */
	char own_sample[256];
	int64_t first_direct, last_direct;
	size_t reason_count;
	struct mxg_tally_reason reasons[MXG_TALLY_REASONS]; /* of the unknown ones */
	size_t gateway_count, peer_count;
	struct mxg_tally_gateway gateways[MXG_TALLY_GATEWAYS];
	struct mxg_tally_peer peers[MXG_TALLY_PEERS];
};

struct mxg_tally_message {
	enum mxg_path path;
	enum mxguard_action enforce;
	const char *gateway, *peer, *domain; /* "" where there is none; domain: the recipient's */
	const char *file;
	unsigned long number; /* of the message in a file with many; 0: it is the file */
	const char *reason; /* a code; static */
	bool today;
	int64_t date; /* 0: not known */
};

const char *mxg_path_name(enum mxg_path path); /* "gateway", "direct", … */
void mxg_tally_add(struct mxg_tally *tally, const struct mxg_tally_message *message);
void mxg_tally_merge(struct mxg_tally *into, const struct mxg_tally *from);
/* Busiest first. */
void mxg_tally_sort(struct mxg_tally *tally);
bool mxg_tally_month(int64_t date, size_t *month); /* its number; false where it has none */
void mxg_tally_widen(int64_t *first, int64_t *last, int64_t from, int64_t to);
/* The first and last month with any mail; false where there is none. */
bool mxg_tally_months(const struct mxg_tally *tally, size_t *first, size_t *last);
/* "2026-11" */
void mxg_tally_month_name(size_t month, char out[16]);

#endif
