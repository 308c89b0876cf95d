/* SPDX-License-Identifier: MIT */
#ifndef MXG_LISTENERS_H
#define MXG_LISTENERS_H

#include <limits.h>

#include "audit/self.h"

/* TCP sockets of this host that take connections. */
struct mxg_listener {
	struct mxg_address address; /* family 0: any address of */
	bool any4, any6; /* … these families */
	unsigned port;
	unsigned long inode; /* 0: not known; then neither is who has it */
	char program[64]; /* "master", "exim4"; "": not known */
	char config[256]; /* which configuration its command line names; "": the usual one */
	bool elsewhere; /* it runs in a container, whose files are not this host's */
};

struct mxg_listeners {
	struct mxg_listener *items;
	size_t count;
};

/*
 * listeners_netlink.c asks the kernel; listeners_connect.c, for systems without sock_diag(7), tries the
 * ports that mail comes to. False, with errno: it could not be found out.
 */
bool mxg_listeners_read(struct mxg_listeners *out, const struct mxg_self *self);
void mxg_listeners_clear(struct mxg_listeners *listeners);
/* Whether what comes to that address comes there. */
bool mxg_listener_answers(const struct mxg_listener *listener, const struct mxg_self *self,
			  const struct mxg_address *address);

bool mxg_listeners_add(struct mxg_listeners *listeners, const struct mxg_listener *listener); /* for the two */
/* Finds out who has them, where the system tells (owner.c). */
void mxg_listeners_owners(struct mxg_listeners *listeners);

#endif
