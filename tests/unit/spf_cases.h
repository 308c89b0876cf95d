/* SPDX-License-Identifier: MIT */
#ifndef TEST_SPF_CASES_H
#define TEST_SPF_CASES_H

#include "scripted.h"

/* One case: a record at r.test, evaluated by the configured term include:r.test for a
 * recipient in rcpt.test, unless the case says otherwise. */
struct spf_case {
	const char *section; /* of RFC 7208, and what it is about */
	const char *record; /* "" where the zone says all */
	enum mxg_term_result want;
	enum mxg_record_trouble trouble;
	const char *zone; /* more records */
	const char *term, *peer, *sender, *helo;
};

/* Runs them all and fails with a list of those that came out otherwise. Each is also put to the
 * naive evaluator, and evaluated with replies in other orders. Returns their number. */
void spf_cases_run(const struct spf_case *cases, size_t count);

#define YES MXG_TERM_MATCH, MXG_TROUBLE_NONE
#define NO MXG_TERM_NO_MATCH, MXG_TROUBLE_NONE
#define TEMP MXG_TERM_TEMPERROR, MXG_TROUBLE_NONE
#define PERM(trouble) MXG_TERM_PERMERROR, MXG_TROUBLE_##trouble

#endif
