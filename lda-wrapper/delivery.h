/* SPDX-License-Identifier: MIT */
#ifndef MXG_LDA_DELIVERY_H
#define MXG_LDA_DELIVERY_H

#include "feeder.h"
#include "input.h"
#include "mxguard.h"
#include "options.h"
#include "spool.h"

/* One message on its way. */
struct mxg_lda_delivery {
	const struct mxg_lda_options *options;
	struct mxguard_session *session;
	struct mxguard_check *check; /* the session's */
	const struct mxg_lda_feeder *feeder;
	struct mxg_lda_input input;
	struct mxg_lda_spool spool;
	bool taken; /* of the message on a pipe, something has been read */
	int64_t deadline; /* for deciding */
};

/* Decides. 0, or an exit status after a message. */
int mxg_lda_decide(struct mxg_lda_delivery *delivery);
/* What is done with the message as a whole: the recipients' actions put together. */
enum mxguard_action mxg_lda_action(const struct mxg_lda_delivery *delivery, size_t *index);
/* Makes standard input what COMMAND is to read. 0, or an exit status after a message. */
int mxg_lda_take(struct mxg_lda_delivery *delivery);

#endif
