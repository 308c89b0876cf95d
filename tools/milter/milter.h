/* SPDX-License-Identifier: MIT */
#ifndef MXG_MILTER_H
#define MXG_MILTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "../service/listener.h"
#include "shared_desk.h"

/* libmilter has one of everything in a process, and so have we. */
struct mxg_milter {
	struct mxg_listener *listener;
	enum mxguard_place relayed; /* what internal peers are */
	bool quarantine; /* by the MTA, where it has one; else the field alone tells */
	long max_connections;
	struct mxg_shared_desk shared;
	atomic_long connections, transactions; /* under way */
	int real, idle; /* what the listener's number stands for: our socket, or one that nobody knows */
	bool paused;
	int64_t exhausted; /* when there was no descriptor left; 0: never */
	int64_t crowded_told, exhausted_told;
};

/* callbacks.c: what libmilter calls. False after a message on the log. */
bool mxg_milter_register(struct mxg_milter *milter);

/* Until SIGTERM. The exit status, after a message on the log where it is not 0. Takes the desk over. */
int mxg_milter_run(struct mxg_milter *milter, struct mxg_desk *desk);

/* Blocks the signals that belong to the main thread, before there is another one. */
bool mxg_milter_block_signals(void);

#endif
