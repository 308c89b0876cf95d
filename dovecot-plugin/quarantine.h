/* SPDX-License-Identifier: MIT */
#ifndef MXG_PLUGIN_QUARANTINE_H
#define MXG_PLUGIN_QUARANTINE_H

#include "dovecot-compat.h"
#include "mail-deliver.h"

struct quarantine_box {
	const char *name; /* as the user sees it */
	const char *error; /* why it cannot be used */
	enum mail_error cause;
};

/*
 * The user's mailbox for suspicious mail: the special-use Junk; where none exists, the one that
 * is configured as such; where none is configured, `name`. The last two are made and subscribed
 * where they are missing. 0, or -1 with an error: then the message is not to be delivered at all.
 */
int quarantine_open(struct mail_user *user, const char *name, struct quarantine_box *box_r);
void quarantine_complain(struct event *event, const struct quarantine_box *box);

/*
 * What the deliver hook `next` (or NULL) and Dovecot's own delivery do with a message whose
 * default mailbox is the user's one for suspicious mail, but for Dovecot's last resort: what
 * cannot be saved there is deferred. To be returned by the outermost deliver hook.
 */
int quarantine_deliver(struct mail_deliver_context *ctx, deliver_mail_func_t *next, struct mail_storage **storage_r);

/* Between the two, every delivery is one of those. */
void quarantine_begin(void);
void quarantine_end(void);

#endif
