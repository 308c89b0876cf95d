/* SPDX-License-Identifier: MIT */
#ifndef MXG_EXPORT_ZONE_H
#define MXG_EXPORT_ZONE_H

#include "export_format.h"

#define MXG_ZONE_SERVERS_MOST 8
#define MXG_ZONE_NAME_MOST 189 /* before it 32 nibbles with their dots, in 253 characters */

/* What a zone says of itself. */
struct mxg_export_zone {
	const char *origin; /* NULL: names are relative to whatever zone the server makes of the file */
	const char *servers[MXG_ZONE_SERVERS_MOST];
	size_t server_count;
	const char *hostmaster;
	const char *ttl_text;
	uint32_t ttl, serial;
};

/* Its options, checked and with their defaults; false after a message. */
bool mxg_export_zone_complete(struct mxg_export_zone *zone, const char *command, const char *hostname);

/* Addresses as `exists:%{ir}.ZONE` asks for them; each is a write() of an export format. */
bool mxg_export_zone(const struct mxg_export *what, FILE *to);
bool mxg_export_rbldnsd(const struct mxg_export *what, FILE *to);

#endif
