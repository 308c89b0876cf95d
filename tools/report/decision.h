/* SPDX-License-Identifier: MIT */
#ifndef MXG_REPORT_DECISION_H
#define MXG_REPORT_DECISION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/address.h"

/*
 * One line of a log that mxguard itself wrote, whatever stands in front of it. Logs are hostile: any
 * program writes into them what strangers say. A line counts where mxguard's words begin directly
 * behind the tag of a program that writes them; words in another program's line never do.
 */
struct mxg_slice {
	const char *at;
	size_t len;
};

struct mxg_decision {
	int64_t time; /* seconds since 1970; 0: the line has none */
	uint64_t hash; /* of the whole line */
	uint32_t repeat; /* "message repeated N times" */
	uint8_t verdict, action, would; /* enum mxguard_…; would: MXG_NO_WOULD */
	struct mxg_slice reason, boundary, from, rcpt, id, msgid, origin;
	/* Made by the thread that reads, so that the one that counts has less to do: */
	uint64_t sender_hash, rcpt_hash, domain_hash; /* sender_hash 0: a bounce */
	struct mxg_address peer; /* of `boundary`; family 0: none */
	uint8_t domain_len;
	char domain[254]; /* behind the recipient's last @, in lower case; "(none)" */
};
#define MXG_NO_WOULD 0xff

enum mxg_line_kind {
	MXG_LINE_OTHER = 0, /* of another program, or no decision */
	MXG_LINE_DECISION,
	MXG_LINE_UNREAD /* mxguard's, but cut or damaged */
};

/* What a reader of one stream has to remember: the year of lines without one, and the time of the line
 * before, which most often is that of the next. Zeroed, with `latest`, at the start of a stream. */
struct mxg_line_clock {
	int64_t latest; /* no line is of a later time: now, or when the file was last written */
	int64_t last; /* the time of the line before */
	int year;
	char text[32]; /* what stood for it */
	size_t len;
	int64_t hour; /* of `zone`: local time is asked for once an hour of the log */
	int64_t zone;
	bool zone_known;
};

/* A line without its line feed. The slices point into it, but for JSON in JSON, where they point into
 * `scratch`, which holds for as long as the line. */
enum mxg_line_kind mxg_line_read(struct mxg_decision *out, const char *line, size_t len, struct mxg_line_clock *clock,
				 char *scratch, size_t scratch_size);

/* line_prefix.c: everything in front of the message. False: no program of ours wrote the line. */
struct mxg_prefix_found {
	int64_t time;
	const char *message; /* where it begins */
};
bool mxg_line_prefix(struct mxg_prefix_found *out, const char *line, size_t len, struct mxg_line_clock *clock);
/* "2026-11-29T05:00:01.5+01:00" and the like at the beginning; returns where it ends, NULL: none. */
const char *mxg_line_time(int64_t *out, const char *at, const char *end, struct mxg_line_clock *clock);
/* Whether a program of that name writes decisions. */
bool mxg_line_is_ours(const char *tag, size_t len);
/* Behind the tag: "lmtp(123): Info: " of Dovecot and "message repeated 3 times: [ ". */
const char *mxg_line_message(const char *at, const char *end, uint32_t *repeat);

/* line_fields.c: "mxguard: verdict=…" or {"verdict":…} up to the end. */
enum mxg_line_kind mxg_line_fields(struct mxg_decision *out, const char *at, const char *end);

uint64_t mxg_line_hash(const char *bytes, size_t len);
void mxg_line_prepare(struct mxg_decision *decision); /* fills what is made from the slices */

static inline bool mxg_begins(const char *at, const char *end, const char *with, size_t len)
{
	return (size_t)(end - at) >= len && memcmp(at, with, len) == 0;
}

#endif
