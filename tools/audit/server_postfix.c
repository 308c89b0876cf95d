/* SPDX-License-Identifier: MIT */
/* Postfix, as postconf(1) tells. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/postfix.h"
#include "doctor/program.h"

#define KEY_MOST 300

static void postfix_free(void *server)
{
	struct mxg_postfix *p = server;
	free(p->main);
	free(p->master);
	free(p->services);
	free(p);
}

static void *postfix_read(const char *config)
{
	struct mxg_postfix *p = calloc(1, sizeof(*p));
	if (p == NULL)
		return NULL;
	p->main = mxg_program_postconf(config, "-x", NULL);
	p->master = p->main == NULL ? NULL : mxg_program_postconf(config, "-M", NULL);
	p->services = p->master == NULL ? NULL : mxg_program_postconf(config, "-x", "-P");
	if (p->services == NULL) {
		postfix_free(p);
		return NULL;
	}
	return p;
}

/* ---- settings ---------------------------------------------------------------------------------- */

char *mxg_postfix_main(const struct mxg_postfix *p, const char *name)
{
	char *value = mxg_program_setting(p->main, name);
	return value == NULL ? strdup("") : value;
}

static char *of_service(const struct mxg_postfix_door *d, const char *name)
{
	char key[KEY_MOST];
	snprintf(key, sizeof(key), "%.100s/%.20s/%.150s", d->service, d->type, name);
	char *value = mxg_program_setting(d->postfix->services, key);
	return value == NULL ? mxg_postfix_main(d->postfix, name) : value;
}

bool mxg_postfix_is_word(const char *word, size_t len, const char *text)
{
	return len == strlen(text) && strncasecmp(word, text, len) == 0;
}

/* ---- what is asked at the door ------------------------------------------------------------------- */

enum answer { ANSWER_NOTHING, ANSWER_CLOSED, ANSWER_OURS, ANSWER_PERHAPS };

/* "{ inet:127.0.0.1:10033, timeout=30s }" or the service alone. */
static enum mxg_service service_of(const struct mxg_postfix_door *d, const char *word, size_t len)
{
	if (len > 0 && word[0] == '{') {
		word++;
		len--;
	}
	for (; len > 0 && (*word == ' ' || *word == '\t'); word++)
		len--;
	size_t end = 0;
	while (end < len && strchr(", \t}", word[end]) == NULL)
		end++;
	return mxg_guards_service(d->guards, word, end);
}

/* A service of Postfix's own, "unix:private/NAME", whose line in master.cf runs mxguard. */
static bool is_spawned(const struct mxg_postfix *p, const char *word, size_t len)
{
	static const char before[] = "unix:private/";
	const char *at = memmem(word, len, before, sizeof(before) - 1);
	if (at == NULL)
		return false;
	at += sizeof(before) - 1;
	size_t name = 0;
	while (at + name < word + len && strchr(" ,}\t", at[name]) == NULL)
		name++;
	for (const char *line = p->master; line != NULL; line = strchr(line, '\n'), line += line != NULL)
		if (strncmp(line, at, name) == 0 && line[name] == ' ')
			return memmem(line, strcspn(line, "\n"), "mxguard", 7) != NULL;
	return false;
}

static enum answer answer_of(const struct mxg_postfix_door *d, const char *word, size_t len, bool open_if_silent)
{
	bool own_action = memmem(word, len, "default_action", 14) != NULL;
	if (is_spawned(d->postfix, word, len))
		return ANSWER_OURS;
	switch (service_of(d, word, len)) {
	case MXG_SERVICE_OURS:
		return (own_action || open_if_silent) && mxg_guards_socket_is_silent(word, len) ? ANSWER_PERHAPS
												: ANSWER_OURS;
	case MXG_SERVICE_SILENT:
		if (own_action)
			return ANSWER_PERHAPS;
		/* Postfix then defers everything, unless it is told otherwise */
		return open_if_silent ? ANSWER_NOTHING : ANSWER_OURS;
	case MXG_SERVICE_UNKNOWN:
		return ANSWER_PERHAPS;
	case MXG_SERVICE_OTHER:
		break;
	}
	return ANSWER_NOTHING;
}

