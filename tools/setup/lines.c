/* SPDX-License-Identifier: MIT */
/* What the MTA and Dovecot need, in the words of those that are here. */
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "doctor/program.h"
#include "load.h"
#include "setup.h"
#include "text.h"
#include "exim_acl_text.h" /* data/exim.acl as it is */

#define SHELL_PATH_MAX (4 * PATH_MAX + 3)
#define POLICY "check_policy_service { inet:127.0.0.1:10033, timeout=30s }"

/* ---- Postfix -------------------------------------------------------------------------------- */

static bool is_word(const char *at, size_t len, const char *text)
{
	return len == strlen(text) && strncasecmp(at, text, len) == 0;
}

/* The first word that decides about recipients of ours, too: nothing behind it is asked. What only warns does not
 * reject, and the warning belongs to the word behind it. */
static const char *decided(const char *list)
{
	const char *warning = NULL, *word;
	size_t len;
	while (mxg_program_word(&list, &word, &len)) {
		if (is_word(word, len, "permit") || is_word(word, len, "permit_auth_destination"))
			return warning != NULL ? warning : word;
		if (warning == NULL && (is_word(word, len, "reject") || is_word(word, len, "defer")))
			return word;
		warning = is_word(word, len, "warn_if_reject") ? word : NULL;
	}
	return NULL;
}

/* Behind what decides whether the recipient is ours at all: nobody is asked about others. */
static const char *behind_foreign(const char *list)
{
	const char *word;
	size_t len;
	while (mxg_program_word(&list, &word, &len))
		if (is_word(word, len, "reject_unauth_destination"))
			return list;
	return NULL;
}

static void print_restrictions(const char *now, FILE *to)
{
	const char *at = now == NULL ? NULL : behind_foreign(now), *end = now == NULL ? NULL : decided(now);
	if (now == NULL || now[0] == '\0')
		fputs("smtpd_recipient_restrictions = permit_mynetworks, permit_sasl_authenticated, "
		      "reject_unauth_destination, " POLICY "\n",
		      to);
	else if (at != NULL && (end == NULL || at < end))
		fprintf(to, "smtpd_recipient_restrictions = %.*s, " POLICY "%s\n", (int)(at - now), now, at);
	else if (end != NULL)
		fprintf(to, "smtpd_recipient_restrictions = %.*s" POLICY ", %s\n", (int)(end - now), now, end);
	else
		fprintf(to, "smtpd_recipient_restrictions = %s, " POLICY "\n", now);
}

bool mxg_setup_postfix_lines(const struct mxg_setup *s, FILE *to)
{
	/* others' services, such as postgrey, are asked so, too */
	bool asks = s->restrictions != NULL && strstr(s->restrictions, "check_policy_service") != NULL &&
		    (strstr(s->restrictions, ":10033") != NULL || strstr(s->restrictions, "mxguard") != NULL);
	if (!s->has_postfix || (asks && s->login_written))
		return false;
	if (!asks)
		print_restrictions(s->restrictions, to);
	if (!s->login_written)
		fputs("smtpd_sasl_authenticated_header = yes\n", to);
	return true;
}

/* ---- Exim ------------------------------------------------------------------------------------ */

bool mxg_setup_exim_lines(const struct mxg_setup *s, FILE *to)
{
	if (!s->has_exim || s->exim_asks)
		return false;
	fwrite(mxg_exim_acl_text, 1, sizeof(mxg_exim_acl_text), to);
	return true;
}

bool mxg_setup_exim_macro(const struct mxg_setup *s, FILE *to)
{
	if (!s->has_exim || s->exim_asks || s->exim_place == MXG_EXIM_PLACE_ACL)
		return false;
	fputs("CHECK_RCPT_LOCAL_ACL_FILE = /etc/exim4/mxguard.acl\n", to);
	return true;
}

/* ---- Dovecot --------------------------------------------------------------------------------- */

/* Not a line more than is needed: on 2.4 one that names a setting of ours keeps all of Dovecot from starting
 * once the settings module is gone. */
