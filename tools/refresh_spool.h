/* SPDX-License-Identifier: MIT */
#ifndef MXG_REFRESH_SPOOL_H
#define MXG_REFRESH_SPOOL_H

#include "refresh.h"

/*
 * state_dir/spool: who changes a domain leaves a file there, with domains in it, one a line, or an empty one of the
 * domain's name. It says that they are to be asked at once, not that they are ours: so whoever may write there decides
 * nothing.
 */
#define MXG_SPOOL_FOLDER "spool"

struct mxg_spooled;

struct mxg_spool {
	struct mxg_names domains;
	struct mxg_spooled *files;
	size_t file_count, file_room;
	const char **items; /* the domains once more */
	uint64_t bytes; /* of the files */
	unsigned wrong; /* lines */
};

/* Nothing where there is no such folder. False: out of memory. */
bool mxg_spool_read(struct mxg_spool *spool, int state_dir);
struct mxg_string_list mxg_spool_list(const struct mxg_spool *spool);
/* What was read goes; a file that has been put there since, or written to, stays for the next pass. */
void mxg_spool_done(const struct mxg_spool *spool, int state_dir);
void mxg_spool_free(struct mxg_spool *spool);

#endif
