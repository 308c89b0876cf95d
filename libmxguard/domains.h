/* SPDX-License-Identifier: MIT */
#ifndef MXG_DOMAINS_H
#define MXG_DOMAINS_H
#include <stddef.h>
int mxg_domains_find(const char *path, const char *domain, size_t len);
#endif
