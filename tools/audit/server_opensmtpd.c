/* SPDX-License-Identifier: MIT */
/* OpenSMTPD, by its smtpd.conf(5): it has no program that tells. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/server.h"
#include "audit/text_file.h"

#define CONFIG "/etc/smtpd.conf"

struct opensmtpd {
	char *text; /* without comments, lines that go on put together */
};

static void opensmtpd_free(void *server)
{
	struct opensmtpd *s = server;
	free(s->text);
	free(s);
}

static void join_lines(char *text)
{
	char *to = text;
	bool comment = false;
	for (const char *from = text; *from != '\0'; from++) {
		comment = *from == '\n' ? false : comment || *from == '#';
		if (from[0] == '\\' && from[1] == '\n')
			*to++ = ' ', from++;
		else if (!comment)
			*to++ = *from;
	}
	*to = '\0';
}

static void *opensmtpd_read(const char *config)
{
	struct opensmtpd *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->text = mxg_text_file(config == NULL ? CONFIG : config);
	if (s->text == NULL) {
		free(s);
		return NULL;
	}
	join_lines(s->text);
	return s;
}

/* ---- lines ------------------------------------------------------------------------------------------- */

/* The next line that begins with the word, without it. */
static bool next_line(const char **at, const char *word, char out[1024])
{
	size_t len = strlen(word);
	while (**at != '\0') {
		const char *line = *at + strspn(*at, " \t"), *end = strchrnul(line, '\n');
		*at = *end == '\0' ? end : end + 1;
		if (strncmp(line, word, len) != 0 || (line[len] != ' ' && line[len] != '\t'))
			continue;
		line += len + strspn(line + len, " \t");
		snprintf(out, 1024, "%.*s", (int)(end < line ? 0 : end - line), line);
		return true;
	}
	return false;
}

/* What stands behind a word of a line, without quotes; false: the word is not there. */
static bool behind(const char *line, const char *word, char *out, size_t size)
{
	size_t len = strlen(word);
	for (const char *at = line; (at = strstr(at, word)) != NULL; at += len) {
		if ((at != line && at[-1] != ' ' && at[-1] != '\t') || (at[len] != ' ' && at[len] != '\t'))
			continue;
		at += len + strspn(at + len, " \t");
		const char *end = *at == '"' ? strchr(++at, '"') : at + strcspn(at, " \t");
		snprintf(out, size, "%.*s", end == NULL ? 0 : (int)(end - at), at);
		return true;
	}
	return false;
}

static bool has_word(const char *line, const char *word)
{
	size_t len = strlen(word);
	for (const char *at = line; (at = strstr(at, word)) != NULL; at += len)
		if ((at == line || strchr(" \t", at[-1]) != NULL) && strchr(" \t", at[len]) != NULL)
			return true;
	return false;
}

/* `filter "guard" proc-exec "mxguard smtpd-filter"`, or a chain in which that one is. */
static bool is_ours(const char *text, const char *name, unsigned depth)
{
	char line[1024], own[200];
	while (next_line(&text, "filter", line)) {
		const char *rest = line + (line[0] == '"');
		size_t len = strlen(name);
		if (strncmp(rest, name, len) != 0 || strchr("\" \t", rest[len]) == NULL)
			continue;
		if (strstr(line, "mxguard") != NULL && strstr(line, "proc") != NULL)
			return true;
		char *chain = strchr(line, '{'), *word;
		while (depth > 0 && chain != NULL && (word = strsep(&chain, "{}, \t\"")) != NULL) {
			snprintf(own, sizeof(own), "%.199s", word);
			if (own[0] != '\0' && is_ours(text, own, depth - 1))
				return true;
		}
	}
	return false;
}

/* ---- delivery ---------------------------------------------------------------------------------------- */

