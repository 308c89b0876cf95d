/* SPDX-License-Identifier: MIT */
#ifndef MXG_SCAN_RECIPIENT_H
#define MXG_SCAN_RECIPIENT_H

#include <stddef.h>

#define MXG_SCAN_RECIPIENT_MAX 320

/* Who the message was for, written into buf; NULL: no field tells. */
const char *mxg_scan_recipient(const char *header, size_t len, char buf[MXG_SCAN_RECIPIENT_MAX]);

#endif
