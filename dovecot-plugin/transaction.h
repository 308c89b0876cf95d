/* SPDX-License-Identifier: MIT */
#ifndef MXG_PLUGIN_TRANSACTION_H
#define MXG_PLUGIN_TRANSACTION_H

#include "dovecot-compat.h"
#include "header.h"
#include "lookups.h"
#include "plugin_settings.h"

/* Why there is no decision; the reply is 451. */
enum trouble {
	TROUBLE_NONE,
	TROUBLE_CONFIGURATION, /* the file, Dovecot's own settings, or the user's */
	TROUBLE_USERDB, /* the user's settings could not be looked up */
	TROUBLE_MEMORY
};
/* The reason in the log. */
const char *trouble_code(enum trouble trouble);

/* What we keep of a connection, of a transaction, and of a recipient. */

struct session {
	union lmtp_module_context module_ctx; /* the functions that we replaced */
	struct client *client;
	struct transaction *transaction; /* from the first RCPT to trans_free */
	bool by_proxy; /* a PROXY header told the client's address */
	bool address_told; /* by XCLIENT */
	bool had_transaction;
};

/* In the recipient's pool; Dovecot frees it with the recipient. */
struct recipient {
	union lmtp_recipient_module_context module_ctx;
	struct recipient *prev, *next; /* in transaction->waiting */
	struct transaction *transaction; /* NULL: it does not wait */
	struct lmtp_recipient *lrcpt;
	struct smtp_server_cmd_ctx *cmd;
	size_t index; /* in the check, */
	bool added; /* … once it is there */
	bool judged; /* the user's own settings are taken into account */
	enum trouble trouble; /* this one cannot be decided */
	bool reported;
};

typedef void data_continue_t(struct transaction *t);

/* Outlives recipients, commands and connection where a callback is on its way; detached from
 * them by transaction_end(). */
struct transaction {
	int refcount;
	pool_t pool;
	struct session *session; /* NULL: ended */
	struct smtp_server_transaction *trans;
	struct plugin_settings settings;
	enum trouble trouble; /* nothing can be decided */
	struct lookups *lookups;
	struct mxguard_check *check; /* NULL where there is trouble */
	struct mxguard_policy *policy; /* the check's */
	bool running; /* the check is with the resolver */
	struct recipient *waiting; /* RCPT commands without a reply */
	struct header_scan header; /* of the message */
	/* the DATA command that waits */
	struct smtp_server_cmd_ctx *data_cmd;
	struct istream *data_input;
	uoff_t data_size;
	data_continue_t *data_continue;
};

struct session *session_of(struct client *client);
struct recipient *recipient_of(struct lmtp_recipient *lrcpt);
struct recipient *recipient_new(struct lmtp_recipient *lrcpt, struct smtp_server_cmd_ctx *cmd);

/* The client's, made at its first recipient. */
struct transaction *transaction_get(struct session *session);
void transaction_ref(struct transaction *t);
void transaction_unref(struct transaction **t);
/* The connection's transaction is over or the connection is gone. */
void transaction_end(struct session *session);

/* What the client said, or the host that told its address; NULL: nothing. */
const char *helo_of(struct transaction *t);

/* Adds the recipient to the check; false: no memory. */
bool transaction_add(struct transaction *t, struct recipient *r);
/* DONE, NEED_HEADER, NEED_DNS (then transaction_go_on() is called later), or an error. */
int transaction_run(struct transaction *t);
bool recipient_decided(const struct transaction *t, const struct recipient *r);

/* Nobody waits for the check any more. */
void transaction_stop(struct transaction *t);

/* rcpt.c: everything that waited for the check can go on. */
void transaction_go_on(struct transaction *t);

/* Takes the user's own settings into account, where they could matter. */
void recipient_judge(struct transaction *t, struct recipient *r);
/* A proxied recipient's message cannot be refused or put aside here once it has come: it is
 * tagged, and the backend acts on it. */
void recipient_tag_only(struct transaction *t, struct recipient *r);
enum mxguard_action recipient_action(const struct transaction *t, const struct recipient *r);
/* Replies with the refusal or deferral. */
void recipient_refuse(struct transaction *t, struct recipient *r);

/* rcpt.c, data.c: the client's commands */
int plugin_cmd_rcpt(struct client *client, struct smtp_server_cmd_ctx *cmd, struct lmtp_recipient *lrcpt);
int plugin_cmd_data(struct client *client, struct smtp_server_cmd_ctx *cmd, struct smtp_server_transaction *trans,
		    struct istream *data_input, uoff_t data_size);
int plugin_local_deliver(struct client *client, struct lmtp_recipient *lrcpt, struct smtp_server_cmd_ctx *cmd,
			 struct smtp_server_transaction *trans, struct lmtp_local_deliver_context *lldctx);

#endif