static bool action_guard(const struct mxg_guards *guards, const char *line, enum mxg_guard *guard)
{
	char value[512];
	if (behind(line, "mda", value, sizeof(value)))
		*guard = mxg_guards_command(guards, value);
	else if (behind(line, "lmtp", value, sizeof(value)))
		*guard = mxg_guards_dovecot(guards, "lmtp");
	else if (strstr(line, "maildir") != NULL || strstr(line, "mbox") != NULL)
		*guard = MXG_GUARD_NONE;
	else
		return false;
	return true;
}

static enum mxg_guard delivery_guard(const struct opensmtpd *s, const struct mxg_guards *guards)
{
	const char *at = s->text;
	char line[1024];
	enum mxg_guard guard = MXG_GUARD_UNKNOWN, other;
	bool some = false;
	while (next_line(&at, "action", line)) {
		if (!action_guard(guards, line, &other))
			continue;
		guard = some ? mxg_guard_either(guard, other) : other;
		some = true;
	}
	return guard;
}

/* ---- the door ----------------------------------------------------------------------------------------- */

/* "192.0.2.1 port 2525 filter …", "eth0 smtps pki …": whether the listener is that one, by its port and,
 * where one is named, its address. */
static bool is_listener(const char *line, const struct mxg_listener *at)
{
	char where[200] = "", port[40] = "";
	struct mxg_address address;
	sscanf(line, "%199s", where);
	unsigned number = behind(line, "port", port, sizeof(port)) ? mxg_port_number(port) : 0;
	if (number == 0)
		number = has_word(line, "smtps") ? 465 : 25;
	if (number != at->port)
		return false;
	return !mxg_address_parse(&address, where, strlen(where), MXG_ADDRESS_ANY) ||
	       mxg_address_equal(&address, &at->address);
}

static enum mxg_guard listener_guard(const struct opensmtpd *s, const struct mxg_guards *guards, const char *line)
{
	char filter[200];
	if (!behind(line, "filter", filter, sizeof(filter)))
		return delivery_guard(s, guards);
	if (filter[0] == '{' || is_ours(s->text, filter, 2))
		return filter[0] != '{' || strstr(line, "mxguard") != NULL ? MXG_GUARD_FILTER : MXG_GUARD_UNKNOWN;
	return delivery_guard(s, guards);
}

static enum mxg_door opensmtpd_door(const void *server, const struct mxg_guards *guards, const struct mxg_listener *at,
				    const char *domain, enum mxg_guard *guard)
{
	const struct opensmtpd *s = server;
	const char *rest = s->text;
	char line[1024];
	enum mxg_door door = MXG_DOOR_NOT_HERE;
	(void)domain;
	while (next_line(&rest, "listen on", line)) {
		if (strncmp(line, "socket", 6) == 0 || !is_listener(line, at))
			continue;
		if (has_word(line, "auth")) {
			door = door == MXG_DOOR_NOT_HERE ? MXG_DOOR_LOGIN : door;
			continue;
		}
		enum mxg_guard one = listener_guard(s, guards, line);
		*guard = door == MXG_DOOR_MAIL ? mxg_guard_either(*guard, one) : one;
		door = MXG_DOOR_MAIL;
	}
	return door;
}

static void opensmtpd_names(const void *server, mxg_guards_text *name, void *to)
{
	const struct opensmtpd *s = server;
	const char *at = s->text;
	char line[1024], value[260];
	while (next_line(&at, "listen on", line))
		if (behind(line, "hostname", value, sizeof(value)))
			name(to, value);
}

static void opensmtpd_certificates(const void *server, mxg_guards_text *file, void *to)
{
	const struct opensmtpd *s = server;
	const char *at = s->text;
	char line[1024], value[512];
	while (next_line(&at, "pki", line))
		if (behind(line, "cert", value, sizeof(value)))
			file(to, value);
}

const struct mxg_server_kind mxg_server_opensmtpd = {
	.program = "opensmtpd",
	.read = opensmtpd_read,
	.free = opensmtpd_free,
	.door = opensmtpd_door,
	.names = opensmtpd_names,
	.certificates = opensmtpd_certificates,
};
