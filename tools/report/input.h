/* SPDX-License-Identifier: MIT */
#ifndef MXG_REPORT_INPUT_H
#define MXG_REPORT_INPUT_H

#include <stdatomic.h>

#include "report/seen.h"
#include "report/state.h"
#include "terminal.h"

/* Logs, from wherever they come, into a state. */
struct mxg_report_input {
	struct mxg_report_state *state;
	struct mxg_seen *seen;
	int64_t since, now; /* since 0: all */
	const char *const *domains; /* only these; lower case */
	size_t domain_count;
	atomic_bool *stop;
	struct mxg_progress *progress;
	atomic_ullong bytes; /* that were read */
	bool whole_told; /* that --since and --domain do not reach into partial results */
	bool failed; /* something could not be read; told on stderr */
};

/* "-" is standard input; .gz .xz .zst go through gzip, xz, zstd. A --partial result is added, and what journalctl -o
 * export writes is read. */
void mxg_report_file(struct mxg_report_input *input, const char *path);
void mxg_report_journal(struct mxg_report_input *input);
#define MXG_REPORT_FOLLOWED_MAX 64
/* NULL, or why a file is no log that grows: "is packed". */
const char *mxg_report_cannot_follow(const char *path);
/* Reads on at the ends of files as they grow, and calls `told` once a second, until stopped. */
void mxg_report_follow(struct mxg_report_input *input, char **paths, int count, void (*told)(void *), void *context);
/* What the progress bar may count to. */
uint64_t mxg_report_size(char **paths, int count);

#endif
