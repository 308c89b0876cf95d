/* SPDX-License-Identifier: MIT */
/* `certificate`: the TLS client certificate that a gateway shows. */
#include <string.h>

#include "base/distinguished_name.h"
#include "base/fingerprint.h"
#include "policy/build.h"

#define FINGERPRINT "the SHA-256 of a certificate or public key, 64 hexadecimal digits with or without colons"
#define SUBJECT "a common name of 1 to 255 printable bytes, such as \"mail.filter.example\""

static bool take_fingerprint(struct mxg_policy_build *b, struct mxg_certificate_rule *rule,
			     const config_setting_t *setting)
{
	struct mxg_fingerprint fingerprint;
	const char *text = setting == NULL ? "" : mxg_build_string(b, setting, FINGERPRINT);
	if (setting == NULL || text == NULL)
		return setting == NULL;
	mxg_fingerprint_read(&fingerprint, text);
	if (fingerprint.kind == MXG_FINGERPRINT_NONE && text[0] != '\0')
		return mxg_build_fail(b, setting,
				      "found the SHA-256 of nothing, which stands for no certificate at all; "
				      "expected " FINGERPRINT);
	if (fingerprint.kind != MXG_FINGERPRINT_SHA256)
		return mxg_build_unexpected(b, setting, FINGERPRINT);
	memcpy(rule->fingerprint, fingerprint.bytes, sizeof(rule->fingerprint));
	rule->has_fingerprint = true;
	return true;
}

/* A whole distinguished name would never match: names are told apart by their common name. */
static bool is_common_name(const char *text)
{
	char name[MXG_COMMON_NAME_MAX];
	size_t len = strlen(text);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	return len > 0 && len < MXG_COMMON_NAME_MAX && text[0] != '/' && !mxg_common_name(name, text);
}

static bool take_subject(struct mxg_policy_build *b, struct mxg_certificate_rule *rule, const config_setting_t *setting)
{
	const char *text = setting == NULL ? NULL : mxg_build_string(b, setting, SUBJECT);
	if (text == NULL)
		return setting == NULL;
	if (!is_common_name(text))
		return mxg_build_unexpected(b, setting, SUBJECT);
	rule->subject = mxg_build_copy(b, text, strlen(text));
	return rule->subject != NULL;
}

static bool take_verified(struct mxg_policy_build *b, struct mxg_certificate_rule *rule,
			  const config_setting_t *setting)
{
	static const struct mxg_setting row = { .expected = "true or false" };
	return setting == NULL || mxg_take_bool(b, &row, &rule->verified, setting);
}

bool mxg_take_certificate(struct mxg_policy_build *b, struct mxg_certificate_rule *rule,
			  const config_setting_t *setting)
{
	if (config_setting_type(setting) != CONFIG_TYPE_GROUP)
		return mxg_build_unexpected(b, setting, "a group such as { fingerprint = \"...\"; }");
	if (!mxg_settings_know(b, setting, MXG_PLACE_CERTIFICATE))
		return false;
	rule->set = true;
	if (!take_fingerprint(b, rule, config_setting_get_member(setting, "fingerprint")) ||
	    !take_subject(b, rule, config_setting_get_member(setting, "subject")) ||
	    !take_verified(b, rule, config_setting_get_member(setting, "verified")))
		return false;
	if (!rule->has_fingerprint && rule->subject == NULL)
		return mxg_build_fail(b, setting,
				      "found neither fingerprint nor subject; expected one of them: any "
				      "client has some certificate");
	if (!rule->has_fingerprint && !rule->verified)
		mxg_build_warn(b, setting,
			       "whoever likes can put this subject into a certificate of his own, so the entry never "
			       "matches; expected verified = true, or a fingerprint");
	return b->error == MXGUARD_ERROR_NONE;
}
