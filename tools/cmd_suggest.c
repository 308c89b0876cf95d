/* SPDX-License-Identifier: MIT */
/* mxguard suggest: from a domain's MX to the entries of `gateways`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/domain_text.h"
#include "commands.h"
#include "json.h"
#include "load.h"
#include "options.h"
#include "suggest/suggest.h"

struct request {
	const char *config, *catalogue;
	bool json;
};

static const struct mxg_option options[] = {
	{ 'c', "config", "FILE",
	  "whose dns.servers, dns.timeout and self count\n(/etc/mxguard/mxguard.conf, if it is there)",
	  .kind = MXG_OPTION_TEXT, .field = offsetof(struct request, config) },
	{ 0, "catalogue", "FILE", "another catalogue of vendors than the installed one", .kind = MXG_OPTION_TEXT,
	  .field = offsetof(struct request, catalogue) },
	{ 0, "json", NULL, "one JSON object a domain, for scripts", .kind = MXG_OPTION_FLAG,
	  .field = offsetof(struct request, json) },
};

const struct mxg_usage usage_suggest = {
	.synopsis = "[-c CONF] [OPTION]… DOMAIN…",
	.about = "Asks for the MX hosts of DOMAIN, says whose filters they are, and prints a block for\n"
		 "mxguard.conf that lets in what these deliver, with its reasons.",
	.options = options,
	.count = sizeof(options) / sizeof(options[0]),
	.after = "Exit status: 0; 75 a domain has no MX, a null MX, or DNS did not answer: there is no block\n"
		 "for it; 64 wrong use; 78 wrong configuration or catalogue.\n"
		 "Example: mxguard suggest example.com",
	.arguments = MXG_ARGUMENTS_OTHER,
};

static int show(const struct request *q, const struct mxg_suggestion *all, size_t count)
{
	int status = 0;
	for (size_t i = 0; i < count; i++) {
		if (q->json && mxg_json_print(mxg_suggestion_json(&all[i])) != 0)
			return EX_TEMPFAIL;
		if (all[i].failed)
			status = EX_TEMPFAIL;
	}
	if (!q->json)
		mxg_suggestions_print(all, count, stdout);
	return status;
}

static int suggest(const struct request *q, struct mxg_suggest *s, char **domains, size_t count)
{
	struct mxg_suggestion *all = calloc(count, sizeof(*all));
	char domain[256];
	if (all == NULL)
		return EX_TEMPFAIL;
	for (size_t i = 0; i < count; i++) {
		mxg_domain_text(domain, domains[i], strlen(domains[i])); /* has been looked at */
		mxg_suggest_domain(s, domain, &all[i]);
	}
	int status = show(q, all, count);
	for (size_t i = 0; i < count; i++)
		mxg_suggestion_clear(&all[i]);
	free(all);
	return status;
}

int cmd_suggest(int argc, char **argv)
{
	struct request q = { 0 };
	struct mxg_suggest s;
	char domain[256];
	int status = mxg_read_options(&usage_suggest, argc, argv, &q);
	if (status != 0)
		return status < 0 ? 0 : status;
	if (optind == argc)
		return mxg_wrong_use(argv[0], "a domain is missing");
	for (int i = optind; i < argc; i++)
		if (mxg_domain_text(domain, argv[i], strlen(argv[i])) != NULL)
			return mxg_wrong_use(argv[0], "'%s' is no domain", argv[i]);
	if (q.config == NULL && access(MXG_DEFAULT_CONFIG, F_OK) == 0)
		q.config = MXG_DEFAULT_CONFIG;
	status = mxg_suggest_open(&s, q.config, q.catalogue);
	if (status == 0)
		status = suggest(&q, &s, argv + optind, (size_t)(argc - optind));
	mxg_suggest_close(&s);
	return status;
}
