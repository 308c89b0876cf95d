/* SPDX-License-Identifier: MIT */
#ifndef MXG_PLUGIN_CLIENT_H
#define MXG_PLUGIN_CLIENT_H

#include "dovecot-compat.h"

/* False where this process is not lmtp. */
bool client_hook_init(void);
void client_hook_deinit(void);

#endif
