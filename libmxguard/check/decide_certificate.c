/* SPDX-License-Identifier: MIT */
/* Entries that are bound to the client's certificate (docs/design.md, "Certificate condition"). */
#include "check/certificate.h"
#include "check/decide_internal.h"

/* The certificate is that of the connection: of the host behind a relay of ours nothing is known. */
static enum mxg_certificate_result judge(const struct mxguard_check *c, const struct mxg_gateway *gateway,
					 const char **why)
{
	if (c->hop == 0)
		return mxg_certificate_judge(&gateway->certificate, c->certificate, why);
	*why = "the boundary peer stands behind a relay of ours: its certificate is not known here";
	return MXG_CERTIFICATE_NOT_TOLD;
}

/* That a stranger lacks the certificate of an entry that names no address is no news. */
static bool is_worth_telling(const struct mxg_gateway *gateway, enum mxg_certificate_result result)
{
	return gateway->term_count > 0 || result == MXG_CERTIFICATE_NOT_TOLD;
}

bool mxg_pass_certificate(const struct mxguard_check *c, const struct mxg_domain_check *d,
			  const struct mxg_gateway_term *term, struct mxg_pass *p)
{
	const struct mxg_gateway *gateway = mxg_pass_gateway(d, term);
	const char *why;
	enum mxg_certificate_result result = judge(c, gateway, &why);
	if (result == MXG_CERTIFICATE_HOLDS)
		return true;
	if (p->certificate_term == NULL && is_worth_telling(gateway, result)) {
		p->certificate_term = term;
		p->certificate_why = why;
		p->certificate_reason = result == MXG_CERTIFICATE_MISSING ? MXG_REASON_CERTIFICATE_MISSING
									  : MXG_REASON_CERTIFICATE_NOT_TOLD;
	}
	return false;
}

void mxg_pass_tell_certificates(const struct mxguard_check *c, struct mxg_domain_check *d)
{
	struct mxg_text_list *steps = mxg_pass_steps(c, d);
	for (size_t i = 0; steps != NULL && i < d->ruleset->gateway_count; i++) {
		const struct mxg_gateway *gateway = &d->ruleset->gateways[i];
		const char *why;
		if (!gateway->certificate.set)
			continue;
		judge(c, gateway, &why);
		mxg_text_list_add(steps, "%s, certificate: %s", gateway->name, why);
	}
}
