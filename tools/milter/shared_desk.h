/* SPDX-License-Identifier: MIT */
#ifndef MXG_SHARED_DESK_H
#define MXG_SHARED_DESK_H

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "../door/door.h"
#include "../service/wake.h"

/*
 * One desk for all of libmilter's threads: whoever decides holds the lock, which takes microseconds;
 * who needs DNS waits without it, and the main thread, which turns the resolver, wakes him.
 */
struct mxg_shared_desk {
	pthread_mutex_t lock;
	struct mxg_desk *desk;
	struct mxg_wake wake; /* the main thread has something new to poll */
	struct pollfd *polled;
	size_t room;
	struct sockaddr_storage own; /* where we are asked ourselves */
	socklen_t own_len;
};

/* Who waits; the owner of his door. */
struct mxg_waiter {
	struct mxg_door *door;
	pthread_cond_t ready;
};

/* Takes the desk over, also where it fails. False: no memory, no descriptor. */
bool mxg_shared_desk_init(struct mxg_shared_desk *shared, struct mxg_desk *desk);
void mxg_shared_desk_wake(struct mxg_shared_desk *shared);

bool mxg_waiter_init(struct mxg_waiter *waiter, struct mxg_shared_desk *shared, enum mxguard_place relayed);
void mxg_waiter_end(struct mxg_waiter *waiter, struct mxg_shared_desk *shared);
/* With the lock held, after a step: until the door has its answer. Lets it go meanwhile. */
void mxg_waiter_wait(struct mxg_waiter *waiter, struct mxg_shared_desk *shared, enum mxg_door_step step);

/* The main thread's turn: sleeps until DNS, a wake or a signal comes, `limit_ms` at the most, and wakes
 * those whose wait is over. False: poll(2) fails. */
bool mxg_shared_desk_turn(struct mxg_shared_desk *shared, int limit_ms);

#endif
