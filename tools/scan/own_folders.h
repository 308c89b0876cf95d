/* SPDX-License-Identifier: MIT */
#ifndef MXG_SCAN_OWN_FOLDERS_H
#define MXG_SCAN_OWN_FOLDERS_H

#include <stdbool.h>

/*
 * Folders of what their owner wrote himself, Sent, Drafts and the like: nobody sent that mail here. They are known by
 * what Dovecot's configuration on this host says (special_use), and by the names that mail programs give them, in
 * their languages.
 */

enum mxg_own {
	MXG_OWN_NO = 0,
	MXG_OWN_YES,
	MXG_OWN_ASK /* its name is no usual one: Dovecot's configuration may know it, and has not been asked yet */
};
/* Whether a folder of that name is one: in a Maildir ".Sent" and ".Archive.Sent", else "Sent" or "sent-mail", in UTF-8
 * or as IMAP writes it (RFC 3501 section 5.1.3). One thread's, as is the next one. */
enum mxg_own mxg_own_folder(const char *name);
/* Asks Dovecot where it must be, once: that takes as long as reading some thousand messages. */
bool mxg_own_folder_for_certain(const char *name);

#endif
