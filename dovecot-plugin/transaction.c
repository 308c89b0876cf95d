/* SPDX-License-Identifier: MIT */
#include "transaction.h"

#include "llist.h"
#include "report.h"

#define MESSAGE_MAX 512

static MODULE_CONTEXT_DEFINE_INIT(recipient_module, &lmtp_recipient_module_register);

struct recipient *recipient_of(struct lmtp_recipient *lrcpt)
{
	return MODULE_CONTEXT(lrcpt, recipient_module);
}

/* From Dovecot 2.4.2 on a disconnect destroys a recipient at once; a reload or stop does so
 * everywhere. */
static void recipient_destroyed(struct smtp_server_recipient *rcpt ATTR_UNUSED, struct recipient *r)
{
	if (r->transaction != NULL)
		DLLIST_REMOVE(&r->transaction->waiting, r);
	r->transaction = NULL;
}

struct recipient *recipient_new(struct lmtp_recipient *lrcpt, struct smtp_server_cmd_ctx *cmd)
{
	struct recipient *r = p_new(lrcpt->rcpt->pool, struct recipient, 1);

	r->lrcpt = lrcpt;
	r->cmd = cmd;
	MODULE_CONTEXT_SET(lrcpt, recipient_module, r);
	smtp_server_recipient_add_hook(lrcpt->rcpt, SMTP_SERVER_RECIPIENT_HOOK_DESTROY, recipient_destroyed, r);
	return r;
}

bool recipient_decided(const struct transaction *t, const struct recipient *r)
{
	return r->added && mxguard_check_verdict(t->check, r->index) != MXGUARD_VERDICT_UNDECIDED;
}

/* ---- a new transaction ------------------------------------------------------ */

static const char *apply(struct mxguard_check *check, size_t index, const struct plugin_settings *set, pool_t pool)
{
	char message[MESSAGE_MAX];

	for (unsigned i = 0; i < OVERRIDE_COUNT; i++) {
		if (set->values[i] == NULL)
			continue;
		message[0] = '\0';
		if (mxguard_check_override(check, index, override_names[i], set->values[i], message, sizeof(message)) <
		    0)
			return p_strconcat(pool, "mxguard_", message[0] != '\0' ? message : override_names[i], NULL);
	}
	return NULL;
}

/* 4 or 16 bytes, as the library wants them; 0: no peer. */
static const uint8_t *bytes_of(const struct ip_addr *ip, size_t *size_r)
{
	*size_r = ip->family == AF_INET ? 4 : ip->family == AF_INET6 ? 16 : 0;
	return ip->family == AF_INET ? (const uint8_t *)&ip->u.ip4 : (const uint8_t *)&ip->u.ip6;
}

/* One of ours that shows a trace. */
static bool is_internal(struct transaction *t, const struct ip_addr *peer)
{
	size_t size;
	const uint8_t *bytes = bytes_of(peer, &size);

	return mxguard_session_is_internal(lookups_session(t->lookups), bytes, size) == 1;
}

static void set_peer(struct transaction *t)
{
	size_t size;
	const uint8_t *bytes = bytes_of(&t->session->client->remote_ip, &size);

	if (size > 0) /* else there is none, as in every new check */
		(void)mxguard_check_set_peer_bytes(t->check, bytes, size);
}

/* A login counts where one of our own hosts speaks for it on its own connection: any other
 * client that may say XCLIENT, or that stands behind a proxy, merely claims it. */
static void set_login(struct transaction *t, const struct smtp_proxy_data *proxy)
{
	const struct session *s = t->session;

	if (proxy->login == NULL || *proxy->login == '\0' || s->by_proxy)
		return;
	if (is_internal(t, &s->client->real_remote_ip))
		(void)mxguard_check_set_login(t->check, proxy->login);
}

static void set_real_peer(struct transaction *t)
{
	const struct ip_addr *real = &t->session->client->real_remote_ip;
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} address;

	if (real->family == 0 || net_ip_compare(real, &t->session->client->remote_ip))
		return;
	i_zero(&address);
	address.sa.sa_family = real->family;
	if (real->family == AF_INET)
		address.in.sin_addr = real->u.ip4;
	else
		address.in6.sin6_addr = real->u.ip6;
	(void)mxguard_check_set_real_peer(t->check, &address.sa);
}

/* The peer waits for our reply itself, unless it is one of ours: then an MTA has taken the
 * message already, and a refusal would become a bounce. */
static enum mxguard_place place_of(struct transaction *t)
{
	return is_internal(t, &t->session->client->remote_ip) ? MXGUARD_PLACE_QUEUED : MXGUARD_PLACE_DOOR;
}

