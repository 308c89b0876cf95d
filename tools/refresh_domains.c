/* SPDX-License-Identifier: MIT */
/* The local domains, as refresh walks them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "domain_names.h"
#include "refresh.h"

static int no_memory(void)
{
	fputs("mxguard: out of memory\n", stderr);
	return EX_TEMPFAIL;
}

int mxg_refresh_domains(struct mxg_refresh *run)
{
	struct mxg_domain_names n;
	size_t rulesets = run->policy->ruleset_count;
	int status = mxg_domain_names(&n, run->policy, &run->wrong_lines);
	if (status != 0)
		return status;
	run->domains = calloc(rulesets + n.count, sizeof(*run->domains));
	if (run->domains == NULL) {
		mxg_domain_names_clear(&n);
		return no_memory();
	}
	for (size_t i = 0; i < rulesets; i++)
		run->domains[i] =
			(struct mxg_local_domain){ .name = "", .ruleset = &run->policy->rulesets[i], .shared = true };
	for (size_t i = 0; i < n.count; i++)
		run->domains[rulesets + i] = (struct mxg_local_domain){
			.name = n.items[i], .ruleset = mxg_policy_ruleset(run->policy, n.items[i], strlen(n.items[i]))
		};
	run->domain_count = rulesets + n.count;
	free(n.items); /* the names are the run's now */
	return 0;
}
