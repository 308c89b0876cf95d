/* SPDX-License-Identifier: MIT */
#ifndef MXG_PLUGIN_TRAP_H
#define MXG_PLUGIN_TRAP_H

#include "transaction.h"

/* RCPT: whether the refusal waits for the message, since a copy of it is wanted. The answer does not
 * depend on the trap's state. */
bool trap_waits(const struct transaction *t, const struct recipient *r);
/* DATA: keeps a copy where one is wanted. Whatever becomes of it, the stream stands where it stood,
 * and replies stay what they are. */
void trap_keep(struct transaction *t, struct istream *input);

#endif
