/* SPDX-License-Identifier: MIT */
#ifndef MXG_OVERRIDE_NAMES_H
#define MXG_OVERRIDE_NAMES_H

/* The settings that a front end may say otherwise, for everybody or for one recipient; Dovecot's
 * are named after them. A test holds the table of settings to this list. */
#define MXG_OVERRIDES(X) \
	X(MODE, mode) \
	X(EXEMPT, exempt) \
	X(ON_DIRECT, on_direct) \
	X(ON_DIRECT_QUEUED, on_direct_queued) \
	X(ON_UNKNOWN, on_unknown) \
	X(ON_UNREADABLE, on_unreadable) \
	X(ON_UNTRACED, on_untraced) \
	X(TAG, tag) \
	X(QUARANTINE_MAILBOX, quarantine_mailbox)

#endif
