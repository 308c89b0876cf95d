/* SPDX-License-Identifier: MIT */
#ifndef MXG_HISTORY_SWEEP_H
#define MXG_HISTORY_SWEEP_H

#include "history_write.h"

/* From records that were seen from one time to another to states of whole answers, one after the other. */
struct mxg_sweep;

/* At most `most` records, `each` of one question; a record that is seen again within `gap` stood all the
 * time. NULL: out of memory. */
struct mxg_sweep *mxg_sweep_new(size_t most, size_t each, int64_t gap);
void mxg_sweep_free(struct mxg_sweep *sweep);
bool mxg_sweep_ok(const struct mxg_sweep *sweep); /* false: memory ran out */
/* The line's one record was seen then. False: there are too many. */
bool mxg_sweep_seen(struct mxg_sweep *sweep, const struct mxg_history_line *line, int64_t first, int64_t last);
/* The line's whole answer stood from its time on. */
bool mxg_sweep_state(struct mxg_sweep *sweep, const struct mxg_history_line *line);
/* What the history has already: what refresh saw itself ends what is imported, and nothing is put twice. */
bool mxg_sweep_known(struct mxg_sweep *sweep, const struct mxg_history *before);
bool mxg_sweep_write(struct mxg_sweep *sweep, const struct mxg_history *before, struct mxg_history_writer *w);
size_t mxg_sweep_names(const struct mxg_sweep *sweep);
size_t mxg_sweep_dropped(const struct mxg_sweep *sweep); /* records for which an answer had no room */

#endif
