/* SPDX-License-Identifier: MIT */
#ifndef MXG_FILTER_EVENTS_H
#define MXG_FILTER_EVENTS_H

#include "../service/desk.h"
#include "line.h"
#include "output.h"
#include "session.h"

/* What smtpd says, to the door of its session, and the answers back. */
struct mxg_filter_events {
	struct mxg_desk *desk;
	enum mxguard_place relayed;
	struct mxg_filter_sessions *sessions;
	struct mxg_filter_output *out;
	bool ready; /* the events that we want are registered */
};

void mxg_filter_take_line(struct mxg_filter_events *events, char *text, size_t length);
/* A line that is longer than any of smtpd's: its beginning. The session that it is for, if that can be
 * told, is not to be accepted. */
void mxg_filter_take_broken(struct mxg_filter_events *events, char *text, size_t length);
/* Doors whose wait is over. */
void mxg_filter_take_decisions(struct mxg_filter_events *events);

#endif
