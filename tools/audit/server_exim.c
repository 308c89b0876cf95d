/* SPDX-License-Identifier: MIT */
/* Exim, as exim -bP tells. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/server.h"
#include "doctor/program.h"

struct exim {
	char *config, *ports, *name, *certificate;
	char *acls[2]; /* at RCPT and behind DATA */
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

static char *setting(const char *config, const char *name)
{
	char *output = mxg_program_exim(config, name);
	char *value = output == NULL ? NULL : mxg_program_setting(output, name);
	free(output);
	return value;
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
	e->ports = setting(config, "daemon_smtp_ports");
	e->name = setting(config, "primary_hostname");
	e->certificate = setting(config, "tls_certificate");
	e->acls[0] = setting(config, "acl_smtp_rcpt");
	e->acls[1] = setting(config, "acl_smtp_data");
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

/* The lines of one part, from "begin NAME" to the next one; len 0: there is none. */
static const char *part(const char *config, const char *name, size_t *len)
{
	char begin[40];
	int n = snprintf(begin, sizeof(begin), "begin %s\n", name);
	*len = 0;
	for (const char *line = config; line != NULL; line = strchr(line, '\n'), line += line != NULL) {
		if (strncmp(line, begin, (size_t)n) != 0)
			continue;
		const char *end = strstr(line + n, "\nbegin ");
		*len = end == NULL ? strlen(line + n) : (size_t)(end - line - n);
		return line + n;
	}
	return "";
}

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
	const char *text = part(e->config, "transports", &len), *end = text + len;
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

/* ---- ACLs ------------------------------------------------------------------------------------------ */

#define ACL_DEPTH_MOST 8 /* ACLs that ask others */

static size_t word_length(const char *text, const char *end)
{
	size_t len = 0;
	while (text + len < end && (isalnum((unsigned char)text[len]) || text[len] == '_' || text[len] == '-'))
		len++;
	return len;
}

/* "NAME:" at a line's beginning. */
static bool begins_acl(const char *line, const char *end, const char *name, size_t name_len)
{
	line += strspn(line, " \t");
	size_t len = line < end ? word_length(line, end) : 0;
	return len > 0 && line + len < end && line[len] == ':' &&
	       (name == NULL || (len == name_len && memcmp(line, name, len) == 0));
}

static bool acl_asks(const char *text, size_t len, const char *name, size_t name_len, unsigned depth);

/* Behind "acl =" */
static const char *other_acl(const char *line, const char *end)
{
	const char *at = memmem(line, (size_t)(end - line), "acl", 3);
	if (at == NULL || at[3 + strspn(at + 3, " \t")] != '=')
		return NULL;
	at += 4 + strspn(at + 3, " \t");
	return at + strspn(at, " \t");
}

static bool line_asks(const char *text, size_t len, const char *line, const char *end, unsigned depth)
{
	const char *other = other_acl(line, end);
	if (line[strspn(line, " \t")] == '#')
		return false;
	if (has(line, (size_t)(end - line), "mxguard"))
		return true;
	return other != NULL && depth > 0 && acl_asks(text, len, other, word_length(other, end), depth - 1);
}

/* Whether the ACL of that name asks mxguard, or another one that does. */
static bool acl_asks(const char *text, size_t len, const char *name, size_t name_len, unsigned depth)
{
	const char *end = text + len;
	bool within = false;
	for (const char *line = text; line < end;) {
		const char *next = memchr(line, '\n', (size_t)(end - line));
		next = next == NULL ? end : next + 1;
		if (begins_acl(line, next, NULL, 0))
			within = begins_acl(line, next, name, name_len);
		if (within && line_asks(text, len, line, next, depth))
			return true;
		line = next;
	}
	return false;
}

/* Also where the ACL is not named but expanded it may be asked. */
static enum mxg_guard acl_guard(const struct exim *e, const char *acls, size_t len)
{
	bool mentioned = has(acls, len, "mxguard");
	for (size_t i = 0; mentioned && i < sizeof(e->acls) / sizeof(e->acls[0]); i++)
		if (e->acls[i] != NULL && acl_asks(acls, len, e->acls[i], strlen(e->acls[i]), ACL_DEPTH_MOST))
			return MXG_GUARD_POLICY;
	return mentioned || has(acls, len, "readsocket") || has(acls, len, "${perl") ? MXG_GUARD_UNKNOWN
										     : MXG_GUARD_NONE;
}

static enum mxg_door exim_door(const void *server, const struct mxg_guards *guards, const struct mxg_listener *at,
			       const char *domain, enum mxg_guard *guard)
{
	const struct exim *e = server;
	size_t len;
	(void)domain;
	if (!has_port(e, at->port))
		return MXG_DOOR_NOT_HERE;
	const char *acls = part(e->config, "acl", &len);
	enum mxg_guard asked = acl_guard(e, acls, len);
	*guard = asked == MXG_GUARD_POLICY ? asked : delivery_guard(e, guards);
	if (*guard == MXG_GUARD_NONE && asked == MXG_GUARD_UNKNOWN)
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
