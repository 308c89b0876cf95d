/* SPDX-License-Identifier: MIT */
/* Dovecot, as doveconf(1) tells: its LMTP ports, and whether the plugin is loaded. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/dovecot.h"
#include "audit/server.h"
#include "doctor/program.h"

static void dovecot_free(void *server)
{
	struct mxg_dovecot *d = server;
	free(d->settings);
	free(d);
}

static enum mxg_guard plugin(const char *config, const char *protocol)
{
	char filter[40];
	snprintf(filter, sizeof(filter), "protocol=%s", protocol);
	char *plugins = mxg_program_dovecot(config, (const char *const[]){ "-f", filter, "-h", "mail_plugins", NULL });
	enum mxg_guard guard = plugins == NULL                      ? MXG_GUARD_UNKNOWN
			       : strstr(plugins, "mxguard") != NULL ? MXG_GUARD_PLUGIN
								    : MXG_GUARD_NONE;
	free(plugins);
	return guard;
}

/* "mxguard_mode = off", for all or for some protocol. */
static enum mxg_guard in_its_mode(enum mxg_guard guard, const char *settings)
{
	static const char off[] = "mxguard_mode = off\n";
	for (const char *at = settings; guard == MXG_GUARD_PLUGIN && (at = strstr(at, off)) != NULL; at++) {
		const char *line = at;
		while (line > settings && line[-1] != '\n')
			line--;
		size_t blanks = strspn(line, " ");
		if (line + blanks == at)
			guard = blanks <= 2 ? MXG_GUARD_NONE : MXG_GUARD_UNKNOWN;
	}
	return guard;
}

static void *dovecot_read(const char *config)
{
	struct mxg_dovecot *d = calloc(1, sizeof(*d));
	if (d == NULL)
		return NULL;
	d->settings = mxg_program_dovecot(config, (const char *const[]){ "-n", NULL });
	if (d->settings == NULL) {
		free(d);
		return NULL;
	}
	d->lmtp = in_its_mode(plugin(config, "lmtp"), d->settings);
	d->lda = in_its_mode(plugin(config, "lda"), d->settings);
	return d;
}

/* ---- service lmtp { inet_listener lmtp { address = …; port = 24 } } -------------------------------- */

struct block {
	const char *listener; /* of which service it is */
	char address[200];
	unsigned port;
};

static bool says(const char *line, const char *name, char *value, size_t size)
{
	size_t len = strlen(name);
	if (strncmp(line, name, len) != 0 || strncmp(line + len, " = ", 3) != 0)
		return false;
	snprintf(value, size, "%.*s", (int)strcspn(line + len + 3, "\n"), line + len + 3);
	return true;
}

static bool covers(const struct block *b, const struct mxg_listener *at)
{
	char *list = strdup(b->address[0] == '\0' ? "*" : b->address), *rest = list, *word;
	struct mxg_address address;
	bool found = false;
	while (list != NULL && (word = strsep(&rest, ", ")) != NULL)
		found |= strcmp(word, "*") == 0 || strcmp(word, "::") == 0 || strcmp(word, "[::]") == 0 ||
			 (mxg_address_parse(&address, word, strlen(word), MXG_ADDRESS_ANY) &&
			  mxg_address_equal(&address, &at->address));
	free(list);
	return found && b->port == at->port;
}

/* Whether one of the LMTP service's listeners is meant. */
static bool is_lmtp(const char *settings, const struct mxg_listener *at)
{
	struct block block = { .port = 0 };
	unsigned depth = 0;
	bool lmtp = false, listener = false;
	for (const char *line = settings; line != NULL; line = strchr(line, '\n'), line += line != NULL) {
		char value[20];
		line += strspn(line, " ");
		size_t len = strcspn(line, "\n");
		if (line[0] == '}') {
			if (listener && covers(&block, at))
				return true;
			listener = false;
			depth -= depth > 0;
		} else if (len > 0 && line[len - 1] == '{') {
			if (depth++ == 0)
				lmtp = strncmp(line, "service lmtp ", 13) == 0;
			listener = lmtp && strncmp(line, "inet_listener", 13) == 0;
			block = (struct block){ .port = 0 };
		} else if (listener && says(line, "port", value, sizeof(value))) {
			block.port = mxg_port_number(value);
		} else if (listener && !says(line, "address", block.address, sizeof(block.address))) {
			says(line, "listen", block.address, sizeof(block.address)); /* 2.4 */
		}
	}
	return false;
}

static enum mxg_door dovecot_door(const void *server, const struct mxg_guards *guards, const struct mxg_listener *at,
				  const char *domain, enum mxg_guard *guard)
{
	const struct mxg_dovecot *d = server;
	(void)guards;
	(void)domain;
	if (is_lmtp(d->settings, at)) {
		*guard = d->lmtp;
		return MXG_DOOR_MAIL;
	}
	/* imap, pop3, submission and sieve want a login */
	return strcmp(at->program, "dovecot") == 0 ? MXG_DOOR_LOGIN : MXG_DOOR_NOT_HERE;
}

static void dovecot_names(const void *server, mxg_guards_text *name, void *to)
{
	(void)server;
	(void)name;
	(void)to;
}

/* "ssl_cert = </etc/ssl/certs/mail.pem", for all or for one name; 2.4: "ssl_server {", "cert_file = …" and "}" */
static void dovecot_certificates(const void *server, mxg_guards_text *file, void *to)
{
	const struct mxg_dovecot *d = server;
	char path[512];
	bool block = false;
	for (const char *line = d->settings; line != NULL; line = strchr(line, '\n'), line += line != NULL) {
		line += strspn(line, " ");
		block = strncmp(line, "ssl_server {", 12) == 0 || (block && line[0] != '}');
		if (says(line, "ssl_cert", path, sizeof(path)) && path[0] == '<')
			file(to, path + 1);
		else if (says(line, "ssl_server_cert_file", path, sizeof(path)) ||
			 (block && (says(line, "cert_file", path, sizeof(path)) ||
				    says(line, "alt_cert_file", path, sizeof(path)))))
			file(to, path);
	}
}

const struct mxg_server_kind mxg_server_dovecot = {
	.program = "dovecot",
	.read = dovecot_read,
	.free = dovecot_free,
	.door = dovecot_door,
	.names = dovecot_names,
	.certificates = dovecot_certificates,
};
