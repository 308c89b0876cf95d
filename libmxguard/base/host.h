/* SPDX-License-Identifier: MIT */
#ifndef MXG_HOST_H
#define MXG_HOST_H

#include "base/address.h"

/* What this host is called and which addresses it has, without asking DNS. */

#define MXG_HOST_NAMES_MOST 4

struct mxg_host_names {
	char names[MXG_HOST_NAMES_MOST][256]; /* lower case; the full one first */
	unsigned count; /* at least 1: "localhost" where the host has no usable name */
};

/* gethostname(2) and the names that /etc/hosts has beside it. */
void mxg_host_names(struct mxg_host_names *out);

/* The interfaces' addresses without loopback (127.0.0.0/8, ::1) and link-local ones,
 * malloc'd; false, with errno, where the system does not tell or memory ran out. */
bool mxg_host_addresses(struct mxg_address **out, size_t *count);

#endif
