/* SPDX-License-Identifier: MIT */
#ifndef MXG_REFRESH_TELL_H
#define MXG_REFRESH_TELL_H

#include "refresh.h"

/* Warnings on standard error, whatever --quiet says, and on_alarm, before anything takes effect. */
void mxg_refresh_tell(const struct mxg_refresh *run);
void mxg_refresh_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
