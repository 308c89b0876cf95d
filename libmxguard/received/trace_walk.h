/* SPDX-License-Identifier: MIT */
#ifndef MXG_TRACE_WALK_H
#define MXG_TRACE_WALK_H

#include "received/trace.h"

/* Between trace_feed.c, which takes the fields out of the header, and trace.c, which judges. */
void mxg_trace_take_end(struct mxg_trace *t); /* the header has ended */
void mxg_trace_take_trouble(struct mxg_trace *t, enum mxg_trace_outcome outcome,
			    enum mxg_trace_reason reason); /* unless there is an answer already */

#endif
