/* SPDX-License-Identifier: MIT */
#ifndef MXG_PLUGIN_XCLIENT_H
#define MXG_PLUGIN_XCLIENT_H

#include "dovecot-compat.h"

/*
 * Dovecot keeps what an XCLIENT told until another one tells it anew: a LOGIN outlives the client
 * that it belongs to. From here on the server forgets it with the client's address. May be called
 * again.
 */
void xclient_forget_logins(struct smtp_server *server);

#endif
