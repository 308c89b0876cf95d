/* SPDX-License-Identifier: MIT */
#ifndef MXG_PLUGIN_QUARANTINE_H
#define MXG_PLUGIN_QUARANTINE_H

struct mail_user;

/*
 * The name of the mailbox for suspicious mail: the user's special-use \Junk, else `name` in
 * the inbox namespace, created and subscribed where it is missing. It can be opened; without
 * that, the caller must not deliver: Dovecot would fall back to INBOX. Returns 0, or -1 with
 * an error for the log. *mailbox_r lives as long as the user.
 */
int quarantine_open(struct mail_user *user, const char *name, const char **mailbox_r, const char **error_r);

#endif
