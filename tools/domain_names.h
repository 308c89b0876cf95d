/* SPDX-License-Identifier: MIT */
#ifndef MXG_DOMAIN_NAMES_H
#define MXG_DOMAIN_NAMES_H

#include "policy/policy.h"

/* The local domains: `domains`, `domains_file`, what `domains_command` had printed for the snapshot, the names of
 * `policies`; sorted, each once. */
struct mxg_domain_names {
	const char **items; /* each malloc'd */
	size_t count, room;
};

/* 0, or an exit status after a message. *wrong: lines of domains_file that are none, which are told. */
int mxg_domain_names(struct mxg_domain_names *out, const struct mxguard_policy *policy, size_t *wrong);
bool mxg_domain_names_add(struct mxg_domain_names *names, const char *name); /* false: out of memory */
void mxg_domain_names_sort(struct mxg_domain_names *names);
bool mxg_domain_names_find(const struct mxg_domain_names *names, const char *name, size_t *index);
void mxg_domain_names_clear(struct mxg_domain_names *names);

#endif
