/* SPDX-License-Identifier: MIT */
/* Local domains whose MX names this very server: nothing can be skipped there, and a gateway
 * found by `mx` would be everybody. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"
#include "base/host.h"

#define DOMAINS_MAX 50 /* `mxguard refresh` tells of all of them */

static void put_addresses(FILE *text, const struct mxg_address *list, size_t count)
{
	char buf[MXG_ADDRESS_TEXT_MAX];
	for (size_t i = 0; i < count; i++)
		fprintf(text, "%s\"%s\"", i == 0 ? "" : ", ", mxg_address_format(&list[i], buf));
}

/* A policy of one `mx` term: the library itself then says whether the MX is this server. */
static struct mxguard_policy *make_probe(const struct mxg_doctor *d)
{
	char *text = NULL, message[256];
	size_t len = 0, count = 0;
	struct mxg_address *addresses = NULL;
	struct mxguard_policy *probe = NULL;
	FILE *file = open_memstream(&text, &len);
	if (file == NULL)
		return NULL;
	fputs("mode = \"enforce\"; state_dir = \"/nonexistent\"; gateways = ( { name = \"mx\"; allow = \"mx\"; } ); "
	      "self = [ ",
	      file);
	if (d->policy->self.count > 0) {
		for (size_t i = 0; i < d->policy->self.count; i++) {
			char prefix[MXG_PREFIX_TEXT_MAX];
			fprintf(file, "%s\"%s\"", i == 0 ? "" : ", ",
				mxg_prefix_format(&d->policy->self.items[i], prefix));
		}
	} else if (mxg_host_addresses(&addresses, &count)) {
		put_addresses(file, addresses, count);
	}
	fputs(" ];\n", file);
	free(addresses);
	if (fclose(file) == 0)
		mxguard_policy_parse(&probe, text, len, "doctor", 0, message, sizeof(message));
	free(text);
	return probe;
}

struct examined {
	struct mxg_doctor *doctor;
	struct mxguard_policy *probe;
	struct mxguard_resolver *resolver;
};

static void check_domain(struct mxg_doctor *d, struct mxguard_policy *probe, struct mxguard_resolver *resolver,
			 const char *domain)
{
	static const uint8_t nobody[4] = { 192, 0, 0, 8 }; /* RFC 7600: never anybody's gateway */
	struct mxguard_check *check = NULL;
	mxguard_check_new(&check, probe, NULL, 0);
	char address[300];
	if (check == NULL)
		return;
	snprintf(address, sizeof(address), "postmaster-probe@%s", domain);
	if (mxguard_check_set_peer_bytes(check, nobody, sizeof(nobody)) == MXGUARD_ERROR_NONE &&
	    mxguard_check_add_recipient(check, address, NULL) == 0 &&
	    mxguard_resolver_run(resolver, check, -1) == MXGUARD_PROGRESS_DONE) {
		const char *reason = mxguard_check_text(check, 0, MXGUARD_TEXT_REASON);
		if (strcmp(reason, "mx-is-self") == 0)
			mxg_finding_add(&d->findings, MXG_FINDING_WARNING, "mx-is-self",
					"point the MX at the filters alone, or leave the domain out",
					"the MX of %s names this server: no filter stands in front of it", domain);
		else if (mxguard_check_verdict(check, 0) == MXGUARD_VERDICT_UNKNOWN)
			mxg_finding_add(&d->findings, MXG_FINDING_NOTE, "mx", NULL, "the MX of %s: %s", domain,
					strcmp(reason, "no-gateway-published") == 0
						? "it names no host with an address: a term mx authorizes nobody"
						: mxguard_check_text(check, 0, MXGUARD_TEXT_EXPLANATION));
	}
	mxguard_check_free(check);
}

void mxg_doctor_each_domain(const struct mxg_doctor *d, void (*one)(void *to, const char *domain), void *to)
{
	const char *listed;
	size_t seen = 0;
	for (size_t i = 0; i < d->policy->domains.count && seen < DOMAINS_MAX; i++, seen++)
		one(to, d->policy->domains.items[i]);
	for (size_t i = 0; seen < DOMAINS_MAX && (listed = mxg_policy_listed_domain(d->policy, i)) != NULL; i++, seen++)
		one(to, listed);
}

static void probe_domain(void *to, const char *domain)
{
	struct examined *e = to;
	check_domain(e->doctor, e->probe, e->resolver, domain);
}

void mxg_doctor_domains(struct mxg_doctor *d)
{
	if (d->no_dns)
		return;
	struct examined e = { .doctor = d, .probe = make_probe(d) };
	/* the resolver of the real policy: its servers, its time limit */
	mxguard_resolver_new(&e.resolver, d->policy, 0);
	if (e.probe != NULL && e.resolver != NULL)
		mxg_doctor_each_domain(d, probe_domain, &e);
	mxguard_resolver_free(e.resolver);
	mxguard_policy_unref(e.probe);
}
