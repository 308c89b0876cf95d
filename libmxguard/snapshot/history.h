/* SPDX-License-Identifier: MIT */
#ifndef MXG_HISTORY_H
#define MXG_HISTORY_H

#include "dns/answers.h"

/*
 * What the names behind the gateways said, and when: state_dir/history, one line a change and name,
 * appended by `mxguard refresh` (docs/history.md). Lines need not stand in the order of their times:
 * what is imported is older than what stands before it. A line that is torn or damaged is passed
 * over and counted.
 */
#define MXG_HISTORY_FILE "history"
#define MXG_HISTORY_LINE_MAX 40960u /* the longest name and MXG_RRSET_MAX bytes of records, escaped */
#define MXG_HISTORY_SIZE_MAX (UINT64_C(4) << 30)

struct mxg_history_line {
	int64_t time; /* from here on … */
	struct mxg_question question;
	enum mxg_answer_kind kind; /* … this is the answer; NONE: nothing is known */
	bool imported, doubtful;
	uint32_t ttl;
	uint16_t count;
	uint32_t size;
	uint8_t data[MXG_RRSET_MAX]; /* as in struct mxg_rrset */
};

/* With checksum and line feed; returns the length, 0 where it does not fit. */
size_t mxg_history_line_write(char *buffer, size_t size, const struct mxg_history_line *line);
/* One line without its line feed. False: damaged. */
bool mxg_history_line_read(struct mxg_history_line *out, const char *text, size_t len);
/* "MX", …: MXG_DNS_A, _AAAA, _MX, _TXT; 0: another. */
uint16_t mxg_history_type(const char *text, size_t len);
/* A name with \DDD for odd bytes, as mxg_name_format() writes it. */
bool mxg_history_name_read(struct mxg_name *out, const char *text, size_t len);
/* A record's text ("192.0.2.1", "10:gw.example", escaped TXT) behind line->data; false: not one, or
 * no room. */
bool mxg_history_value_read(struct mxg_history_line *line, const char *text, size_t len);
struct mxg_answer mxg_history_answer(const struct mxg_history_line *line); /* the data stays the line's */

/* ---- reading ------------------------------------------------------------------------------------ */

struct mxg_history;

/* MXGUARD_ERROR_NONE with an empty one where there is no file. */
int mxg_history_open(struct mxg_history **history, const char *state_dir, char *message, size_t size);
/* Of so many parts one, all lines of a question in the same: the index of all of it may be too large. */
int mxg_history_open_part(struct mxg_history **history, const char *state_dir, unsigned part, unsigned parts,
			  char *message, size_t size);
void mxg_history_free(struct mxg_history *history);
bool mxg_history_is_empty(const struct mxg_history *history);
int64_t mxg_history_begins(const struct mxg_history *history); /* its first time; 0: empty */
size_t mxg_history_lines(const struct mxg_history *history);
size_t mxg_history_damaged(const struct mxg_history *history);

enum mxg_history_cover {
	MXG_HISTORY_ABSENT = 0, /* it has never heard of the question */
	MXG_HISTORY_UNCOVERED, /* … but not for that time */
	MXG_HISTORY_COVERED,
	MXG_HISTORY_NOMEM
};

/* Puts into the table what a snapshot of that time would have held: the answer that stood then, and
 * those that had given way to others in the `back` seconds before. Safe from any number of threads. */
enum mxg_history_cover mxg_history_load(const struct mxg_history *history, struct mxg_answers *answers, int entry,
					int64_t at, int64_t back);
/* The times of the question's lines, ascending, at most `room` of the newest; returns how many. */
size_t mxg_history_times(const struct mxg_history *history, const struct mxg_question *question, int64_t *times,
			 size_t room);
/* A number that is the same for two times between which nothing changes, nor `after` or `settle` seconds
 * have passed since a change. */
size_t mxg_history_stretch(const struct mxg_history *history, int64_t at, int64_t after, int64_t settle);
/* Every line, the oldest first; *at starts at 0. False at the end. */
bool mxg_history_next_by_time(const struct mxg_history *history, size_t *at, struct mxg_history_line *out);

#endif
