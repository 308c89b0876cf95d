/* SPDX-License-Identifier: MIT */
/* What libmilter calls, on threads of its own: the MTA's events go to the door, its answers back. */
#include <arpa/inet.h>
#include <libmilter/mfapi.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../door/header.h"
#include "../door/trapped.h"
#include "../service/desk.h"
#include "../service/log.h"
#include "../service/moment.h"
#include "../xtext.h"
#include "milter.h"

#define ACTIONS (SMFIF_ADDHDRS | SMFIF_CHGHDRS)
#define TLS_MACROS "{tls_version} {cert_subject} {cert_issuer} {cn_subject} {cn_issuer} {cert_fp} {verify}"
#define LINE_MAX_BYTES 1024
#define FIELD_MAX_BYTES 2048

static struct mxg_milter *the_milter;

/* A connection of the MTA's, which is one of a client's, too; several clients, one after the other,
 * with XCLIENT. */
struct connection {
	struct mxg_waiter waiter;
	unsigned long steps; /* SMFIP_…: what was agreed on */
	bool may_quarantine;
	bool sees_bodies; /* copies can be kept of what is refused */
	bool in_transaction;
	struct mxg_trapped trapped;
};

static struct connection *of(SMFICTX *ctx)
{
	return smfi_getpriv(ctx);
}

