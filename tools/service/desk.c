/* SPDX-License-Identifier: MIT */
/* A session of the library, and its notices on the log. */
#include "desk.h"

#include <stdlib.h>
#include <sysexits.h>

#include "log.h"
#include "mxguard.h"

#define MESSAGE_MAX 1024

struct mxg_desk {
	struct mxguard_session *session;
	const char *who;
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
	return result;
}

struct mxguard_session *mxg_desk_session(const struct mxg_desk *d)
{
	return d->session;
}

const char *mxg_desk_who(const struct mxg_desk *d)
{
	return d->who;
}