static bool is_set_to(const struct mxg_postfix_door *d, const char *name, const char *text)
{
	char *value = of_service(d, name);
	size_t len = value == NULL ? 0 : strcspn(value, " ");
	bool is = len > 0 && mxg_postfix_is_word(value, len, text);
	free(value);
	return is;
}

/* What Postfix does where the service does not answer: with all but these it lets in. */
static bool is_open_if_silent(const struct mxg_postfix_door *d)
{
	static const char *const closed[] = { "reject", "defer", "defer_if_permit" };
	char *value = of_service(d, "smtpd_policy_service_default_action");
	size_t len = value == NULL ? 0 : strcspn(value, " \t");
	bool open = len == 0 || !(len == 3 && (value[0] == '4' || value[0] == '5'));
	for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++)
		open &= len == 0 || !mxg_postfix_is_word(value, len, closed[i]);
	free(value);
	return open;
}

/* What may let in whom a reject behind it would not. */
static bool may_permit(const char *word, size_t len)
{
	static const char before[] = "check_", after[] = "_access";
	const size_t own = sizeof(before) - 1, end = sizeof(after) - 1;
	return mxg_postfix_is_word(word, len, "permit_mx_backup") ||
	       mxg_postfix_is_word(word, len, "permit_dnswl_client") ||
	       mxg_postfix_is_word(word, len, "permit_rhswl_client") ||
	       (len > own + end && strncasecmp(word, before, own) == 0 &&
		strncasecmp(word + len - end, after, end) == 0);
}

/* One list of restrictions, as a stranger meets it who writes to a mailbox here. */
static enum answer read_restrictions(const struct mxg_postfix_door *d, const char *list)
{
	bool open = is_open_if_silent(d), perhaps = false, warns = false;
	const char *word;
	size_t len;
	while (mxg_program_word(&list, &word, &len)) {
		bool only_warns = warns;
		warns = mxg_postfix_is_word(word, len, "warn_if_reject");
		perhaps |= may_permit(word, len);
		if (mxg_postfix_is_word(word, len, "permit") ||
		    mxg_postfix_is_word(word, len, "permit_auth_destination"))
			return ANSWER_NOTHING;
		if (!only_warns &&
		    (mxg_postfix_is_word(word, len, "reject") || mxg_postfix_is_word(word, len, "defer")))
			return perhaps ? ANSWER_PERHAPS : ANSWER_CLOSED;
		if (!mxg_postfix_is_word(word, len, "check_policy_service") || !mxg_program_word(&list, &word, &len) ||
		    only_warns)
			continue;
		enum answer answer = answer_of(d, word, len, open);
		if (answer != ANSWER_NOTHING)
			return answer;
	}
	return ANSWER_NOTHING;
}

static enum answer ask_policy(const struct mxg_postfix_door *d)
{
	static const char *const lists[] = { "smtpd_client_restrictions", "smtpd_helo_restrictions",
					     "smtpd_sender_restrictions", "smtpd_relay_restrictions",
					     "smtpd_recipient_restrictions" };
	enum { BEFORE_RCPT = 3 }; /* of these, unless smtpd_delay_reject has them wait */
	enum answer found = ANSWER_NOTHING;
	bool early = is_set_to(d, "smtpd_delay_reject", "no");
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		char *list = of_service(d, lists[i]);
		enum answer answer = list == NULL ? ANSWER_PERHAPS : read_restrictions(d, list);
		free(list);
		if (early && i < BEFORE_RCPT && answer == ANSWER_OURS)
			continue; /* there is no recipient yet that it could say something about */
		if (answer == ANSWER_CLOSED)
			return ANSWER_CLOSED;
		if (answer == ANSWER_OURS || (answer == ANSWER_PERHAPS && found == ANSWER_NOTHING))
			found = answer;
	}
	return found;
}

