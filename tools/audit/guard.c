/* SPDX-License-Identifier: MIT */
/* Who listens, what it is set to, and what that means for a stranger's mail. */
#include "audit/guard.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "audit/audit.h"
#include "audit/dovecot.h"
#include "audit/firewall.h"
#include "audit/server.h"
#include "doctor/program.h"

struct server {
	const struct mxg_server_kind *kind;
	const char *config; /* NULL: the usual one */
	void *state;
	bool runs; /* as far as it can be known */
	bool named; /* by an option: it counts for containers as well */
};

#define SERVERS_MOST 32

struct mxg_guards {
	const struct mxg_self *self;
	struct mxg_listeners listeners;
	struct server servers[SERVERS_MOST];
	size_t count;
	char *firewall; /* NULL: there is none of ours */
};

const char *mxg_guard_word(enum mxg_guard guard)
{
	static const char *const words[] = { "policy",  "milter",   "filter", "plugin",
					     "wrapper", "firewall", "none",   "unknown" };
	return words[guard];
}

enum mxg_guard mxg_guard_either(enum mxg_guard one, enum mxg_guard other)
{
	return one == other ? one : MXG_GUARD_UNKNOWN;
}

/* ---- ports -------------------------------------------------------------------------------------------- */

unsigned mxg_port_number(const char *text)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);
	if (end != text)
		return *end == '\0' && number < 65536 ? (unsigned)number : 0;
	if (strcmp(text, "submissions") == 0 || strcmp(text, "smtps") == 0)
		return 465; /* not everywhere in services(5) */
	const struct servent *entry = getservbyname(text, "tcp");
	return entry == NULL ? 0 : ntohs((uint16_t)entry->s_port);
}

bool mxg_listener_is(const struct mxg_listener *l, const char *text)
{
	struct mxg_address address;
	const char *colon = strrchr(text, ':');
	if (mxg_port_number(colon == NULL ? text : colon + 1) != l->port)
		return false;
	if (colon == NULL || colon == text ||
	    !mxg_address_parse(&address, text, (size_t)(colon - text), MXG_ADDRESS_ANY))
		return true; /* a host's name may be any address */
	if (mxg_address_half(&address, 0) == 0 && mxg_address_half(&address, 1) == 0)
		return l->address.family != 0 ? l->address.family == address.family
		       : address.family == 4  ? l->any4
					      : l->any6;
	return mxg_address_equal(&address, &l->address);
}

/* ---- reading ------------------------------------------------------------------------------------------- */

static struct server *find_server(struct mxg_guards *g, const struct mxg_server_kind *kind, const char *config)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->servers[i].kind == kind &&
		    (config == NULL ? g->servers[i].config == NULL
				    : g->servers[i].config != NULL && strcmp(g->servers[i].config, config) == 0))
			return &g->servers[i];
	if (g->count == SERVERS_MOST)
		return NULL;
	struct server *s = &g->servers[g->count++];
	*s = (struct server){ .kind = kind, .config = config, .state = kind->read(config) };
	return s;
}

static const struct mxg_server_kind *const kinds[] = { &mxg_server_postfix, &mxg_server_dovecot, &mxg_server_exim,
						       &mxg_server_opensmtpd, &mxg_server_sendmail };
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static bool knows_owners(const struct mxg_guards *g)
{
	for (size_t i = 0; i < g->listeners.count; i++)
		if (g->listeners.items[i].program[0] == '\0')
			return false;
	return true;
}

static bool runs(const struct mxg_guards *g, const struct mxg_server_kind *kind)
{
	for (size_t i = 0; i < g->listeners.count; i++)
		if (strcmp(g->listeners.items[i].program, kind->program) == 0 && !g->listeners.items[i].elsewhere)
			return true;
	return false;
}

/* Who listens tells his configuration, and who does not need not be asked, but for Dovecot, to whom others hand
 * on by a local socket. */
static bool is_wanted(const struct mxg_guards *g, const struct mxg_server_kind *kind)
{
	bool wanted = !knows_owners(g);
	for (size_t i = 0; kind == &mxg_server_dovecot && !runs(g, kind) && i < KINDS; i++)
		wanted |= runs(g, kinds[i]);
	return wanted;
}

static void tell_unread(struct mxg_audit *audit, const struct mxg_listener *l, const char *config)
{
	if (l->elsewhere)
		mxg_audit_failed_text(
			audit,
			"the configuration of %s, which listens at port %u: it runs in a container, whose "
			"files are its own",
			l->program, l->port);
	else
		mxg_audit_failed_text(audit, "the configuration of %s, which listens at port %u: %s cannot be read",
				      l->program, l->port, config == NULL ? "it" : config);
}

