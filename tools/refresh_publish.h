/* SPDX-License-Identifier: MIT */
#ifndef MXG_REFRESH_PUBLISH_H
#define MXG_REFRESH_PUBLISH_H

#include "policy/policy.h"
#include "snapshot_file.h"

struct mxg_published {
	const char *file; /* NULL: nothing is to be published */
	struct mxg_snapshot_file facts;
	char error[600]; /* "": it is there */
};

/* What stands in the state directory, whole, for other hosts (docs/design.md, "Fleets"). The caller holds the
 * lock. 0, or an exit status after a message; what was there before stays then. */
int mxg_refresh_publish(const struct mxguard_policy *policy, int folder, struct mxg_published *published);

/* Copies all of it, at most MXG_SNAPSHOT_FILE_MOST bytes. False with errno of what went wrong; *reading:
 * it was the reading. */
bool mxg_snapshot_file_copy(int from, int to, bool *reading);

#define MXG_CHECKSUM_TEXT_MAX (2 * MXG_CHECKSUM_BYTES + 1)
const char *mxg_checksum_text_of(const struct mxg_snapshot_file *facts, char text[MXG_CHECKSUM_TEXT_MAX]);

#endif