const char *helo_of(struct transaction *t)
{
	struct smtp_server_connection *conn = t->session->client->conn;
	struct smtp_proxy_data proxy;

	smtp_server_connection_get_proxy_data(conn, &proxy);
	return proxy.helo != NULL ? proxy.helo : smtp_server_connection_get_helo_data(conn)->domain;
}

static void describe(struct transaction *t)
{
	struct smtp_server_connection *conn = t->session->client->conn;
	struct smtp_proxy_data proxy;

	smtp_server_connection_get_proxy_data(conn, &proxy);
	set_peer(t);
	set_real_peer(t);
	(void)mxguard_check_set_helo(t->check, helo_of(t));
	(void)mxguard_check_set_sender(t->check, smtp_address_encode(t->trans->mail_from));
	(void)mxguard_check_set_ids(t->check, t->trans->id, NULL);
	(void)mxguard_check_set_place(t->check, place_of(t));
	set_login(t, &proxy);
}

static void check_finished(void *context)
{
	struct transaction *t = context;

	t->running = FALSE;
	transaction_go_on(t);
}

static const struct {
	const char *code, *status, *reply;
} troubles[] = {
	[TROUBLE_NONE] = { "undecided", "4.3.0", "Temporary internal failure" },
	[TROUBLE_CONFIGURATION] = { "configuration", "4.3.5", "Mail system configuration error; try again later" },
	[TROUBLE_USERDB] = { "userdb", "4.3.0", "The user cannot be looked up; try again later" },
	[TROUBLE_MEMORY] = { "out-of-memory", "4.3.0", "Temporary internal failure" },
};
_Static_assert(N_ELEMENTS(troubles) == TROUBLE_MEMORY + 1, "a row for each enum trouble");

const char *trouble_code(enum trouble trouble)
{
	return troubles[trouble].code;
}

static enum trouble prepare(struct transaction *t)
{
	struct client *client = t->session->client;
	const char *error;
	int ret;

	if (settings_of_client(client, t->pool, &t->settings, &error) < 0) {
		e_error(client->event, "mxguard: all recipients are deferred with 451 4.3.5: settings: %s", error);
		return TROUBLE_CONFIGURATION;
	}
	t->lookups = lookups_get(t->settings.config, check_finished);
	if (t->lookups == NULL)
		return TROUBLE_MEMORY;
	ret = lookups_check(t->lookups, &t->check);
	report_notices(lookups_session(t->lookups), client->event);
	if (ret < 0)
		return ret == MXGUARD_ERROR_CONFIG ? TROUBLE_CONFIGURATION : TROUBLE_MEMORY;
	t->policy = mxguard_session_policy(lookups_session(t->lookups));
	error = apply(t->check, MXGUARD_ALL, &t->settings, t->pool);
	if (error != NULL) {
		e_error(client->event, "mxguard: all recipients are deferred with 451 4.3.5: %s", error);
		return TROUBLE_CONFIGURATION;
	}
	describe(t);
	return TROUBLE_NONE;
}

struct transaction *transaction_get(struct session *session)
{
	struct transaction *t = session->transaction;
	pool_t pool;

	if (t != NULL)
		return t;
	pool = pool_alloconly_create("mxguard transaction", 1024);
	t = p_new(pool, struct transaction, 1);
	t->pool = pool;
	t->refcount = 1;
	t->session = session;
	t->trans = smtp_server_connection_get_transaction(session->client->conn);
	session->transaction = t;
	session->had_transaction = TRUE;
	t->trouble = prepare(t);
	return t;
}

void transaction_ref(struct transaction *t)
{
	t->refcount++;
}

void transaction_unref(struct transaction **_t)
{
	struct transaction *t = *_t;

	*_t = NULL;
	if (--t->refcount > 0)
		return;
	if (t->check != NULL)
		lookups_release(t->lookups, t->check);
	pool_unref(&t->pool);
}

/* It can still run for a recipient that went away while it waited. */
void transaction_stop(struct transaction *t)
{
	if (t->running)
		lookups_cancel(t->lookups, t->check);
	t->running = FALSE;
}

void transaction_end(struct session *session)
{
	struct transaction *t = session->transaction;

	if (t == NULL)
		return;
	session->transaction = NULL;
	transaction_stop(t);
	t->session = NULL;
	while (t->waiting != NULL) {
		struct recipient *r = t->waiting;

		DLLIST_REMOVE(&t->waiting, r);
		r->transaction = NULL;
	}
	t->data_continue = NULL;
	i_stream_unref(&t->data_input);
	transaction_unref(&t);
}

/* ---- deciding --------------------------------------------------------------- */

