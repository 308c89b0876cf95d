/* SPDX-License-Identifier: MIT */
#ifndef MXG_ADMIT_H
#define MXG_ADMIT_H

#include "clients.h"
#include "moment.h"
#include "service.h"
#include "wait_set.h"

/* Shared by service.c (the loop) and admit.c (who is let in) only. */
struct mxg_service {
	const struct mxg_service_options *options;
	struct mxg_decider *decider;
	struct mxg_clients clients;
	struct mxg_wait_set set;
	int signals;
	struct mxg_connection *plain; /* stdin that is a pipe or a file: polled by itself, since epoll(7) takes
				       * no files, and tells a pipe's end over and over */
	struct pollfd *polled;
	size_t polled_room;
	size_t most; /* connections at work or half-way, since memory was given back */
	int64_t paused_until; /* 0: the listeners are watched */
	int64_t stopped, stop_by; /* 0: not stopping */
	int64_t crowded_told, source_told, late_told;
};

void mxg_service_drop(struct mxg_service *service, struct mxg_connection *connection);
/* False: no memory, and the descriptors are the caller's still. */
bool mxg_service_add(struct mxg_service *service, int in, int out, bool is_socket, struct mxg_source *source);

void mxg_admit_watch(struct mxg_service *service, bool on);
/* Whether this source has to wait until something that it has asked is answered. */
bool mxg_admit_is_full(struct mxg_service *service, const struct mxg_source *source);
/* Those that wait at this listener, as far as there is room. */
void mxg_admit_some(struct mxg_service *service, int listener);
/* After a pause. */
void mxg_admit_resume(struct mxg_service *service);
/* From now on nobody new; those who wait already are let in by mxg_admit_rest(), in every turn. */
void mxg_admit_stop(struct mxg_service *service);
void mxg_admit_rest(struct mxg_service *service);

#endif