/* A server that runs and whose configuration cannot be read: what it lets in is not known. */
static void read_server(struct mxg_guards *g, struct mxg_audit *audit, const struct mxg_server_kind *kind,
			const char *option)
{
	bool asked_for = option != NULL, told = false;
	for (size_t i = 0; i < g->listeners.count; i++) {
		const struct mxg_listener *l = &g->listeners.items[i];
		if (strcmp(l->program, kind->program) != 0)
			continue;
		const char *config = l->config[0] == '\0' ? option : l->config;
		struct server *s = l->elsewhere && config == NULL ? NULL : find_server(g, kind, config);
		if (s != NULL)
			s->runs = true;
		if ((s == NULL || s->state == NULL) && !told)
			tell_unread(audit, l, config);
		told |= s == NULL || s->state == NULL;
	}
	if (!asked_for && !is_wanted(g, kind))
		return;
	struct server *s = find_server(g, kind, option);
	if (s != NULL && (asked_for || !knows_owners(g)))
		s->runs = true;
	if (s != NULL)
		s->named = asked_for;
	if (asked_for && !told && (s == NULL || s->state == NULL))
		mxg_audit_failed_text(audit, "the configuration of %s: %s cannot be read", kind->program, option);
}

struct mxg_guards *mxg_guards_read(const struct mxg_guard_sources *sources, struct mxg_audit *audit)
{
	const char *const options[KINDS] = { sources->postfix, sources->dovecot, sources->exim, sources->opensmtpd,
					     sources->sendmail };
	struct mxg_guards *g = calloc(1, sizeof(*g));
	if (g == NULL)
		return NULL;
	g->self = &audit->self;
	if (!mxg_listeners_read(&g->listeners, &audit->self))
		mxg_audit_failed_text(audit, "which sockets listen here: %s", strerror(errno));
	for (size_t i = 0; i < KINDS; i++)
		read_server(g, audit, kinds[i], options[i]);
	g->firewall = mxg_firewall_read();
	for (size_t n = 0; mxg_program_silent(n) != NULL; n++)
		mxg_audit_failed_text(audit, "what guards here: " MXG_PROGRAM_SILENT, mxg_program_silent(n));
	return g;
}

void mxg_guards_free(struct mxg_guards *g)
{
	if (g == NULL)
		return;
	for (size_t i = 0; i < g->count; i++)
		if (g->servers[i].state != NULL)
			g->servers[i].kind->free(g->servers[i].state);
	mxg_listeners_clear(&g->listeners);
	free(g->firewall);
	free(g);
}

void mxg_guards_names(const struct mxg_guards *g, mxg_guards_text *name, void *to)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->servers[i].runs && g->servers[i].state != NULL)
			g->servers[i].kind->names(g->servers[i].state, name, to);
}

void mxg_guards_certificates(const struct mxg_guards *g, mxg_guards_text *file, void *to)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->servers[i].runs && g->servers[i].state != NULL)
			g->servers[i].kind->certificates(g->servers[i].state, file, to);
}

/* ---- for the servers -------------------------------------------------------------------------------------- */

/* By who listens at a port of loopback. */
static enum mxg_service port_service(const struct mxg_guards *g, unsigned port)
{
	enum mxg_service found = MXG_SERVICE_SILENT;
	for (size_t i = 0; i < g->listeners.count; i++) {
		const struct mxg_listener *l = &g->listeners.items[i];
		if (l->port != port)
			continue;
		if (strcmp(l->program, "mxguard") == 0 && !l->elsewhere)
			return MXG_SERVICE_OURS;
		found = l->program[0] == '\0' || l->elsewhere || strcmp(l->program, "systemd") == 0
				? MXG_SERVICE_UNKNOWN
				: MXG_SERVICE_OTHER;
	}
	return found;
}

static bool is_loopback(const char *host, size_t len)
{
	static const char *const names[] = { "127.0.0.1", "localhost", "[127.0.0.1]", "[::1]" };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (len == strlen(names[i]) && strncasecmp(host, names[i], len) == 0)
			return true;
	return false;
}

enum mxg_service mxg_guards_service(const struct mxg_guards *g, const char *text, size_t len)
{
	char port[16] = "";
	if (memmem(text, len, "mxguard", 7) != NULL)
		return MXG_SERVICE_OURS; /* as in /run/mxguard/policy, which others do not have */
	if (len < 5 || strncmp(text, "inet:", 5) != 0 || g->listeners.count == 0)
		return MXG_SERVICE_UNKNOWN;
	const char *colon = memrchr(text, ':', len);
	size_t digits = (size_t)(text + len - colon - 1);
	if (colon < text + 5 || !is_loopback(text + 5, (size_t)(colon - text - 5)) || digits >= sizeof(port))
		return MXG_SERVICE_UNKNOWN;
	memcpy(port, colon + 1, digits);
	return port_service(g, mxg_port_number(port));
}

