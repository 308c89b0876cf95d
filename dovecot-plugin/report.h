/* SPDX-License-Identifier: MIT */
#ifndef MXG_PLUGIN_REPORT_H
#define MXG_PLUGIN_REPORT_H

#include "mxguard.h"

struct event;
struct recipient;
struct transaction;

/* One log line and one event mxguard_decision, once a recipient. */
void report_recipient(struct transaction *t, struct recipient *r);
/* The same for a check outside of LMTP. */
void report_check(const struct mxguard_check *check, size_t index, struct event *parent);
/* What the library has to say of configuration and snapshot. */
void report_notices(struct mxguard_session *session, struct event *event);

#endif
