/* SPDX-License-Identifier: MIT */
#ifndef MXG_LDA_REPORT_H
#define MXG_LDA_REPORT_H

#include "options.h"

/*
 * What the MTA is told: nothing at all on success; else one line on standard output whose first
 * bytes are an RFC 3463 status code (pipe(8) reads it from there), and an exit status. The same
 * goes to the log.
 */
void mxg_lda_log_open(const struct mxg_lda_options *options);
void mxg_lda_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
void mxg_lda_log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "STATUS mxguard-lda: message"; returns EX_TEMPFAIL, the only status that every MTA takes for
 * temporary. */
int mxg_lda_defer(const char *status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The text of a decision; returns exit_status. */
int mxg_lda_reply(int exit_status, const char *status, const char *text);

#endif
