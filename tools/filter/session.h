/* SPDX-License-Identifier: MIT */
#ifndef MXG_FILTER_SESSION_H
#define MXG_FILTER_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "../door/door.h"
#include "copy.h"
#include "line.h"

/* SMTP sessions of smtpd by their ids, and what each is waiting for. */

enum mxg_filter_stage {
	MXG_FILTER_IDLE = 0, /* no message */
	MXG_FILTER_HEADER, /* its lines are kept */
	MXG_FILTER_UNDECIDED, /* the header is over, and DNS is asked: lines are kept */
	MXG_FILTER_PASSING, /* lines go through as they come */
	MXG_FILTER_REFUSED /* nobody will read them */
};

#define MXG_FILTER_REPLY_MAX 600

struct mxg_filter_session {
	struct mxg_filter_session *next; /* of the same bucket */
	char id[MXG_FILTER_ID_MAX], token[MXG_FILTER_ID_MAX]; /* the token: of the request that waits */
	bool token_first;
	bool waits_for_rcpt;
	bool rcpt_open; /* the last recipient was let in, and smtpd has not said whether it takes it, too */
	struct mxg_door *door;
	/* the message */
	enum mxg_filter_stage stage;
	bool ended; /* the single dot has come */
	char *held; /* lines without their dots, each with LF */
	size_t held_length, held_room;
	size_t header_length; /* of them, once it is over */
	char refusal[MXG_FILTER_REPLY_MAX]; /* for commit; "": none */
	struct mxg_filter_copy *copy; /* for the trap; NULL: none */
};

struct mxg_filter_sessions;

struct mxg_filter_sessions *mxg_filter_sessions_new(void); /* NULL: no memory */
void mxg_filter_sessions_free(struct mxg_filter_sessions *sessions);
/* NULL: there is none. */
struct mxg_filter_session *mxg_filter_sessions_find(struct mxg_filter_sessions *sessions, const char *id);
/* A new one, in place of one of that name. NULL: no memory. */
struct mxg_filter_session *mxg_filter_sessions_add(struct mxg_filter_sessions *sessions, const char *id,
						   struct mxg_desk *desk, enum mxguard_place relayed);
void mxg_filter_sessions_remove(struct mxg_filter_sessions *sessions, const char *id);

#endif
