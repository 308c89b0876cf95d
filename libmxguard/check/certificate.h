/* SPDX-License-Identifier: MIT */
#ifndef MXG_CERTIFICATE_H
#define MXG_CERTIFICATE_H

#include "base/fingerprint.h"
#include "policy/policy.h"

/*
 * The TLS client certificate: what the front end was told of it, and whether a gateway's condition
 * holds (docs/design.md, "Certificate condition").
 */
struct mxg_certificate {
	const char *subject, *issuer; /* NULL: not told; "": there is none */
	bool subject_is_dn, verified;
	struct mxg_fingerprint fingerprint, key;
};

enum mxg_certificate_result {
	MXG_CERTIFICATE_HOLDS,
	MXG_CERTIFICATE_MISSING, /* there is none, or another, or it proves nothing */
	MXG_CERTIFICATE_NOT_TOLD /* nobody here can tell */
};

/* told NULL: the front end was told nothing. *why: a constant sentence, for steps and log. */
enum mxg_certificate_result mxg_certificate_judge(const struct mxg_certificate_rule *rule,
						  const struct mxg_certificate *told, const char **why);

#endif
