/* SPDX-License-Identifier: MIT */
#ifndef MXG_NEAREST_H
#define MXG_NEAREST_H

#include <stddef.h>

/* The known name that is nearest to what was written, by a third of its letters at the most;
 * NULL: none is near. */
const char *mxg_nearest(const char *written, const char *const *known, size_t count);

#endif
