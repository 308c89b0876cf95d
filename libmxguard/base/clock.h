/* SPDX-License-Identifier: MIT */
#ifndef MXG_CLOCK_H
#define MXG_CLOCK_H

#include <stdint.h>

int64_t mxg_monotonic_us(void);
int64_t mxg_monotonic_ms(void);

#endif
