/* SPDX-License-Identifier: MIT */
#ifndef MXG_COUNTERS_H
#define MXG_COUNTERS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "metrics/exposition.h"
#include "mxguard.h"
#include "resolver/driver.h"

/* Shared by metrics.c (counting) and server.c (telling) only. */

#define MXG_VERDICTS (MXGUARD_VERDICT_UNKNOWN + 1)
#define MXG_ACTIONS (MXGUARD_ACTION_REJECT + 1)
#define MXG_MODES (MXGUARD_MODE_ENFORCE + 1)
#define MXG_REASON_CLASSES 3 /* enum mxg_reason_kind */
#define MXG_BUCKETS 12 /* the last one without a limit */

struct mxg_metrics {
	const char *service;
	double started; /* seconds since the epoch */
	atomic_ullong decided[MXG_VERDICTS][MXG_ACTIONS][MXG_ACTIONS][MXG_MODES][MXG_REASON_CLASSES];
	atomic_ullong buckets[MXG_BUCKETS], microseconds;
	atomic_ullong left, trouble;
	atomic_ullong dns_sent, dns_failed[MXG_DNS_FAILURES];
	const struct mxguard_snapshot *seen; /* the session's thread's: what it has told last */
	pthread_mutex_t lock;
	struct mxguard_snapshot *snapshot; /* under the lock; NULL: none */
	struct mxguard_snapshot *counted; /* the server's: whose alarms these are */
	struct mxg_alarm_count alarms;
	struct mxg_metrics_server *server;
};

void mxg_metrics_tell(struct mxg_metrics *metrics, struct mxg_exposition *out);

/* server.c. 0, or -1 with a message. */
int mxg_metrics_serve(struct mxg_metrics *metrics, const char *spec, char *message, size_t size);
void mxg_metrics_stop(struct mxg_metrics_server *server);

#endif
