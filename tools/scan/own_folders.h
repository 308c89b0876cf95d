/* SPDX-License-Identifier: MIT */
#ifndef MXG_SCAN_OWN_FOLDERS_H
#define MXG_SCAN_OWN_FOLDERS_H

#include <stdbool.h>

/*
 * Folders of what their owner wrote himself, Sent, Drafts and the like: nobody sent that mail here. They are known by
 * what Dovecot's configuration on this host says (special_use), and by the names that mail programs give them, in
 * their languages.
 */

/* What Dovecot's configuration adds to the usual names; without Dovecot there is nothing to add. */
void mxg_own_folders_ask_dovecot(void);
/* Whether a folder of that name is one: in a Maildir ".Sent" and ".Archive.Sent", else "Sent" or "sent-mail", in UTF-8
 * or as IMAP writes it (RFC 3501 section 5.1.3). */
bool mxg_own_folder(const char *name);

#endif
