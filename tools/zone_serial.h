/* SPDX-License-Identifier: MIT */
#ifndef MXG_ZONE_SERIAL_H
#define MXG_ZONE_SERIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The serial of the first SOA record in a zone, or of rbldnsd's $SOA. False: there is none. */
bool mxg_zone_serial_read(const char *text, size_t len, uint32_t *serial);
/* One that is newer (RFC 1982): the time, where it is, so that one host's next file is newer than another's last. */
uint32_t mxg_zone_serial_next(uint32_t serial, int64_t now);

#endif
