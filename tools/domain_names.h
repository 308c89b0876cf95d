/* SPDX-License-Identifier: MIT */
#ifndef MXG_DOMAIN_NAMES_H
#define MXG_DOMAIN_NAMES_H

#include "name_list.h"
#include "policy/policy.h"

/* The local domains. Each returns 0, or an exit status after a message; *wrong counts lines of domains_file that
 * are none, which are told. */

/* `domains`, and the names of `policies`. */
int mxg_domain_names_configured(struct mxg_names *names, const struct mxguard_policy *policy);
/* EX_DATAERR, without a message: what was read is no list. */
int mxg_domain_names_file(struct mxg_names *names, const char *path, size_t *wrong);
#define MXG_NO_LIST "found fewer domains than lines that are none, or no domain at all"
/* All, with what `domains_command` had printed for the snapshot; sorted, each once. */
int mxg_domain_names(struct mxg_names *out, const struct mxguard_policy *policy, size_t *wrong);

#endif
