/* SPDX-License-Identifier: MIT */
/* Exim, as exim -bP tells. */
#include <stdlib.h>
#include <string.h>

#include "audit/server.h"
#include "doctor/exim_config.h"
#include "doctor/program.h"

struct exim {
	char *config, *ports, *name, *certificate;
	char *acls[MXG_EXIM_ACLS];
};

static void exim_free(void *server)
{
	struct exim *e = server;
	free(e->config);
	free(e->ports);
	free(e->name);
	free(e->certificate);
	free(e->acls[0]);
	free(e->acls[1]);
	free(e);
}

static void *exim_read(const char *config)
{
	struct exim *e = calloc(1, sizeof(*e));
	if (e == NULL)
		return NULL;
	e->config = mxg_program_exim(config, "config");
	if (e->config == NULL) {
		free(e);
		return NULL;
	}
	e->ports = mxg_exim_setting(config, "daemon_smtp_ports");
	e->name = mxg_exim_setting(config, "primary_hostname");
	e->certificate = mxg_exim_setting(config, "tls_certificate");
	mxg_exim_acls(config, e->acls);
	return e;
}

static bool has_port(const struct exim *e, unsigned port)
{
	char *list = strdup(e->ports == NULL || e->ports[0] == '\0' ? "smtp" : e->ports), *rest = list, *word;
	bool found = false;
	while (list != NULL && (word = strsep(&rest, ": \t")) != NULL)
		found |= mxg_port_number(word) == port;
	free(list);
	return found;
}

/* ---- its configuration ---------------------------------------------------------------------------- */

static bool has(const char *text, size_t len, const char *what)
{
	return memmem(text, len, what, strlen(what)) != NULL;
}

/* What one transport does; false where it delivers nothing here. */
static bool transport_guard(const struct mxg_guards *guards, const char *text, size_t len, enum mxg_guard *guard)
{
	static const char *const forwarded[] = { "address_file:", "address_directory:", "address_pipe:",
						 "address_reply:" };
	for (size_t i = 0; i < sizeof(forwarded) / sizeof(forwarded[0]); i++)
		if (strncmp(text, forwarded[i], strlen(forwarded[i])) == 0)
			return false; /* what a user's own .forward asks for */
	if (has(text, len, "mxguard-lda")) {
		*guard = MXG_GUARD_WRAPPER;
	} else if (has(text, len, "driver = lmtp") || has(text, len, "protocol = lmtp")) {
		*guard = mxg_guards_dovecot(guards, "lmtp");
	} else if (has(text, len, "driver = pipe")) {
		char *line = strndup(text, len);
		*guard = line == NULL ? MXG_GUARD_UNKNOWN : mxg_guards_command(guards, line);
		free(line);
	} else if (has(text, len, "driver = appendfile")) {
		*guard = MXG_GUARD_NONE;
	} else {
		return false;
	}
	return true;
}

/* Which of them gets a domain's mail, routers decide at run time. */
static enum mxg_guard delivery_guard(const struct exim *e, const struct mxg_guards *guards)
{
	size_t len;
	const char *text = mxg_exim_part(e->config, "transports", &len), *end = text + len;
	enum mxg_guard guard = MXG_GUARD_UNKNOWN, other;
	bool some = false;
	while (text < end) {
		const char *next = text;
		do { /* a transport's own lines are indented */
			next = memchr(next, '\n', (size_t)(end - next));
			next = next == NULL ? end : next + 1;
		} while (next < end && (*next == ' ' || *next == '\t' || *next == '\n' || *next == '#'));
		if (transport_guard(guards, text, (size_t)(next - text), &other)) {
			guard = some ? mxg_guard_either(guard, other) : other;
			some = true;
		}
		text = next;
	}
	return guard;
}

static enum mxg_door exim_door(const void *server, const struct mxg_guards *guards, const struct mxg_listener *at,
			       const char *domain, enum mxg_guard *guard)
{
	const struct exim *e = server;
	(void)domain;
	if (!has_port(e, at->port))
		return MXG_DOOR_NOT_HERE;
	enum mxg_exim_asks asks = mxg_exim_asks(e->config, e->acls);
	*guard = asks == MXG_EXIM_ASKS ? MXG_GUARD_POLICY : delivery_guard(e, guards);
	if (*guard == MXG_GUARD_NONE && asks == MXG_EXIM_ASKS_PERHAPS)
		*guard = MXG_GUARD_UNKNOWN;
	return MXG_DOOR_MAIL;
}

static void exim_names(const void *server, mxg_guards_text *name, void *to)
{
	const struct exim *e = server;
	if (e->name != NULL && e->name[0] != '\0')
		name(to, e->name);
}

static void exim_certificates(const void *server, mxg_guards_text *file, void *to)
{
	const struct exim *e = server;
	if (e->certificate != NULL && e->certificate[0] == '/' && strchr(e->certificate, '$') == NULL)
		file(to, e->certificate);
}

const struct mxg_server_kind mxg_server_exim = {
	.program = "exim",
	.read = exim_read,
	.free = exim_free,
	.door = exim_door,
	.names = exim_names,
	.certificates = exim_certificates,
};