bool transaction_add(struct transaction *t, struct recipient *r)
{
	size_t index;

	if (mxguard_check_add_recipient(t->check, smtp_address_encode(r->lrcpt->rcpt->path), &index) < 0)
		return FALSE;
	r->index = index;
	r->added = TRUE;
	return TRUE;
}

int transaction_run(struct transaction *t)
{
	int progress = lookups_start(t->lookups, t->check, t);

	t->running = progress == MXGUARD_PROGRESS_NEED_DNS;
	return progress;
}

/* ---- the user's own settings ------------------------------------------------ */

static bool same_settings(const struct plugin_settings *a, const struct plugin_settings *b)
{
	for (unsigned i = 0; i < OVERRIDE_COUNT; i++)
		if (null_strcmp(a->values[i], b->values[i]) != 0)
			return FALSE;
	return TRUE;
}

/* 1 where the user has settings of his own, 0 where not, -1 with an error. */
static int user_settings(struct transaction *t, struct recipient *r, struct plugin_settings *set_r,
			 const char **error_r)
{
	struct mail_storage_service_user *user;
	int ret = lookup_recipient(t->session->client, r->lrcpt, &user, error_r);

	if (ret < 0)
		r->trouble = TROUBLE_USERDB;
	if (ret <= 0)
		return ret < 0 ? -1 : 0; /* who does not exist has no settings */
	*set_r = t->settings;
	ret = settings_of_service_user(user, r->lrcpt->rcpt->event, t->pool, set_r, error_r);
	mail_storage_service_user_unref(&user);
	if (ret < 0)
		return -1;
	return same_settings(set_r, &t->settings) ? 0 : 1;
}

/* A recipient that is decided stays so: the address is added once more, with the other
 * settings. Its domain is already evaluated, so that nothing is asked again. */
static const char *decide_again(struct transaction *t, struct recipient *r, const struct plugin_settings *set)
{
	size_t before = r->index;
	const char *error;

	if (!transaction_add(t, r))
		return "out of memory";
	error = apply(t->check, r->index, set, t->pool);
	if (error != NULL) {
		r->index = before;
		return error;
	}
	if (mxguard_check_run(t->check, ioloop_time) < 0 || !recipient_decided(t, r)) {
		r->index = before;
		return "cannot be decided";
	}
	return NULL;
}

void recipient_judge(struct transaction *t, struct recipient *r)
{
	struct plugin_settings set;
	const char *error = NULL;
	int ret;

	if (r->judged || mxguard_check_would(t->check, r->index) == MXGUARD_ACTION_ACCEPT)
		return;
	r->judged = TRUE;
	ret = user_settings(t, r, &set, &error);
	if (ret >= 0)
		error = ret == 0 ? NULL : decide_again(t, r, &set);
	if (error == NULL)
		return;
	if (r->trouble == TROUBLE_NONE)
		r->trouble = TROUBLE_CONFIGURATION;
	e_error(r->lrcpt->rcpt->event, "mxguard: deferred with 451 %s: the user's settings: %s%s",
		troubles[r->trouble].status, r->trouble == TROUBLE_USERDB ? "userdb lookup failed: " : "", error);
}

void recipient_tag_only(struct transaction *t, struct recipient *r)
{
	struct plugin_settings set = t->settings;

	set.values[OVERRIDE_ON_DIRECT] = "tag";
	set.values[OVERRIDE_ON_DIRECT_QUEUED] = "tag";
	set.values[OVERRIDE_ON_UNKNOWN] = "tag";
	set.values[OVERRIDE_ON_UNREADABLE] = "tag";
	if (decide_again(t, r, &set) != NULL)
		r->trouble = TROUBLE_MEMORY;
}

enum mxguard_action recipient_action(const struct transaction *t, const struct recipient *r)
{
	return r->trouble != TROUBLE_NONE ? MXGUARD_ACTION_DEFER : mxguard_check_action(t->check, r->index);
}

void recipient_refuse(struct transaction *t, struct recipient *r)
{
	struct smtp_server_recipient *rcpt = r->lrcpt->rcpt;
	int code = t->check == NULL || !r->added ? 451 : mxguard_check_reply_code(t->check, r->index);
	enum trouble trouble = t->trouble != TROUBLE_NONE ? t->trouble : r->trouble;

	if (trouble != TROUBLE_NONE || (code != 451 && code != 550))
		smtp_server_recipient_reply(rcpt, 451, troubles[trouble].status, "%s", troubles[trouble].reply);
	else
		smtp_server_recipient_reply(rcpt, (unsigned int)code,
					    mxguard_check_text(t->check, r->index, MXGUARD_TEXT_STATUS), "%s",
					    mxguard_check_text(t->check, r->index, MXGUARD_TEXT_REPLY));
}