bool mxg_setup_dovecot_lines(const struct mxg_setup *s, FILE *to)
{
	bool elsewhere = strcmp(s->options->config, MXG_DEFAULT_CONFIG) != 0;
	if (s->dovecot == 0 || s->plugin_loaded)
		return false;
	if (s->dovecot >= 204)
		fputs("protocol lmtp {\n  mail_plugins {\n    mxguard = yes\n  }\n}\n", to);
	else
		fputs("protocol lmtp {\n  mail_plugins = $mail_plugins mxguard\n}\n", to);
	if (elsewhere && s->dovecot >= 204)
		fprintf(to, "mxguard_config = %s\n", s->options->config);
	else if (elsewhere)
		fprintf(to, "plugin {\n  mxguard_config = %s\n}\n", s->options->config);
	return true;
}

/* ---- what comes then --------------------------------------------------------------------------- */

void mxg_setup_move_away(const char *path, FILE *to, const char *after)
{
	char word[SHELL_PATH_MAX], before[SHELL_PATH_MAX], kept[PATH_MAX];
	snprintf(kept, sizeof(kept), "%s.before", path);
	fprintf(to, "mv -n %s %s%s", mxg_shell_word(word, sizeof(word), path),
		mxg_shell_word(before, sizeof(before), kept), after);
}

/* As systemd.syntax(7) and systemd.service(5) want it: it takes %, $ and the backslash for more than they are. */
static void quote_for_systemd(char *out, size_t size, const char *text)
{
	size_t at = 0;
	out[at++] = '"';
	for (const unsigned char *c = (const unsigned char *)text; *c != '\0' && at + 6 < size; c++) {
		if (*c == '%' || *c == '$')
			out[at++] = (char)*c;
		if (*c == '"' || *c == '\\')
			out[at++] = '\\';
		if (*c < ' ')
			at += (size_t)snprintf(out + at, 5, "\\x%02x", *c);
		else
			out[at++] = (char)*c;
	}
	snprintf(out + at, 2, "\"");
}

/* The unit reads the usual file. */
static void print_drop_in(const char *unit, const char *command, const char *path, FILE *to)
{
	char config[4 * PATH_MAX + 8], line[4 * PATH_MAX + 64], word[MXG_SHELL_WORD_MAX(sizeof(line))];
	quote_for_systemd(config, sizeof(config), path);
	snprintf(line, sizeof(line), "ExecStart=mxguard %s -c %s", command, config);
	fprintf(to, "mkdir -p /etc/systemd/system/%s.service.d\n", unit);
	fprintf(to,
		"printf '%%s\\n' '[Unit]' ConditionPathExists= '[Service]' ExecStart= %s "
		"> /etc/systemd/system/%s.service.d/config.conf\n",
		mxg_shell_word(word, sizeof(word), line), unit);
}

static bool is_hidden_from_units(const char *path)
{
	static const char *const folders[] = { "/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/" };
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (strncmp(path, folders[i], strlen(folders[i])) == 0)
			return true;
	return false;
}

static void print_units(const struct mxg_setup *s, bool elsewhere, FILE *to)
{
	const char *path = s->options->config;
	bool policy = s->has_postfix || s->has_exim;
	if (elsewhere && is_hidden_from_units(path))
		fputs("# the units see nothing in /home, /root and /tmp: take a file in another folder for them\n", to);
	if (elsewhere)
		print_drop_in("mxguard-refresh", "refresh --due --quiet", path, to);
	if (elsewhere && policy)
		print_drop_in("mxguard-policy", "policy", path, to);
	if (elsewhere)
		fputs("systemctl daemon-reload\n", to);
	fprintf(to, "systemctl enable --now mxguard-refresh.timer%s\n", policy ? " mxguard-policy.socket" : "");
}

void mxg_setup_next(const struct mxg_setup *s, bool written, FILE *to)
{
	const char *path = s->options->config, *option = strcmp(path, MXG_DEFAULT_CONFIG) != 0 ? " -c " : "";
	char word[SHELL_PATH_MAX];
	const char *config = option[0] == '\0' ? "" : mxg_shell_word(word, sizeof(word), path);
	struct stat there;
	if (!written && lstat(path, &there) == 0)
		mxg_setup_move_away(path, to, "    # it is there already; if you wrote it, compare the two\n");
	if (!written)
		fprintf(to, "mxguard setup --write%s%s\n", option, config);
	if (s->domains.count == 0)
		fprintf(to, "editor %s    # domains: nothing here names them, and refresh would ask for none\n",
			option[0] == '\0' ? path : config);
	fprintf(to, "mxguard refresh%s%s\n", option, config);
	print_units(s, option[0] != '\0', to);
	fprintf(to, "mxguard doctor%s%s\n", option, config);
}
