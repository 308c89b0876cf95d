/* SPDX-License-Identifier: MIT */
#ifndef MXG_SERVICE_H
#define MXG_SERVICE_H

#include <stddef.h>

#include "decider.h"
#include "listener.h"

/*
 * One process, one loop: listeners, connections, signals, and the resolver's sockets.
 * SIGTERM and SIGINT: who has connected already is let in and answered, then it returns.
 * SIGHUP: the configuration is read again.
 */
struct mxg_service_options {
	struct mxg_listener *listeners;
	size_t listener_count; /* 0: one connection on stdin and stdout, up to its end */
	size_t max_connections;
	size_t max_per_source;
};

/* Blocks the signals above, so that none is lost before the loop begins. */
int mxg_service_block_signals(void);
/* The exit status, after a message on the log where it is not 0. */
int mxg_service_run(const struct mxg_service_options *options, struct mxg_decider *decider);

#endif
