/* SPDX-License-Identifier: MIT */
#ifndef MXG_REFRESH_RECALL_H
#define MXG_REFRESH_RECALL_H

#include <jansson.h>

#include "policy/policy.h"

/* The alarms of a snapshot that another host made, told on this one as a refresh of its own would. */
struct mxg_recall;

/* While the old snapshot still stands: what it tells of is not new. NULL: out of memory. */
struct mxg_recall *mxg_recall_new(const struct mxguard_policy *policy);
/* When the new one stands: warnings, and on_alarm. 0, or an exit status after a message. */
int mxg_recall_tell(struct mxg_recall *recall);
json_t *mxg_recall_json(const struct mxg_recall *recall); /* an array; NULL recall: empty */
void mxg_recall_free(struct mxg_recall *recall);

#endif
