/* SPDX-License-Identifier: MIT */
#ifndef MXG_SESSION_H
#define MXG_SESSION_H

#include <sys/stat.h>

#include "resolver/deciding.h"
#include "resolver/era.h"

/* Shared by session.c (which configuration and snapshot are in force) and session_checks.c (what is
 * decided under them) only. */

#define MXG_NOTICE_MAX 1100

/* The last thing that was to be said about something; nothing piles up where nobody asks. */
struct mxg_notice {
	enum mxguard_level level;
	bool untold;
	char text[MXG_NOTICE_MAX];
};

struct mxguard_session {
	unsigned flags;
	struct mxg_era *eras; /* the newest first */
	struct mxg_era *current; /* NULL: the configuration is wrong, and nothing is decided */
	struct stat mark; /* the file that was read */
	bool wrong; /* what was read last */
	int64_t tried, looked; /* mxg_monotonic_ms(): configuration, snapshot */
	struct mxg_notice configuration, snapshot;
	struct mxg_dns_counts counts; /* over all eras */
	char remark[MXG_NOTICE_MAX];
	char path[];
};

/* Older eras go when their last check has come back. */
void mxg_session_retire(struct mxguard_session *session);
/* What has changed takes effect: before a new transaction. */
void mxg_session_follow(struct mxguard_session *session);

#endif
