/* SPDX-License-Identifier: MIT */
/* Postfix, as postconf(1) tells. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/server.h"
#include "doctor/program.h"

#define KEY_MOST 300
#define DEPTH_MOST 4 /* transports that hand on to others */

struct postfix {
	char *main, *master, *services; /* postconf -x, -M, -xP */
	char folder[256];
};

/* What the door of one service is asked about. */
struct door {
	const struct postfix *postfix;
	const struct mxg_guards *guards;
	const char *service, *type; /* of master.cf */
};

static void postfix_free(void *server)
{
	struct postfix *p = server;
	free(p->main);
	free(p->master);
	free(p->services);
	free(p);
}

static char *ask(const char *folder, const char *one, const char *two)
{
	return mxg_program_postfix(folder, "postconf", (const char *const[]){ one, two, NULL });
}

static void *postfix_read(const char *config)
{
	struct postfix *p = calloc(1, sizeof(*p));
	if (p == NULL)
		return NULL;
	p->main = ask(config, "-x", NULL);
	p->master = p->main == NULL ? NULL : ask(config, "-M", NULL);
	p->services = p->master == NULL ? NULL : ask(config, "-x", "-P");
	if (p->services == NULL) {
		postfix_free(p);
		return NULL;
	}
	char *folder = mxg_program_setting(p->main, "config_directory");
	snprintf(p->folder, sizeof(p->folder), "%s", folder == NULL ? "" : folder);
	free(folder);
	return p;
}

/* ---- settings ---------------------------------------------------------------------------------- */

/* In memory of its own, "" where it is not set. */
static char *of_main(const struct postfix *p, const char *name)
{
	char *value = mxg_program_setting(p->main, name);
	return value == NULL ? strdup("") : value;
}

static char *of_service(const struct door *d, const char *name)
{
	char key[KEY_MOST];
	snprintf(key, sizeof(key), "%.100s/%.20s/%.150s", d->service, d->type, name);
	char *value = mxg_program_setting(d->postfix->services, key);
	return value == NULL ? of_main(d->postfix, name) : value;
}

/* One word of a list at *at; what stands between braces is one. False at the end. */
static bool next_word(const char **at, const char **word, size_t *len)
{
	*at += strspn(*at, ", \t\n");
	*word = *at;
	if (**at == '{') {
		*len = strcspn(*at, "}");
		*at += *len + ((*at)[*len] == '}');
	} else {
		*len = strcspn(*at, ", \t\n");
		*at += *len;
	}
	return *len > 0;
}

static bool is_word(const char *word, size_t len, const char *text)
{
	return len == strlen(text) && strncasecmp(word, text, len) == 0;
}

/* ---- what is asked at the door ------------------------------------------------------------------- */

enum answer { ANSWER_NOTHING, ANSWER_CLOSED, ANSWER_OURS, ANSWER_PERHAPS };

/* "{ inet:127.0.0.1:10033, timeout=30s }" or the service alone. */
static enum mxg_service service_of(const struct door *d, const char *word, size_t len)
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
static bool is_spawned(const struct postfix *p, const char *word, size_t len)
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

static enum answer answer_of(const struct door *d, const char *word, size_t len, bool open_if_silent)
{
	if (is_spawned(d->postfix, word, len))
		return ANSWER_OURS;
	switch (service_of(d, word, len)) {
	case MXG_SERVICE_OURS:
		return ANSWER_OURS;
	case MXG_SERVICE_SILENT: /* Postfix then defers everything, unless it is told otherwise */
		return open_if_silent ? ANSWER_NOTHING : ANSWER_OURS;
	case MXG_SERVICE_UNKNOWN:
		return ANSWER_PERHAPS;
	case MXG_SERVICE_OTHER:
		break;
	}
	return ANSWER_NOTHING;
}

static bool is_set_to(const struct door *d, const char *name, const char *one, const char *two)
{
	char *value = of_service(d, name);
	size_t len = value == NULL ? 0 : strcspn(value, " ");
	bool is = len > 0 && (is_word(value, len, one) || is_word(value, len, two));
	free(value);
	return is;
}

