/* SPDX-License-Identifier: MIT */
#ifndef MXG_LISTENER_H
#define MXG_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define MXG_LISTENERS_MAX 16

struct mxg_listener {
	int fd;
	bool inherited; /* others hold it, too, and it outlives us */
	const char *path; /* a unix socket that we made and remove again; else NULL */
	dev_t device;
	ino_t inode;
};

/* --listen: "unix:/path", "inet:127.0.0.1:port" or "inet6:[::1]:port"; loopback only. 0, or -1
 * with a message of what is wrong. spec must live as long as the listener. */
int mxg_listener_open(struct mxg_listener *listener, const char *spec, char *message, size_t size);

/* Sockets that systemd passes (sd_listen_fds(3): LISTEN_PID, LISTEN_FDS). How many, or -1 with
 * a message. Takes the variables out of the environment. */
int mxg_listener_inherit(struct mxg_listener *listeners, size_t count, char *message, size_t size);

/* Nobody new gets into the queue of a socket that we have made; those who are in it can be accepted
 * still. An inherited one is closed: whoever waits there waits for the next of us. */
void mxg_listener_refuse(struct mxg_listener *listener);
void mxg_listener_close(struct mxg_listener *listener);

#endif
