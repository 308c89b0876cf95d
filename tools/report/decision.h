/* SPDX-License-Identifier: MIT */
#ifndef MXG_REPORT_DECISION_H
#define MXG_REPORT_DECISION_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

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

static inline uint64_t mxg_eight(const char *at)
{
	uint64_t word;
	memcpy(&word, at, sizeof(word));
	return le64toh(word);
}

static inline uint32_t mxg_four(const char *at)
{
	uint32_t word;
	memcpy(&word, at, sizeof(word));
	return le32toh(word);
}

/* Of words whose length is known when this is compiled, up to 24: a few comparisons in registers, without a call. */
__attribute__((always_inline)) static inline bool mxg_same(const char *a, const char *b, size_t len)
{
	if (len >= 8 && len <= 24)
		return ((mxg_eight(a) ^ mxg_eight(b)) | (mxg_eight(a + len - 8) ^ mxg_eight(b + len - 8)) |
			(len > 16 ? mxg_eight(a + 8) ^ mxg_eight(b + 8) : 0)) == 0;
	if (len >= 4 && len < 8)
		return ((mxg_four(a) ^ mxg_four(b)) | (mxg_four(a + len - 4) ^ mxg_four(b + len - 4))) == 0;
	return memcmp(a, b, len) == 0;
}

__attribute__((always_inline)) static inline bool mxg_begins(const char *at, const char *end, const char *with,
							     size_t len)
{
	return (size_t)(end - at) >= len && mxg_same(at, with, len);
}

/* Whether `c` is among the eight, and where; none: 8 or more. */
__attribute__((always_inline)) static inline size_t mxg_find_in_eight(const char *at, char c)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t word = mxg_eight(at) ^ ones * (uint8_t)c, zeros = (word - ones) & ~word & ones << 7;
	return zeros == 0 ? 8 : (size_t)__builtin_ctzll(zeros) / 8;
}

/* The first `c` in it, or its end. Values are short: a call of memchr(3) for each costs more than they do. */
__attribute__((always_inline)) static inline const char *mxg_find(const char *at, const char *end, char c)
{
#ifdef __SSE2__
	const __m128i all = _mm_set1_epi8(c);
	for (; end - at >= 16; at += 16) {
		__m128i same = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)at), all);
		int which = _mm_movemask_epi8(same);
		if (which != 0)
			return at + __builtin_ctz((unsigned)which);
	}
#endif
	for (size_t n; end - at >= 8; at += 8)
		if ((n = mxg_find_in_eight(at, c)) < 8)
			return at + n;
	while (at < end && *at != c)
		at++;
	return at;
}

#endif
