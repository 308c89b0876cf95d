/* SPDX-License-Identifier: MIT */
#ifndef MXG_REPORT_DECISION_H
#define MXG_REPORT_DECISION_H

#include <endian.h>
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
	/* made from them where the line is read, since that is done by several threads: */
	uint64_t sender_hash, rcpt_hash, domain_hash,
		reason_hash; /* sender_hash 0: a bounce; domain_hash: in lower case */
	struct mxg_slice domain; /* behind the recipient's last @; "(none)" */
	struct mxg_address peer; /* of `boundary`; family 0: none */
};
#define MXG_NO_WOULD 0xff

enum mxg_line_kind {
	MXG_LINE_OTHER = 0, /* of another program, or no decision */
	MXG_LINE_DECISION,
	MXG_LINE_UNREAD /* mxguard's, but cut or damaged */
};

/* What a reader of one stream has to remember. What a line says depends on `latest`, `year` and `day` alone,
 * so that a part of a stream can be read before the parts in front of it (mxg_line_clock_agrees()). Zeroed,
 * with `latest`, at the start of a stream. */
struct mxg_line_clock {
	int64_t latest; /* no line is of a later time: now, or when the file was last written */
	int year; /* of lines without one; 0: none has been read */
	int64_t day; /* since 1970, of the line before, as it was written */
	char date[16]; /* what stood for it */
	size_t date_len;
	int64_t hour; /* of `zone`: local time is asked for once an hour of the log */
	int64_t zone;
	bool zone_known;
	bool stepped; /* a line with a time was read; this is the first one, and how the clock stood behind it: */
	char first[48];
	size_t first_len;
	int first_year;
	int64_t first_day;
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

/* line_time.c: "2026-11-29T05:00:01.5+01:00" and the like at the beginning; returns where it ends, NULL: none. */
const char *mxg_line_time(int64_t *out, const char *at, const char *end, struct mxg_line_clock *clock);
/* Whether lines that were read from a guessed clock on, up to `later`, say the same from `before` on. */
bool mxg_line_clock_agrees(const struct mxg_line_clock *before, const struct mxg_line_clock *later);
/* Whether a program of that name writes decisions. */
bool mxg_line_is_ours(const char *tag, size_t len);
/* Where the message begins behind a program's tag: at `at`, or behind what smtpd puts before it. NULL: no program of
 * ours wrote it. */
const char *mxg_line_behind_tag(const char *tag, size_t len, const char *at, const char *end);
/* Behind the tag (line_prefix.c): "lmtp(123): Info: " of Dovecot and "message repeated 3 times: [ ". */
const char *mxg_line_message(const char *at, const char *end, uint32_t *repeat);

/* line_fields.c: "mxguard: verdict=…" or {"verdict":…} up to the end. */
enum mxg_line_kind mxg_line_fields(struct mxg_decision *out, const char *at, const char *end);

uint64_t mxg_line_hash(const char *bytes, size_t len);
void mxg_line_prepare(struct mxg_decision *decision); /* fills what is made from the slices */

/* Of words whose length is known when this is compiled, up to 24: a few comparisons without a call. */
__attribute__((always_inline)) static inline bool mxg_same(const char *a, const char *b, size_t len)
{
	uint64_t x[3] = { 0 }, y[3] = { 0 };
	size_t part = len >= 8 ? 8 : len >= 4 ? 4 : 0;
	if (part == 0 || len > 24)
		return memcmp(a, b, len) == 0;
	memcpy(&x[0], a, part);
	memcpy(&y[0], b, part);
	memcpy(&x[1], a + len - part, part);
	memcpy(&y[1], b + len - part, part);
	if (len > 16) {
		memcpy(&x[2], a + 8, 8);
		memcpy(&y[2], b + 8, 8);
	}
	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2];
}

__attribute__((always_inline)) static inline bool mxg_begins(const char *at, const char *end, const char *with,
							     size_t len)
{
	return (size_t)(end - at) >= len && mxg_same(at, with, len);
}

static inline uint64_t mxg_eight(const char *at)
{
	uint64_t word;
	memcpy(&word, at, sizeof(word));
	return le64toh(word);
}

/* The first `c` in it, or its end. Values are short: a call of memchr(3) for each costs more than they do. */
__attribute__((always_inline)) static inline const char *mxg_find(const char *at, const char *end, char c)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), all = ones * (uint8_t)c;
	for (; end - at >= 8; at += 8) {
		uint64_t word = mxg_eight(at) ^ all, zero = (word - ones) & ~word & ones << 7;
		if (zero != 0)
			return at + __builtin_ctzll(zero) / 8;
	}
	while (at < end && *at != c)
		at++;
	return at;
}

#endif
