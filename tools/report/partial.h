/* SPDX-License-Identifier: MIT */
#ifndef MXG_REPORT_PARTIAL_H
#define MXG_REPORT_PARTIAL_H

#include "report/beginning.h"
#include "report/state.h"

/* A state as one JSON object, for another host to add up. */
bool mxg_partial_write(const struct mxg_report_state *state, FILE *to);
/* Adds what the file holds. False with why: it is no such object, or damaged. */
bool mxg_partial_read(struct mxg_report_state *into, FILE *from, const char **why);
#define MXG_PARTIAL_BEGINS "{\"mxguard_partial\":"

/* All of them that stand in the stream, one after the other. */
bool mxg_partial_read_all(struct mxg_report_state *into, struct mxg_beginning *beginning, const char **why);

#endif
