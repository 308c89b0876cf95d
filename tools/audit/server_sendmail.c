/* SPDX-License-Identifier: MIT */
/* sendmail, by its sendmail.cf: which milters it asks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/server.h"
#include "audit/text_file.h"

#define CONFIG "/etc/mail/sendmail.cf"

struct sendmail {
	char *text;
};

static void sendmail_free(void *server)
{
	struct sendmail *s = server;
	free(s->text);
	free(s);
}

static void *sendmail_read(const char *config)
{
	struct sendmail *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->text = mxg_text_file(config == NULL ? CONFIG : config);
	if (s->text != NULL)
		return s;
	free(s);
	return NULL;
}

/* The line that begins so, without that, or NULL. */
static char *line_of(const char *text, const char *begin)
{
	size_t len = strlen(begin);
	for (const char *line = text; line != NULL; line = strchr(line, '\n'), line += line != NULL)
		if (strncmp(line, begin, len) == 0)
			return strndup(line + len, strcspn(line + len, "\n"));
	return NULL;
}

/* "Xmxguard, S=inet:10034@127.0.0.1, F=T, …": asked, and closed where it is silent. */
static enum mxg_guard filter_guard(const struct sendmail *s, const struct mxg_guards *guards, const char *name)
{
	char begin[120], service[100] = "", port[20] = "", host[64] = "";
	enum mxg_guard guard = MXG_GUARD_NONE;
	snprintf(begin, sizeof(begin), "X%.100s,", name);
	char *line = line_of(s->text, begin);
	const char *socket = line == NULL ? NULL : strstr(line, "S=");
	if (socket != NULL) {
		snprintf(service, sizeof(service), "%.*s", (int)strcspn(socket + 2, ", "), socket + 2);
		if (sscanf(service, "inet:%19[0-9]@%63s", port, host) == 2)
			snprintf(service, sizeof(service), "inet:%s:%s", host, port);
		bool closed = strstr(line, "F=T") != NULL || strstr(line, "F=R") != NULL;
		enum mxg_service kind = mxg_guards_service(guards, service, strlen(service));
		bool silent = kind == MXG_SERVICE_SILENT || mxg_guards_socket_is_silent(service, strlen(service));
		if (kind == MXG_SERVICE_UNKNOWN && strcmp(name, "mxguard") == 0)
			kind = MXG_SERVICE_OURS;
		if (silent ? closed && kind != MXG_SERVICE_OTHER : kind == MXG_SERVICE_OURS)
			guard = MXG_GUARD_MILTER;
		else if (kind == MXG_SERVICE_UNKNOWN)
			guard = MXG_GUARD_UNKNOWN;
	}
	free(line);
	return guard;
}

/* A port may have filters of its own: "O DaemonPortOptions=Name=MTA2, Port=2525, InputMailFilters=", of which the first
 * letter counts. */
static bool has_own_filters(const char *text)
{
	static const char begin[] = "O DaemonPortOptions=";
	for (const char *line = text; line != NULL; line = strchr(line, '\n'), line += line != NULL) {
		if (strncmp(line, begin, sizeof(begin) - 1) != 0)
			continue;
		const char *at = line + sizeof(begin) - 1, *end = line + strcspn(line, "\n");
		for (; at < end; at += strcspn(at, ",\n"), at += at < end) {
			at += strspn(at, " \t");
			if (*at == 'I')
				return true;
		}
	}
	return false;
}

static enum mxg_door sendmail_door(const void *server, const struct mxg_guards *guards, const struct mxg_listener *at,
				   const char *domain, enum mxg_guard *guard)
{
	const struct sendmail *s = server;
	char *filters = line_of(s->text, "O InputMailFilters="), *rest = filters, *name;
	(void)domain;
	*guard = MXG_GUARD_NONE;
	while (filters != NULL && *guard != MXG_GUARD_MILTER && (name = strsep(&rest, ", ;")) != NULL) {
		enum mxg_guard one = name[0] == '\0' ? MXG_GUARD_NONE : filter_guard(s, guards, name);
		*guard = one == MXG_GUARD_NONE ? *guard : one;
	}
	free(filters);
	if (*guard == MXG_GUARD_MILTER && has_own_filters(s->text))
		*guard = MXG_GUARD_UNKNOWN;
	if (*guard == MXG_GUARD_NONE && strstr(s->text, "mxguard-lda") != NULL)
		*guard = MXG_GUARD_UNKNOWN; /* for which mailer, rulesets decide */
	return strcmp(at->program, "sendmail") == 0 ? MXG_DOOR_MAIL : MXG_DOOR_NOT_HERE;
}

static void sendmail_names(const void *server, mxg_guards_text *name, void *to)
{
	char *value = line_of(((const struct sendmail *)server)->text, "Dj");
	if (value != NULL && strchr(value, '$') == NULL)
		name(to, value);
	free(value);
}

static void sendmail_certificates(const void *server, mxg_guards_text *file, void *to)
{
	char *value = line_of(((const struct sendmail *)server)->text, "O ServerCertFile=");
	if (value != NULL && value[0] == '/')
		file(to, value);
	free(value);
}

const struct mxg_server_kind mxg_server_sendmail = {
	.program = "sendmail",
	.read = sendmail_read,
	.free = sendmail_free,
	.door = sendmail_door,
	.names = sendmail_names,
	.certificates = sendmail_certificates,
};
