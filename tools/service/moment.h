/* SPDX-License-Identifier: MIT */
#ifndef MXG_MOMENT_H
#define MXG_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

/* Whether something that is said over and over may be said again; *told remembers when it was. */
bool mxg_moment_may_tell(int64_t *told);

#endif