/* One list of restrictions, as a stranger meets it who writes to a mailbox here. */
static enum answer read_restrictions(const struct door *d, const char *list)
{
	bool open = is_set_to(d, "smtpd_policy_service_default_action", "dunno", "permit");
	const char *word;
	size_t len;
	while (next_word(&list, &word, &len)) {
		if (is_word(word, len, "permit") || is_word(word, len, "permit_auth_destination"))
			return ANSWER_NOTHING;
		if (is_word(word, len, "reject") || is_word(word, len, "defer"))
			return ANSWER_CLOSED;
		if (!is_word(word, len, "check_policy_service") || !next_word(&list, &word, &len))
			continue;
		enum answer answer = answer_of(d, word, len, open);
		if (answer != ANSWER_NOTHING)
			return answer;
	}
	return ANSWER_NOTHING;
}

static enum answer ask_policy(const struct door *d)
{
	static const char *const lists[] = { "smtpd_client_restrictions", "smtpd_helo_restrictions",
					     "smtpd_sender_restrictions", "smtpd_relay_restrictions",
					     "smtpd_recipient_restrictions" };
	enum answer found = ANSWER_NOTHING;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		char *list = of_service(d, lists[i]);
		enum answer answer = list == NULL ? ANSWER_PERHAPS : read_restrictions(d, list);
		free(list);
		if (answer == ANSWER_CLOSED)
			return ANSWER_CLOSED;
		if (answer == ANSWER_OURS || (answer == ANSWER_PERHAPS && found == ANSWER_NOTHING))
			found = answer;
	}
	return found;
}

static enum answer ask_milters(const struct door *d)
{
	bool open = is_set_to(d, "milter_default_action", "accept", "accept");
	char *list = of_service(d, "smtpd_milters"), *maps = of_service(d, "smtpd_milter_maps");
	const char *at = list == NULL ? "" : list, *word;
	enum answer found = maps != NULL && maps[0] == '\0' ? ANSWER_NOTHING : ANSWER_PERHAPS;
	size_t len;
	while (found != ANSWER_OURS && next_word(&at, &word, &len)) {
		enum answer answer = answer_of(d, word, len, open);
		found = answer == ANSWER_NOTHING ? found : answer;
	}
	free(list);
	free(maps);
	return found;
}

/* ---- where mail goes then --------------------------------------------------------------------------- */

static enum mxg_guard transport_guard(const struct door *d, const char *transport, unsigned depth);

static enum mxg_guard setting_guard(const struct door *d, const char *name, unsigned depth)
{
	char *value = of_main(d->postfix, name);
	enum mxg_guard guard = value == NULL ? MXG_GUARD_UNKNOWN : transport_guard(d, value, depth);
	free(value);
	return guard;
}

/* local(8): to another transport, to a command, into a file. */
static enum mxg_guard local_guard(const struct door *d, unsigned depth)
{
	char *transport = of_main(d->postfix, "mailbox_transport"), *command = of_main(d->postfix, "mailbox_command");
	char *maps = of_main(d->postfix, "mailbox_transport_maps");
	enum mxg_guard guard = MXG_GUARD_NONE;
	if (transport == NULL || command == NULL || maps == NULL || maps[0] != '\0')
		guard = MXG_GUARD_UNKNOWN;
	else if (transport[0] != '\0')
		guard = transport_guard(d, transport, depth + 1);
	else if (command[0] != '\0')
		guard = mxg_guards_command(d->guards, command);
	free(transport);
	free(command);
	free(maps);
	return guard;
}

/* "unix:private/dovecot-lmtp", "inet:127.0.0.1:24", "[::1]:24": Dovecot, if it is here. */
static bool is_here(const char *nexthop)
{
	return strncmp(nexthop, "unix:", 5) == 0 || strstr(nexthop, "127.0.0.1") != NULL ||
	       strstr(nexthop, "[::1]") != NULL || strstr(nexthop, "localhost") != NULL;
}

static enum mxg_guard transport_guard(const struct door *d, const char *transport, unsigned depth)
{
	size_t len = strcspn(transport, ": ");
	const char *nexthop = transport[len] == ':' ? transport + len + 1 : "";
	char *rest = d->postfix->master;
	for (const char *line = rest; line != NULL && depth < DEPTH_MOST;
	     line = strchr(line, '\n'), line += line != NULL) {
		char service[101] = "", type[21] = "", command[41] = "";
		if (sscanf(line, "%100s %20s %*s %*s %*s %*s %*s %40s", service, type, command) != 3 ||
		    strlen(service) != len || strncmp(service, transport, len) != 0 || strcmp(type, "unix") != 0)
			continue;
		if (strcmp(command, "lmtp") == 0)
			return is_here(nexthop) ? mxg_guards_dovecot(d->guards, "lmtp") : MXG_GUARD_UNKNOWN;
		if (strcmp(command, "pipe") == 0) {
			char *text = strndup(line, strcspn(line, "\n"));
			enum mxg_guard guard = text == NULL ? MXG_GUARD_UNKNOWN : mxg_guards_command(d->guards, text);
			free(text);
			return guard;
		}
		if (strcmp(command, "local") == 0)
			return local_guard(d, depth);
		return strcmp(command, "virtual") == 0 ? MXG_GUARD_NONE : MXG_GUARD_UNKNOWN;
	}
	return MXG_GUARD_UNKNOWN;
}

