/* SPDX-License-Identifier: MIT */
#ifndef MXG_NOTIFY_H
#define MXG_NOTIFY_H

/* sd_notify(3) without the library: "READY=1" and the like; nothing where systemd does not ask
 * for it. */
void mxg_notify(const char *state);

#endif
