/* SPDX-License-Identifier: MIT */
/* Where Postfix takes a domain's mail, and what guards it there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/postfix.h"
#include "doctor/program.h"

#define DEPTH_MOST 4 /* transports that hand on to others */

static enum mxg_guard transport_guard(const struct mxg_postfix_door *d, const char *transport, unsigned depth);

static enum mxg_guard setting_guard(const struct mxg_postfix_door *d, const char *name, unsigned depth)
{
	char *value = mxg_postfix_main(d->postfix, name);
	enum mxg_guard guard = value == NULL ? MXG_GUARD_UNKNOWN : transport_guard(d, value, depth);
	free(value);
	return guard;
}

/* local(8): to another transport, to a command, into a file. */
static enum mxg_guard local_guard(const struct mxg_postfix_door *d, unsigned depth)
{
	char *transport = mxg_postfix_main(d->postfix, "mailbox_transport"),
	     *command = mxg_postfix_main(d->postfix, "mailbox_command");
	char *maps = mxg_postfix_main(d->postfix, "mailbox_transport_maps");
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

static enum mxg_guard transport_guard(const struct mxg_postfix_door *d, const char *transport, unsigned depth)
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

/* Whether those below a name of the list are meant, too. */
static bool with_subdomains(const struct mxg_postfix *p, const char *setting)
{
	char *settings = mxg_postfix_main(p, "parent_domain_matches_subdomains");
	const char *at = settings == NULL ? "" : settings, *word;
	bool found = false;
	size_t len;
	/* Postfix asks the list only for this one of the three classes */
	while (strcmp(setting, "relay_domains") == 0 && mxg_program_word(&at, &word, &len))
		found |= mxg_postfix_is_word(word, len, setting);
	free(settings);
	return found;
}

static bool is_below(const char *domain, const char *word, size_t len)
{
	size_t own = strlen(domain);
	return own > len && domain[own - len - 1] == '.' && strncasecmp(domain + own - len, word, len) == 0;
}

/* Whether a list of domains has this one by name, and whether it has tables, which may have it. */
static bool lists(const struct mxg_postfix *p, const char *setting, const char *domain, bool *tables)
{
	char *list = mxg_postfix_main(p, setting);
	const char *at = list == NULL ? "" : list, *word;
	bool found = false, below = with_subdomains(p, setting);
	size_t len;
	*tables = false;
	while (mxg_program_word(&at, &word, &len)) {
		*tables |= memchr(word, ':', len) != NULL || word[0] == '/' || domain == NULL;
		found |= domain != NULL &&
			 (mxg_postfix_is_word(word, len, domain) || (below && is_below(domain, word, len)));
	}
	free(list);
	return found;
}

/* Which class of domains it belongs to (ADDRESS_CLASS_README) says which transport it gets. */
static enum mxg_guard class_guard(const struct mxg_postfix_door *d, const char *domain)
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

bool mxg_postfix_serves(const struct mxg_postfix *p, const char *domain)
{
	static const char *const settings[] = { "mydestination", "virtual_mailbox_domains", "virtual_alias_domains",
						"relay_domains" };
	bool tables;
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (lists(p, settings[i], domain, &tables) || tables)
			return true;
	return false;
}

/* transport_maps may send the domain elsewhere: it is only known where everything is the same. */
enum mxg_guard mxg_postfix_delivery(const struct mxg_postfix_door *d, const char *domain)
{
	char *maps = mxg_postfix_main(d->postfix, "transport_maps");
	enum mxg_guard guard = class_guard(d, domain);
	if (maps == NULL || maps[0] != '\0')
		guard = guard == MXG_GUARD_NONE && strstr(d->postfix->master, "mxguard-lda") == NULL &&
					mxg_guards_dovecot(d->guards, "lmtp") == MXG_GUARD_NONE
				? MXG_GUARD_NONE
				: MXG_GUARD_UNKNOWN;
	free(maps);
	return guard;
}
