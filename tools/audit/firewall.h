/* SPDX-License-Identifier: MIT */
#ifndef MXG_FIREWALL_H
#define MXG_FIREWALL_H

#include <stdbool.h>

/* The table of nftables that `mxguard export nftables` fills; free(3) it. NULL: there is none, or it cannot
 * be asked for. */
char *mxg_firewall_read(void);
/* Whether it lets none but gateways to that port. Only rules that are fully understood count. */
bool mxg_firewall_guards(const char *table, int family, unsigned port);

#endif
