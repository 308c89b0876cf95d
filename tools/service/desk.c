/* SPDX-License-Identifier: MIT */
/* A session of the library, and its notices on the log. */
#include "desk.h"

#include <stdlib.h>
#include <sysexits.h>

#include "base/clock.h"
#include "log.h"
#include "metrics/metrics.h"
#include "mxguard.h"

#define MESSAGE_MAX 1024
#define LOG_LINE_MAX 4096

struct mxg_desk {
	struct mxguard_session *session;
	const char *who;
	struct mxg_metrics *metrics;
	bool keep_secrets;
};

static void tell_notices(struct mxg_desk *d)
{
	enum mxguard_level level;
	const char *text;
	while ((text = mxguard_session_notice(d->session, &level)) != NULL) {
		if (level == MXGUARD_LEVEL_ERROR)
			mxg_log_error("mxguard: %s: %s", d->who, text);
		else if (level == MXGUARD_LEVEL_WARNING || level == MXGUARD_LEVEL_REMARK)
			mxg_log_warning("mxguard: %s: %s", d->who, text);
		else
			mxg_log_info("mxguard: %s: %s", d->who, text);
	}
}

struct mxg_desk *mxg_desk_new(const char *config, const char *who, int *status)
{
	char message[MESSAGE_MAX] = "out of memory";
	struct mxg_desk *d = calloc(1, sizeof(*d));
	int result = d == NULL ? MXGUARD_ERROR_NOMEM
			       : mxguard_session_open(&d->session, config, 0, message, sizeof(message));
	if (result == MXGUARD_ERROR_NONE) {
		d->who = who;
		tell_notices(d);
		return d;
	}
	*status = result == MXGUARD_ERROR_NOMEM ? EX_TEMPFAIL : EX_CONFIG;
	mxg_log_error("mxguard: %s: %s", who, message);
	free(d);
	return NULL;
}

void mxg_desk_free(struct mxg_desk *d)
{
	if (d == NULL)
		return;
	mxg_metrics_close(d->metrics);
	mxguard_session_free(d->session);
	free(d);
}

void mxg_desk_reload(struct mxg_desk *d)
{
	mxguard_session_reload(d->session);
	tell_notices(d);
}

int mxg_desk_check(struct mxg_desk *d, struct mxguard_check **check, unsigned flags)
{
	int result = mxguard_session_check(d->session, check, flags);
	tell_notices(d);
	mxg_metrics_observe(d->metrics, d->session);
	return result;
}

int mxg_desk_open_metrics(struct mxg_desk *d, const char *spec)
{
	char message[MESSAGE_MAX];
	if (spec == NULL)
		return 0;
	d->metrics = mxg_metrics_open(d->who, spec, message, sizeof(message));
	if (d->metrics == NULL) {
		mxg_log_error("mxguard: %s: %s", d->who, message);
		return EX_OSERR;
	}
	mxg_metrics_observe(d->metrics, d->session);
	return 0;
}

struct mxg_metrics *mxg_desk_metrics(const struct mxg_desk *d)
{
	return d->metrics;
}

void mxg_desk_decided(const struct mxg_desk *d, const struct mxguard_check *check, size_t index, int64_t began)
{
	char line[LOG_LINE_MAX];
	mxguard_check_log_line(check, index, line, sizeof(line));
	mxg_log_info("%s", line);
	if (d->metrics == NULL)
		return;
	mxg_metrics_decided(d->metrics, check, index, mxg_monotonic_us() - began);
	mxg_metrics_observe(d->metrics, d->session); /* what was asked of DNS meanwhile */
}

void mxg_desk_keep_secrets(struct mxg_desk *d, bool keep)
{
	d->keep_secrets = keep;
}

bool mxg_desk_keeps_secrets(const struct mxg_desk *d)
{
	return d->keep_secrets;
}

struct mxguard_session *mxg_desk_session(const struct mxg_desk *d)
{
	return d->session;
}

const char *mxg_desk_who(const struct mxg_desk *d)
{
	return d->who;
}
