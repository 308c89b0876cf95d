/* SPDX-License-Identifier: MIT */
#ifndef MXG_EXIM_CONFIG_H
#define MXG_EXIM_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

/* One value; config NULL: Exim's own. Free(3) it; NULL where there is none. */
char *mxg_exim_setting(const char *config, const char *name);

/* What `exim -bP config` prints, in CONFIG: */

/* The lines of one part, from "begin NAME" to the next one; len 0: there is none. */
const char *mxg_exim_part(const char *config, const char *name, size_t *len);

enum mxg_exim_asks { MXG_EXIM_UNREAD, MXG_EXIM_ASKS_NOT, MXG_EXIM_ASKS_PERHAPS, MXG_EXIM_ASKS };

#define MXG_EXIM_ACLS 2 /* acl_smtp_rcpt and acl_smtp_data, NULL where they are not set */

/* Whether one of the ACLs asks mxguard, or another one that does. One that is expanded, or stands in a file of its
 * own, may do so. */
enum mxg_exim_asks mxg_exim_asks(const char *config, char *const *acls);

/* The names of both; free(3) each. FILE NULL: Exim's own configuration. */
void mxg_exim_acls(const char *file, char *acls[MXG_EXIM_ACLS]);
/* All of it. */
enum mxg_exim_asks mxg_exim_of_file(const char *file);

#endif