bool mxg_guards_socket_is_silent(const char *text, size_t len)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *at = memmem(text, len, ":/", 2);
	if (at == NULL)
		return false;
	at++;
	size_t size = 0;
	while (at + size < text + len && strchr(" ,}\t", at[size]) == NULL)
		size++;
	if (size >= sizeof(address.sun_path))
		return true;
	memcpy(address.sun_path, at, size);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool silent = fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0;
	if (fd >= 0)
		close(fd);
	return silent;
}

enum mxg_guard mxg_guards_dovecot(const struct mxg_guards *g, const char *protocol)
{
	enum mxg_guard guard = MXG_GUARD_UNKNOWN;
	bool some = false;
	for (size_t i = 0; i < g->count; i++) {
		const struct mxg_dovecot *d = g->servers[i].state;
		if (g->servers[i].kind != &mxg_server_dovecot || d == NULL)
			continue;
		enum mxg_guard one = strcmp(protocol, "lmtp") == 0 ? d->lmtp : d->lda;
		guard = some ? mxg_guard_either(guard, one) : one;
		some = true;
	}
	return guard;
}

enum mxg_guard mxg_guards_command(const struct mxg_guards *g, const char *line)
{
	if (strstr(line, "mxguard-lda") != NULL)
		return MXG_GUARD_WRAPPER;
	if (strstr(line, "dovecot-lda") != NULL || strstr(line, "dovecot/deliver") != NULL)
		return mxg_guards_dovecot(g, "lda");
	return strstr(line, "maildrop") != NULL || strstr(line, "procmail") != NULL ? MXG_GUARD_NONE
										    : MXG_GUARD_UNKNOWN;
}

/* ---- one port ------------------------------------------------------------------------------------------------ */

static bool is_mail_port(unsigned port)
{
	return port == 25 || port == 24 || port == 465 || port == 587 || port == 2525;
}

static bool may_be(const struct server *s, const struct mxg_listener *l)
{
	if (s->state == NULL)
		return false;
	if (l->program[0] == '\0' || strcmp(l->program, "systemd") == 0)
		return true;
	return strcmp(s->kind->program, l->program) == 0 && (s->named || !l->elsewhere) &&
	       (l->config[0] == '\0' || (s->config != NULL && strcmp(s->config, l->config) == 0));
}

/* A server of mail that has a socket which no line of its configuration explains, or was not read. */
static bool is_mail_server(const struct mxg_listener *l)
{
	for (size_t i = 0; i < KINDS; i++)
		if (kinds[i] != &mxg_server_dovecot && strcmp(kinds[i]->program, l->program) == 0)
			return true;
	return false;
}

/* Whoever has the socket; where that is not known, whoever alone is set to listen there. */
static enum mxg_door door_of(const struct mxg_guards *g, const struct mxg_listener *l, const char *domain,
			     enum mxg_guard *guard)
{
	enum mxg_door door = MXG_DOOR_NOT_HERE;
	unsigned claims = 0;
	for (size_t i = 0; i < g->count; i++) {
		enum mxg_guard one = MXG_GUARD_UNKNOWN;
		enum mxg_door own = may_be(&g->servers[i], l)
					    ? g->servers[i].kind->door(g->servers[i].state, g, l, domain, &one)
					    : MXG_DOOR_NOT_HERE;
		if (own == MXG_DOOR_NOT_HERE)
			continue;
		door = own;
		*guard = one;
		claims++;
	}
	if (claims == 1)
		return door;
	*guard = MXG_GUARD_UNKNOWN;
	return is_mail_port(l->port) || is_mail_server(l) ? MXG_DOOR_MAIL : MXG_DOOR_NOT_HERE;
}

size_t mxg_guards_at(const struct mxg_guards *g, const struct mxg_address *address, const char *domain,
		     struct mxg_guarded out[MXG_PORTS_MOST])
{
	size_t count = 0;
	for (size_t i = 0; i < g->listeners.count && count < MXG_PORTS_MOST; i++) {
		const struct mxg_listener *l = &g->listeners.items[i];
		enum mxg_guard guard = MXG_GUARD_UNKNOWN;
		size_t k = 0;
		if (!mxg_listener_answers(l, g->self, address) || door_of(g, l, domain, &guard) != MXG_DOOR_MAIL)
			continue;
		if (guard >= MXG_GUARD_NONE && mxg_firewall_guards(g->firewall, address->family, l->port))
			guard = MXG_GUARD_FIREWALL;
		while (k < count && out[k].port != l->port)
			k++;
		if (k == count)
			out[count++] = (struct mxg_guarded){ l->port, guard };
		else
			out[k].guard = mxg_guard_either(out[k].guard, guard);
	}
	return count;
}
