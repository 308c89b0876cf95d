/* SPDX-License-Identifier: MIT */
#ifndef MXG_REFRESH_PASS_H
#define MXG_REFRESH_PASS_H

#include <signal.h>

#include "policy/policy.h"

/* One run of `mxguard refresh` that asks. */
struct mxg_pass_options {
	const char *metrics_file, *publish;
	struct mxg_string_list forget, accept, domains;
	bool due, strict, quiet, json, force;
	long concurrency, per_second; /* per_second 0: the configuration's */
	const volatile sig_atomic_t *signalled;
};

/* folder: state_dir, locked. The exit status. */
int mxg_refresh_pass(const struct mxguard_policy *policy, const struct mxg_pass_options *options, int folder);

#endif
