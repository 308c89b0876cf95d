/* SPDX-License-Identifier: MIT */
#ifndef MXG_CHECK_QUESTIONS_H
#define MXG_CHECK_QUESTIONS_H

#include "dns/message.h"
#include "mxguard.h"

/* A check's questions, for the driver: as the public functions, without the bytes. */

/* NULL: none at present. The check's; stays while it lives. */
const struct mxg_question *mxg_check_next_question(struct mxguard_check *check, size_t *number);
/* A reply, or a failure; parsed and restricted. Takes records.data over by setting it to NULL. */
void mxg_check_take(struct mxguard_check *check, size_t number, struct mxg_reply *reply, int64_t now);
/* The question's name and type, for people; "" where there is none with this number. */
const char *mxg_check_question_text(struct mxguard_check *check, size_t number);

#endif
