/* SPDX-License-Identifier: MIT */
/* Taking the message whole, rewritten where that is due, before COMMAND starts. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deadline.h"
#include "delivery.h"
#include "report.h"
#include "rewrite.h"

#define PIECE 131072
#define TAG_MAX 2048
#define TAKING_FACTOR 10 /* --timeout is for deciding; a large message may take longer to come */

static int to_spool(void *to, const char *bytes, size_t len)
{
	return mxg_lda_spool_write(to, bytes, len);
}

static int failed(const char *doing)
{
	const char *status = errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? "4.3.1" : "4.3.0";
	return mxg_lda_defer(status, "%s: %s", doing, strerror(errno));
}

static int copy_rest(struct mxg_lda_delivery *d, struct mxg_lda_rewrite *rewrite, char *piece)
{
	ssize_t n;
	bool empty = d->input.head_len == 0;
	while ((n = mxg_lda_input_read(&d->input, piece, PIECE)) > 0) {
		if (mxg_lda_rewrite_feed(rewrite, piece, (size_t)n) != 0)
			return failed("the message cannot be kept");
		empty = false;
	}
	if (n < 0)
		return failed("reading the message");
	if (empty && d->feeder->opensmtpd) /* which puts a field into each: the process that writes has died */
		return mxg_lda_defer("4.3.0", "the MTA ended before the message began");
	if (!d->input.is_file && !mxg_lda_feeder_lives(d->feeder))
		return mxg_lda_defer("4.3.0", "the MTA ended before the message did%s",
				     d->feeder->far ? ", or too many programs stand between it and here"
				     : d->feeder->lost && d->options->init != MXG_LDA_INIT_ADOPTS
					     ? ", or is an init process: --init=feeds or --init=adopts tells"
					     : "");
	return mxg_lda_rewrite_end(rewrite) == 0 ? 0 : failed("the message cannot be kept");
}

static int spool_message(struct mxg_lda_delivery *d, struct mxg_lda_rewrite *rewrite)
{
	char *piece = malloc(PIECE);
	if (piece == NULL)
		return failed("the message cannot be read");
	d->input.deadline = mxg_lda_now() + d->options->timeout * 1000 * TAKING_FACTOR;
	int status = 0;
	if (mxg_lda_rewrite_feed(rewrite, d->input.head, d->input.head_len) != 0)
		status = failed("the message cannot be kept");
	if (status == 0)
		status = copy_rest(d, rewrite, piece);
	free(piece);
	if (status == 0 && mxg_lda_spool_to_stdin(&d->spool) != 0)
		status = failed("the message cannot be handed on");
	return status;
}

/* ---- is there anything to rewrite? ----------------------------------------------------------- */

enum look { STAYS, CHANGES, MORE /* these bytes do not tell */ };

static enum look look_at(struct mxguard_filter *filter, const char *bytes, size_t len, bool ended)
{
	size_t used;
	int result = mxguard_filter_feed(filter, bytes, len, &used);
	if (result == MXGUARD_FILTER_RESULT_MORE && ended)
		result = mxguard_filter_end(filter);
	if (result == MXGUARD_FILTER_RESULT_BODY)
		return STAYS;
	return result == MXGUARD_FILTER_RESULT_MORE ? MORE : CHANGES;
}

/* pread(2) does not move it. */
static enum look look_at_file(struct mxg_lda_input *in, struct mxguard_filter *filter)
{
	enum look look = look_at(filter, in->head, in->head_len, in->ended);
	while (look == MORE) {
		size_t before = in->head_len;
		ssize_t n = mxg_lda_input_more_head(in);
		if (n < 0)
			return CHANGES; /* more header than is kept; a fault of the file is found again */
		look = look_at(filter, in->head + before, (size_t)n, n == 0);
	}
	return look;
}

int mxg_lda_take(struct mxg_lda_delivery *d)
{
	char tag[TAG_MAX];
	bool tagged = mxguard_check_tag(d->check, MXGUARD_ALL, tag, sizeof(tag)) == 1;
	struct mxg_lda_rewrite rewrite = { .tag = tagged ? tag : NULL, .write = to_spool, .to = &d->spool };
	int status = mxg_lda_rewrite_begin(&rewrite, mxguard_session_policy(d->session)) == 0
			     ? 0
			     : failed("the message cannot be read");
	if (status == 0 && (tagged || !d->input.is_file || look_at_file(&d->input, rewrite.filter) != STAYS)) {
		mxguard_filter_reset(rewrite.filter);
		status = spool_message(d, &rewrite);
	}
	mxg_lda_rewrite_free(&rewrite);
	return status;
}
