/* SPDX-License-Identifier: MIT */
/* Whether the client's certificate is the gateway's. A failure is never a yes: what is not told, of
 * another digest, not verified or in doubt matches nothing. */
#include "check/certificate.h"

#include <string.h>

#include "base/ascii.h"
#include "base/distinguished_name.h"

#define SAY(result, text) (*why = (text), (result))

static bool same(const struct mxg_fingerprint *told, const uint8_t bytes[MXG_FINGERPRINT_BYTES])
{
	return told->kind == MXG_FINGERPRINT_SHA256 && memcmp(told->bytes, bytes, MXG_FINGERPRINT_BYTES) == 0;
}

static bool either(const struct mxg_certificate *told, enum mxg_fingerprint_kind kind)
{
	return told->fingerprint.kind == kind || told->key.kind == kind;
}

static enum mxg_certificate_result judge_fingerprint(const struct mxg_certificate_rule *rule,
						     const struct mxg_certificate *told, const char **why)
{
	if (same(&told->fingerprint, rule->fingerprint) || same(&told->key, rule->fingerprint))
		return MXG_CERTIFICATE_HOLDS;
	if (either(told, MXG_FINGERPRINT_OTHER))
		return SAY(MXG_CERTIFICATE_NOT_TOLD, "the fingerprint is no SHA-256: set smtpd_tls_fingerprint_digest "
						     "= sha256 in Postfix, or its like in another MTA");
	if (either(told, MXG_FINGERPRINT_UNREADABLE))
		return SAY(MXG_CERTIFICATE_NOT_TOLD, "the fingerprint cannot be read");
	if (either(told, MXG_FINGERPRINT_SHA256))
		return SAY(MXG_CERTIFICATE_MISSING, "the client's certificate is another one");
	if (either(told, MXG_FINGERPRINT_NONE))
		return SAY(MXG_CERTIFICATE_MISSING, "the client has shown no certificate, or was not asked for one");
	return SAY(MXG_CERTIFICATE_NOT_TOLD, "this front end is not told the certificate's fingerprint");
}

static bool equal(const char *a, const char *b)
{
	while (*a != '\0' && mxg_ascii_lower(*a) == mxg_ascii_lower(*b)) {
		a++;
		b++;
	}
	return *a == *b;
}

static enum mxg_certificate_result judge_subject(const struct mxg_certificate_rule *rule,
						 const struct mxg_certificate *told, const char **why)
{
	char name[MXG_COMMON_NAME_MAX];
	const char *subject = told->subject;
	if (subject == NULL)
		return SAY(MXG_CERTIFICATE_NOT_TOLD, "this front end is not told the certificate's subject");
	if (subject[0] == '\0' && told->verified)
		return SAY(MXG_CERTIFICATE_MISSING, "the client's certificate has no subject that can be read");
	if (subject[0] == '\0')
		return SAY(MXG_CERTIFICATE_MISSING, "the client has shown no certificate that could be verified");
	if (told->subject_is_dn) {
		if (!mxg_common_name(name, subject))
			return SAY(MXG_CERTIFICATE_MISSING,
				   "the certificate's subject leaves its common name in doubt");
		subject = name;
	}
	if (!equal(subject, rule->subject))
		return SAY(MXG_CERTIFICATE_MISSING, "the certificate's subject is another one");
	return MXG_CERTIFICATE_HOLDS;
}

enum mxg_certificate_result mxg_certificate_judge(const struct mxg_certificate_rule *rule,
						  const struct mxg_certificate *told, const char **why)
{
	enum mxg_certificate_result result = MXG_CERTIFICATE_HOLDS;
	if (told == NULL)
		return SAY(MXG_CERTIFICATE_NOT_TOLD, "this front end is not told the client's certificate");
	if (rule->has_fingerprint)
		result = judge_fingerprint(rule, told, why);
	if (result == MXG_CERTIFICATE_HOLDS && rule->subject != NULL)
		result = judge_subject(rule, told, why);
	if (result != MXG_CERTIFICATE_HOLDS)
		return result;
	/* whoever likes can put any subject into a certificate that nobody has verified */
	if (rule->verified && !told->verified)
		return SAY(MXG_CERTIFICATE_MISSING, "the client's certificate is not verified");
	if (!rule->verified && !rule->has_fingerprint)
		return SAY(MXG_CERTIFICATE_MISSING, "a subject proves nothing without verified = true");
	return SAY(MXG_CERTIFICATE_HOLDS, "the client's certificate is the gateway's");
}