static enum answer ask_milters(const struct mxg_postfix_door *d)
{
	bool open = is_set_to(d, "milter_default_action", "accept");
	char *list = of_service(d, "smtpd_milters"), *maps = of_service(d, "smtpd_milter_maps");
	const char *at = list == NULL ? "" : list, *word;
	/* clients that the maps have meet those milters, and none of the list */
	enum answer found = maps != NULL && maps[0] == '\0' ? ANSWER_NOTHING : ANSWER_PERHAPS;
	size_t len;
	bool mapped = found == ANSWER_PERHAPS;
	while (!mapped && found != ANSWER_OURS && mxg_program_word(&at, &word, &len)) {
		enum answer answer = answer_of(d, word, len, open);
		found = answer == ANSWER_NOTHING ? found : answer;
	}
	free(list);
	free(maps);
	return found;
}

/* ---- the door --------------------------------------------------------------------------------------- */

static enum mxg_door service_door(const struct mxg_postfix_door *d, const char *domain, enum mxg_guard *guard)
{
	enum answer policy = ask_policy(d), milter = ask_milters(d);
	if (policy == ANSWER_CLOSED || !mxg_postfix_serves(d->postfix, domain))
		return MXG_DOOR_LOGIN;
	*guard = policy == ANSWER_OURS ? MXG_GUARD_POLICY : milter == ANSWER_OURS ? MXG_GUARD_MILTER : MXG_GUARD_NONE;
	if (*guard == MXG_GUARD_NONE)
		*guard = mxg_postfix_delivery(d, domain);
	if (*guard == MXG_GUARD_NONE && (policy == ANSWER_PERHAPS || milter == ANSWER_PERHAPS))
		*guard = MXG_GUARD_UNKNOWN;
	return MXG_DOOR_MAIL;
}

static enum mxg_door postfix_door(const void *server, const struct mxg_guards *guards, const struct mxg_listener *at,
				  const char *domain, enum mxg_guard *guard)
{
	struct mxg_postfix_door d = { .postfix = server, .guards = guards };
	enum mxg_door door = MXG_DOOR_NOT_HERE;
	for (const char *line = d.postfix->master; line != NULL; line = strchr(line, '\n'), line += line != NULL) {
		char service[101] = "", type[21] = "", command[41] = "";
		if (sscanf(line, "%100s %20s %*s %*s %*s %*s %*s %40s", service, type, command) != 3 ||
		    strcmp(type, "inet") != 0 || !mxg_listener_is(at, service))
			continue;
		d.service = service;
		d.type = type;
		if (strcmp(command, "postscreen") == 0) { /* which hands on to that one */
			d.service = "smtpd";
			d.type = "pass";
		} else if (strcmp(command, "smtpd") != 0) {
			door = MXG_DOOR_LOGIN; /* qmqpd, a listener of spawn(8) */
			continue;
		}
		return service_door(&d, domain, guard);
	}
	return door;
}

static void postfix_names(const void *server, mxg_guards_text *name, void *to)
{
	char *value = mxg_postfix_main(server, "myhostname");
	if (value != NULL && value[0] != '\0')
		name(to, value);
	free(value);
}

static void postfix_certificates(const void *server, mxg_guards_text *file, void *to)
{
	static const char *const settings[] = { "smtpd_tls_cert_file", "smtpd_tls_eccert_file", "smtpd_tls_dcert_file",
						"smtpd_tls_chain_files" };
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		char *value = mxg_postfix_main(server, settings[i]);
		if (value != NULL)
			mxg_program_words(value, file, to);
		free(value);
	}
}

const struct mxg_server_kind mxg_server_postfix = {
	.program = "postfix",
	.read = postfix_read,
	.free = postfix_free,
	.door = postfix_door,
	.names = postfix_names,
	.certificates = postfix_certificates,
};