/* Where no answer is wanted, none is given. */
static sfsistat go_on(const struct connection *c, unsigned long no_reply)
{
	return (c->steps & no_reply) != 0 ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

static void end_transaction(struct connection *c)
{
	mxg_trapped_discard(&c->trapped);
	if (c->in_transaction)
		atomic_fetch_sub(&the_milter->transactions, 1);
	c->in_transaction = false;
}

/* ---- the beginning ----------------------------------------------------------------------------- */

/* By their stages: the MTA sends them from there on. Those that it does not know do no harm. */
static bool ask_for_macros(SMFICTX *ctx)
{
	char at_connect[] = "j {client_addr} {daemon_addr}";
	char at_helo[] = TLS_MACROS;
	char at_mail[] = "i {auth_authen} " TLS_MACROS;
	char at_header[] = "i";
	return smfi_setsymlist(ctx, SMFIM_CONNECT, at_connect) == MI_SUCCESS &&
	       smfi_setsymlist(ctx, SMFIM_HELO, at_helo) == MI_SUCCESS &&
	       smfi_setsymlist(ctx, SMFIM_ENVFROM, at_mail) == MI_SUCCESS &&
	       smfi_setsymlist(ctx, SMFIM_EOH, at_header) == MI_SUCCESS;
}

static struct connection *new_connection(void)
{
	struct connection *c = calloc(1, sizeof(*c));
	if (c == NULL || mxg_waiter_init(&c->waiter, &the_milter->shared, the_milter->relayed))
		return c;
	free(c);
	return NULL;
}

static bool is_crowded(void)
{
	if (atomic_load(&the_milter->connections) < the_milter->max_connections)
		return false;
	pthread_mutex_lock(&the_milter->shared.lock);
	bool tell = mxg_moment_may_tell(&the_milter->crowded_told);
	pthread_mutex_unlock(&the_milter->shared.lock);
	if (tell)
		mxg_log_warning("mxguard: milter: %ld connections at one time are the most: the MTA is to defer",
				the_milter->max_connections);
	return true;
}

/* shared.lock is held. */
static bool has_trap(void)
{
	struct mxguard_policy *policy = mxguard_session_policy(mxg_desk_session(the_milter->shared.desk));
	return policy != NULL && mxguard_policy_trap(policy) != NULL;
}

static bool wants_bodies(void)
{
	pthread_mutex_lock(&the_milter->shared.lock);
	bool wanted = has_trap();
	pthread_mutex_unlock(&the_milter->shared.lock);
	return wanted;
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps, unsigned long f2,
			     unsigned long f3, unsigned long *wanted_actions, unsigned long *wanted_steps,
			     unsigned long *wanted_f2, unsigned long *wanted_f3)
{
	(void)f2;
	(void)f3;
	if ((actions & ACTIONS) != ACTIONS) {
		mxg_log_error("mxguard: milter: the MTA does not let us change header fields");
		return SMFIS_REJECT;
	}
	struct connection *c = is_crowded() ? NULL : new_connection();
	if (c == NULL || smfi_setpriv(ctx, c) != MI_SUCCESS)
		return SMFIS_REJECT;
	atomic_fetch_add(&the_milter->connections, 1);
	mxg_door_tell(c->waiter.door, MXG_DOOR_PEER, "unknown"); /* until the MTA tells it */
	c->may_quarantine = the_milter->quarantine && (actions & SMFIF_QUARANTINE) != 0;
	c->steps = steps & (SMFIP_NOBODY | SMFIP_NODATA | SMFIP_NOUNKNOWN | SMFIP_HDR_LEADSPC | SMFIP_NR_CONN |
			    SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_HDR);
	c->sees_bodies = wants_bodies();
	if (c->sees_bodies)
		c->steps &= ~(unsigned long)SMFIP_NOBODY;
	*wanted_actions = ACTIONS | (c->may_quarantine ? SMFIF_QUARANTINE : 0) | (actions & SMFIF_SETSYMLIST);
	*wanted_steps = c->steps;
	*wanted_f2 = *wanted_f3 = 0;
	if ((actions & SMFIF_SETSYMLIST) != 0 && !ask_for_macros(ctx))
		return SMFIS_REJECT;
	return SMFIS_CONTINUE;
}

/* "": there is none, as where sendmail is run on a pipe. What the MTA cannot tell is not nobody. */
static const char *peer_text(const char *name, const _SOCK_ADDR *address, char text[INET6_ADDRSTRLEN])
{
	const void *bytes = NULL;
	if (address == NULL)
		return strcmp(name, "localhost") == 0 ? "" : "unknown";
	if (address->sa_family == AF_UNIX)
		return "";
	if (address->sa_family == AF_INET)
		bytes = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
	else if (address->sa_family == AF_INET6)
		bytes = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
	return bytes != NULL && inet_ntop(address->sa_family, bytes, text, INET6_ADDRSTRLEN) != NULL ? text : "unknown";
}

static sfsistat on_connect(SMFICTX *ctx, char *name, _SOCK_ADDR *address)
{
	struct connection *c = of(ctx);
	char text[INET6_ADDRSTRLEN];
	pthread_mutex_lock(&the_milter->shared.lock);
	mxg_door_connect(c->waiter.door);
	mxg_door_tell(c->waiter.door, MXG_DOOR_PEER, peer_text(name, address, text));
	pthread_mutex_unlock(&the_milter->shared.lock);
	return go_on(c, SMFIP_NR_CONN);
}

static sfsistat on_helo(SMFICTX *ctx, char *name)
{
	struct connection *c = of(ctx);
	mxg_door_tell(c->waiter.door, MXG_DOOR_HELO, name);
	return go_on(c, SMFIP_NR_HELO);
}

/* ---- the envelope ------------------------------------------------------------------------------- */

static const char *value_of(SMFICTX *ctx, const char *macro)
{
	char name[32];
	snprintf(name, sizeof(name), "%s", macro);
	return smfi_getsymval(ctx, name);
}

static bool is_told(const char *text)
{
	return text != NULL && text[0] != '\0';
}

/* sendmail has the bare name in xtext under a name of its own, and the whole one under that where Postfix
 * has the bare one. */
static void tell_name(SMFICTX *ctx, struct mxg_door *door, enum mxg_door_fact fact, const char *cn, const char *other)
{
	char text[LINE_MAX_BYTES];
	const char *encoded = value_of(ctx, cn);
	if (encoded != NULL && strlen(encoded) < sizeof(text)) {
		memcpy(text, encoded, strlen(encoded) + 1);
		mxg_xtext_decode(text);
		mxg_door_tell(door, fact, text);
	} else {
		mxg_door_tell(door, fact, encoded != NULL ? NULL : value_of(ctx, other));
	}
}

/* Postfix tells a certificate's names, the bare ones, only if it has verified it, so that a name which it
 * does not tell is none; sendmail tells them of any. */
static bool is_told_by_postfix(SMFICTX *ctx)
{
	const char *subject = value_of(ctx, "{cert_subject}"), *issuer = value_of(ctx, "{cert_issuer}");
	if (value_of(ctx, "{cn_subject}") != NULL || value_of(ctx, "{cn_issuer}") != NULL)
		return false;
	return (is_told(subject) && subject[0] != '/') || (is_told(issuer) && issuer[0] != '/');
}

/* Without TLS there is none. sendmail says in {verify} how it went, unless it has been told to say less. */
static void tell_certificate(SMFICTX *ctx, struct mxg_door *door)
{
	bool tls = is_told(value_of(ctx, "{tls_version}"));
	const char *verify = value_of(ctx, "{verify}");
	bool verified = verify != NULL ? strcmp(verify, "OK") == 0 : is_told_by_postfix(ctx);
	tell_name(ctx, door, MXG_DOOR_CERTIFICATE_SUBJECT, "{cn_subject}", "{cert_subject}");
	tell_name(ctx, door, MXG_DOOR_CERTIFICATE_ISSUER, "{cn_issuer}", "{cert_issuer}");
	mxg_door_tell(door, MXG_DOOR_CERTIFICATE_FINGERPRINT, value_of(ctx, "{cert_fp}"));
	mxg_door_tell(door, MXG_DOOR_CERTIFICATE_VERIFIED, tls && verified ? "yes" : NULL);
	if (!tls)
		mxg_door_tell(door, MXG_DOOR_CERTIFICATE_FINGERPRINT, "");
	if (!tls || (verify == NULL && !verified)) {
		mxg_door_tell(door, MXG_DOOR_CERTIFICATE_SUBJECT, "");
		mxg_door_tell(door, MXG_DOOR_CERTIFICATE_ISSUER, "");
	}
}

static sfsistat on_mail(SMFICTX *ctx, char **arguments)
{
	struct connection *c = of(ctx);
	end_transaction(c);
	pthread_mutex_lock(&the_milter->shared.lock);
	mxg_door_hold(c->waiter.door, c->sees_bodies && has_trap());
	mxg_door_mail(c->waiter.door, arguments[0]);
	mxg_door_tell(c->waiter.door, MXG_DOOR_ID, value_of(ctx, "i"));
	mxg_door_tell(c->waiter.door, MXG_DOOR_LOGIN, value_of(ctx, "{auth_authen}"));
	tell_certificate(ctx, c->waiter.door);
	pthread_mutex_unlock(&the_milter->shared.lock);
	c->in_transaction = true;
	atomic_fetch_add(&the_milter->transactions, 1);
	return go_on(c, SMFIP_NR_MAIL);
}

/* sendmail takes the text for a format, and Postfix does as if. */
static void double_percent(char *to, size_t room, const char *from)
{
	size_t len = 0;
	for (; *from != '\0' && len + 3 < room; from++) {
		to[len++] = *from;
		if (*from == '%')
			to[len++] = '%';
	}
	to[len] = '\0';
}

/* Without the text, too: SMFIS_TEMPFAIL and SMFIS_REJECT have texts of their own. */
static sfsistat answer(SMFICTX *ctx, const struct mxg_door_reply *reply)
{
	char code[8], status[16], text[LINE_MAX_BYTES - 64];
	if (reply->code == 250)
		return SMFIS_CONTINUE;
	snprintf(code, sizeof(code), "%d", reply->code);
	snprintf(status, sizeof(status), "%s", reply->status);
	double_percent(text, sizeof(text), reply->text);
	(void)smfi_setreply(ctx, code, status, text);
	return reply->code / 100 == 5 ? SMFIS_REJECT : SMFIS_TEMPFAIL;
}

static sfsistat on_rcpt(SMFICTX *ctx, char **arguments)
{
	struct connection *c = of(ctx);
	pthread_mutex_lock(&the_milter->shared.lock);
	mxg_waiter_wait(&c->waiter, &the_milter->shared, mxg_door_rcpt(c->waiter.door, arguments[0]));
	sfsistat status = answer(ctx, mxg_door_reply(c->waiter.door));
	pthread_mutex_unlock(&the_milter->shared.lock);
	return status;
}

/* ---- the message ---------------------------------------------------------------------------------- */

/* No lock: what a header is fed to belongs to this transaction alone. */
static sfsistat on_field(SMFICTX *ctx, char *name, char *value)
{
	struct connection *c = of(ctx);
	mxg_door_field(c->waiter.door, name, value);
	if (mxg_door_is_holding(c->waiter.door))
		mxg_trapped_field(&c->trapped, name, (c->steps & SMFIP_HDR_LEADSPC) != 0 ? "" : " ", value);
	return go_on(c, SMFIP_NR_HDR);
}

static sfsistat on_header_end(SMFICTX *ctx)
{
	struct connection *c = of(ctx);
	pthread_mutex_lock(&the_milter->shared.lock);
	mxg_door_tell(c->waiter.door, MXG_DOOR_ID, value_of(ctx, "i"));
	mxg_waiter_wait(&c->waiter, &the_milter->shared, mxg_door_header_end(c->waiter.door));
	const struct mxg_door_message *m = mxg_door_message(c->waiter.door);
	sfsistat status = m->held ? SMFIS_CONTINUE : answer(ctx, mxg_door_reply(c->waiter.door));
	pthread_mutex_unlock(&the_milter->shared.lock);
	if (m->held && m->trap[0] != '\0')
		mxg_trapped_begin(&c->trapped, mxg_door_policy(c->waiter.door), m->trap, "milter");
	return status;
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *bytes, size_t length)
{
	mxg_trapped_bytes(&of(ctx)->trapped, (const char *)bytes, length);
	return SMFIS_CONTINUE;
}

/* From the last one on: the numbers of those above stay what they are. */
static bool remove_fields(SMFICTX *ctx, const struct mxg_door_header *header)
{
	size_t count;
	const struct mxg_door_removal *removals = mxg_door_header_removals(header, &count);
	while (count > 0) {
		const struct mxg_door_removal *r = &removals[--count];
		if (smfi_chgheader(ctx, r->name, (int)r->number, r->value) != MI_SUCCESS)
			return false;
	}
	return true;
}

/* Folds are LF for libmilter; the blank behind the colon is ours where the MTA leaves it to us. */
static bool add_field(SMFICTX *ctx, const struct connection *c, const char *field)
{
	char name[64], value[FIELD_MAX_BYTES];
	size_t len = 0;
	const char *colon = strchr(field, ':');
	if (colon == NULL)
		return true;
	snprintf(name, sizeof(name), "%.*s", (int)(colon - field), field);
	for (const char *p = colon + ((c->steps & SMFIP_HDR_LEADSPC) != 0 ? 1 : 2); *p != '\0'; p++)
		if (*p != '\r' && len + 1 < sizeof(value))
			value[len++] = *p;
	while (len > 0 && value[len - 1] == '\n')
		len--;
	value[len] = '\0';
	return smfi_insheader(ctx, 0, name, value) == MI_SUCCESS;
}

static bool change(SMFICTX *ctx, const struct connection *c, const struct mxg_door_message *m)
{
	char reason[] = "mxguard: not by an authorized gateway";
	return remove_fields(ctx, m->header) && add_field(ctx, c, m->field) &&
	       (!m->quarantine || !c->may_quarantine || smfi_quarantine(ctx, reason) == MI_SUCCESS);
}

static sfsistat on_message_end(SMFICTX *ctx)
{
	struct connection *c = of(ctx);
	const struct mxg_door_message *m = mxg_door_message(c->waiter.door);
	sfsistat status = answer(ctx, &m->reply);
	mxg_trapped_finish(&c->trapped, "milter");
	if (m->reply.code == 250 && !change(ctx, c, m)) {
		mxg_log_error("mxguard: milter: the MTA does not take the changes: the client is to try again later");
		status = SMFIS_TEMPFAIL;
	}
	pthread_mutex_lock(&the_milter->shared.lock);
	mxg_door_reset(c->waiter.door);
	pthread_mutex_unlock(&the_milter->shared.lock);
	end_transaction(c);
	return status;
}

static sfsistat on_abort(SMFICTX *ctx)
{
	struct connection *c = of(ctx);
	if (c == NULL)
		return SMFIS_CONTINUE;
	pthread_mutex_lock(&the_milter->shared.lock);
	mxg_door_reset(c->waiter.door);
	pthread_mutex_unlock(&the_milter->shared.lock);
	end_transaction(c);
	return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *ctx)
{
	struct connection *c = of(ctx);
	if (c == NULL)
		return SMFIS_CONTINUE;
	end_transaction(c);
	mxg_waiter_end(&c->waiter, &the_milter->shared);
	free(c);
	smfi_setpriv(ctx, NULL);
	atomic_fetch_sub(&the_milter->connections, 1);
	return SMFIS_CONTINUE;
}

bool mxg_milter_register(struct mxg_milter *milter)
{
	static char name[] = "mxguard";
	struct smfiDesc description = {
		.xxfi_name = name,
		.xxfi_version = SMFI_VERSION,
		.xxfi_flags = ACTIONS | SMFIF_QUARANTINE,
		.xxfi_connect = on_connect,
		.xxfi_helo = on_helo,
		.xxfi_envfrom = on_mail,
		.xxfi_envrcpt = on_rcpt,
		.xxfi_header = on_field,
		.xxfi_eoh = on_header_end,
		.xxfi_body = on_body,
		.xxfi_eom = on_message_end,
		.xxfi_abort = on_abort,
		.xxfi_close = on_close,
		.xxfi_negotiate = on_negotiate,
	};
	the_milter = milter;
	if (smfi_register(description) == MI_SUCCESS)
		return true;
	mxg_log_error("mxguard: milter: libmilter cannot be set up");
	return false;
}
