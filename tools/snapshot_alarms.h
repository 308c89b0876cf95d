/* SPDX-License-Identifier: MIT */
#ifndef MXG_SNAPSHOT_ALARMS_H
#define MXG_SNAPSHOT_ALARMS_H

#include <stdbool.h>

struct mxg_question;
struct mxguard_snapshot;

/* One name of the snapshot at whose answer refresh is alarmed; held: the new answer is not in use. */
typedef void (*mxg_on_alarm)(void *context, const struct mxg_question *question, unsigned alarms, bool held);

/* All of them. False: no memory. Without a snapshot there are none. */
bool mxg_snapshot_alarms_walk(const struct mxguard_snapshot *snapshot, mxg_on_alarm on_alarm, void *context);

#endif
