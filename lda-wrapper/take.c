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

static int to_nowhere(void *to, const char *bytes, size_t len)
{
	return 0;
}

static int failed(const char *doing)
{
	const char *status = errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? "4.3.1" : "4.3.0";
	return mxg_lda_defer(status, "%s: %s", doing, strerror(errno));
}

static int copy_rest(struct mxg_lda_delivery *d, struct mxg_lda_rewrite *rewrite, char *piece)
{
	ssize_t n;
	while ((n = mxg_lda_input_read(&d->input, piece, PIECE)) > 0)
		if (mxg_lda_rewrite_feed(rewrite, piece, (size_t)n) != 0)
			return failed("the message cannot be kept");
	if (n < 0)
		return failed("reading the message");
	if (!d->input.is_file && !mxg_lda_feeder_lives(d->feeder))
		return mxg_lda_defer("4.3.0", "the MTA ended before the message did%s",
				     d->feeder->lost ? ", or is an init process: --init says which" : "");
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

/* A file needs no copy if nothing in its header has to go. True in doubt. */
static bool head_changes(const struct mxg_lda_delivery *d)
{
	struct mxg_lda_rewrite dry = { .policy = mxguard_session_policy(d->session), .write = to_nowhere };
	bool changes =
		mxg_lda_rewrite_feed(&dry, d->input.head, d->input.head_len) != 0 || (!dry.in_body && !d->input.ended);
	changes |= mxg_lda_rewrite_end(&dry) != 0 || dry.removed > 0;
	mxg_lda_rewrite_free(&dry);
	return changes;
}

int mxg_lda_take(struct mxg_lda_delivery *d)
{
	char tag[TAG_MAX];
	bool tagged = mxguard_check_tag(d->check, MXGUARD_ALL, tag, sizeof(tag)) == 1;
	if (!tagged && !d->taken && d->input.is_file)
		return 0; /* nothing was read, and nothing is to be written */
	if (!tagged && d->input.is_file && !head_changes(d))
		return 0; /* pread(2) has not moved it */
	struct mxg_lda_rewrite rewrite = { .policy = mxguard_session_policy(d->session),
					   .tag = tagged ? tag : NULL,
					   .write = to_spool,
					   .to = &d->spool };
	int status = spool_message(d, &rewrite);
	mxg_lda_rewrite_free(&rewrite);
	return status;
}
