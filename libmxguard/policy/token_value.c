/* SPDX-License-Identifier: MIT */
/* `header`: the second condition of a gateway whose addresses others share. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "policy/build.h"
#include "base/trusted_file.h"

#define FIELD_MOST 76u
#define VALUE_MOST 800u
#define FILE_MOST 4096u

/* The field is removed before delivery: none that a message needs may be named. */
static bool is_common_field(const char *name)
{
	static const char *const common[] = {
		"Authentication-Results",
		"Bcc",
		"Cc",
		"Date",
		"Delivered-To",
		"DKIM-Signature",
		"From",
		"In-Reply-To",
		"Message-ID",
		"MIME-Version",
		"Received",
		"References",
		"Reply-To",
		"Return-Path",
		"Sender",
		"Subject",
		"To",
	};
	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++)
		if (strcasecmp(common[i], name) == 0)
			return true;
	return strncasecmp(name, "Content-", 8) == 0 || strncasecmp(name, "ARC-", 4) == 0;
}

/* RFC 5322 §2.2 */
static bool is_field_name(const char *name)
{
	size_t len = strlen(name);
	for (size_t i = 0; i < len; i++)
		if (name[i] <= ' ' || name[i] > '~' || name[i] == ':')
			return false;
	return len > 0 && len <= FIELD_MOST;
}

static bool is_value(const char *value, size_t len)
{
	if (len == 0 || len > VALUE_MOST || value[0] == ' ' || value[len - 1] == ' ')
		return false;
	for (size_t i = 0; i < len; i++)
		if (value[i] < ' ' || value[i] > '~')
			return false;
	return true;
}

static bool keep_value(struct mxg_policy_build *b, struct mxg_token *token, const char *value, size_t len)
{
	token->value = mxg_build_copy(b, value, len);
	token->value_len = len;
	return token->value != NULL;
}

static bool may_not_read(int result)
{
	return result != MXGUARD_ERROR_NONE && (errno == EACCES || errno == EPERM);
}

/* A service that runs as nobody in particular is given the file by systemd, under the same name
 * (LoadCredential=, systemd.exec(5)). */
static int read_credential(const char *path, char **text, size_t *len, char why[MXG_TRUSTED_WHY_MAX])
{
	const char *folder = secure_getenv("CREDENTIALS_DIRECTORY"), *slash = strrchr(path, '/');
	char own[PATH_MAX];
	int n = folder == NULL ? -1 : snprintf(own, sizeof(own), "%s/%s", folder, slash == NULL ? path : slash + 1);
	if (n > 0 && (size_t)n < sizeof(own) &&
	    mxg_trusted_read(own, MXG_TRUSTED_SECRET, FILE_MOST, 0, text, len, why) == MXGUARD_ERROR_NONE)
		return MXGUARD_ERROR_NONE;
	errno = EACCES;
	return MXGUARD_ERROR_IO;
}

static bool read_value(struct mxg_policy_build *b, struct mxg_token *token, const config_setting_t *setting)
{
	char why[MXG_TRUSTED_WHY_MAX], *text = NULL;
	size_t len = 0;
	int result = mxg_trusted_read(token->value_file, MXG_TRUSTED_SECRET, FILE_MOST, 0, &text, &len, why);
	if (may_not_read(result))
		result = read_credential(token->value_file, &text, &len, why);
	if (result == MXGUARD_ERROR_NOMEM)
		return mxg_build_no_memory(b);
	if (may_not_read(result))
		return true; /* another uid may: who needs the value and has it not, leaves it to him, or defers */
	if (result != MXGUARD_ERROR_NONE)
		return mxg_build_fail(b, setting, "\"%s\": %s", token->value_file, why);
	if (len > 0 && text[len - 1] == '\n')
		len--;
	if (len > 0 && text[len - 1] == '\r')
		len--;
	bool good = is_value(text, len)
			    ? keep_value(b, token, text, len)
			    : mxg_build_fail(b, setting,
					     "\"%s\": found a content that no header field can hold; expected one "
					     "line of 1 to %u printable ASCII characters",
					     token->value_file, VALUE_MOST);
	free(text);
	return good;
}

static bool take_name(struct mxg_policy_build *b, struct mxg_token *token, const config_setting_t *setting)
{
	static const char expected[] = "a header field of its own, such as \"X-Gateway-Token\"";
	const char *name = mxg_build_string(b, setting, expected);
	if (name == NULL)
		return false;
	if (!is_field_name(name) || is_common_field(name))
		return mxg_build_unexpected(b, setting, expected);
	token->field = mxg_build_copy(b, name, strlen(name));
	return token->field != NULL;
}

static bool take_value(struct mxg_policy_build *b, struct mxg_token *token, const config_setting_t *setting)
{
	const char *value = mxg_build_string(b, setting, "1 to 800 printable ASCII characters");
	if (value == NULL)
		return false;
	if (!is_value(value, strlen(value))) /* a secret is not shown */
		return mxg_build_fail(b, setting,
				      "found a value that no header field can hold; expected 1 to %u printable "
				      "ASCII characters",
				      VALUE_MOST);
	return keep_value(b, token, value, strlen(value));
}

bool mxg_take_token(struct mxg_policy_build *b, struct mxg_token *token, const config_setting_t *setting)
{
	if (config_setting_type(setting) != CONFIG_TYPE_GROUP)
		return mxg_build_unexpected(b, setting,
					    "a group such as { name = \"X-Gateway-Token\"; value_file = \"...\"; }");
	if (!mxg_settings_know(b, setting, MXG_PLACE_HEADER))
		return false;
	const config_setting_t *name = config_setting_get_member(setting, "name");
	const config_setting_t *value = config_setting_get_member(setting, "value");
	const config_setting_t *file = config_setting_get_member(setting, "value_file");
	if (name == NULL)
		return mxg_build_fail(b, setting, "found no name; expected the header field's name");
	if ((value == NULL) == (file == NULL))
		return mxg_build_fail(b, setting, "found %s; expected one of value and value_file",
				      value == NULL ? "neither value nor value_file" : "both value and value_file");
	if (!take_name(b, token, name))
		return false;
	if (value != NULL)
		return take_value(b, token, value);
	return mxg_take_path(b, NULL, &token->value_file, file) && read_value(b, token, file);
}