/* Whether a list of domains has this one by name, and whether it has tables, which may have it. */
static bool lists(const struct postfix *p, const char *setting, const char *domain, bool *tables)
{
	char *list = of_main(p, setting);
	const char *at = list == NULL ? "" : list, *word;
	bool found = false;
	size_t len;
	*tables = false;
	while (next_word(&at, &word, &len)) {
		*tables |= memchr(word, ':', len) != NULL || word[0] == '/' || domain == NULL;
		found |= domain != NULL && is_word(word, len, domain);
	}
	free(list);
	return found;
}

/* Which class of domains it belongs to (ADDRESS_CLASS_README) says which transport it gets. */
static enum mxg_guard class_guard(const struct door *d, const char *domain)
{
	static const struct {
		const char *domains, *transport;
	} classes[] = { { "mydestination", "local_transport" },
			{ "virtual_mailbox_domains", "virtual_transport" },
			{ "relay_domains", "relay_transport" } };
	enum mxg_guard guard = MXG_GUARD_UNKNOWN;
	bool some = false;
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		bool tables;
		if (lists(d->postfix, classes[i].domains, domain, &tables))
			return setting_guard(d, classes[i].transport, 0);
		if (!tables)
			continue;
		enum mxg_guard other = setting_guard(d, classes[i].transport, 0);
		guard = some ? mxg_guard_either(guard, other) : other;
		some = true;
	}
	return guard;
}

/* transport_maps may send the domain elsewhere: it is only known where everything is the same. */
static enum mxg_guard delivery_guard(const struct door *d, const char *domain)
{
	char *maps = of_main(d->postfix, "transport_maps");
	enum mxg_guard guard = class_guard(d, domain);
	if (maps == NULL || maps[0] != '\0')
		guard = guard == MXG_GUARD_NONE && strstr(d->postfix->master, "mxguard-lda") == NULL &&
					mxg_guards_dovecot(d->guards, "lmtp") == MXG_GUARD_NONE
				? MXG_GUARD_NONE
				: MXG_GUARD_UNKNOWN;
	free(maps);
	return guard;
}

/* ---- the door --------------------------------------------------------------------------------------- */

static enum mxg_door service_door(const struct door *d, const char *domain, enum mxg_guard *guard)
{
	enum answer policy = ask_policy(d), milter = ask_milters(d);
	if (policy == ANSWER_CLOSED)
		return MXG_DOOR_LOGIN;
	*guard = policy == ANSWER_OURS ? MXG_GUARD_POLICY : milter == ANSWER_OURS ? MXG_GUARD_MILTER : MXG_GUARD_NONE;
	if (*guard == MXG_GUARD_NONE)
		*guard = delivery_guard(d, domain);
	if (*guard == MXG_GUARD_NONE && (policy == ANSWER_PERHAPS || milter == ANSWER_PERHAPS))
		*guard = MXG_GUARD_UNKNOWN;
	return MXG_DOOR_MAIL;
}

static enum mxg_door postfix_door(const void *server, const struct mxg_guards *guards, const struct mxg_listener *at,
				  const char *domain, enum mxg_guard *guard)
{
	struct door d = { .postfix = server, .guards = guards };
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
			continue; /* qmqpd, a listener of spawn(8) */
		}
		return service_door(&d, domain, guard);
	}
	return MXG_DOOR_NOT_HERE;
}

static void postfix_names(const void *server, mxg_guards_text *name, void *to)
{
	char *value = of_main(server, "myhostname");
	if (value != NULL && value[0] != '\0')
		name(to, value);
	free(value);
}

static void postfix_certificates(const void *server, mxg_guards_text *file, void *to)
{
	static const char *const settings[] = { "smtpd_tls_cert_file", "smtpd_tls_eccert_file", "smtpd_tls_dcert_file",
						"smtpd_tls_chain_files" };
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		char *value = of_main(server, settings[i]);
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
