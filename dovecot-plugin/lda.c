/* SPDX-License-Identifier: MIT */
/* dovecot-lda: one recipient, an MTA behind us that waits for an exit status. */
#include "lda.h"

#include "engine.h"
#include "header.h"
#include "plugin_settings.h"
#include "quarantine.h"
#include "report.h"

#include "mail-deliver.h"
#include "mail-storage.h"
#include "master-service.h"
#include "str-sanitize.h"

#include <stdlib.h>
#include <sysexits.h>

/* Missing where nothing is delivered; see dovecot-compat.h. */
#pragma weak mail_deliver_hook_set

#define MESSAGE_MAX 512
#define REASON_SHOWN 512

static deliver_mail_func_t *next_deliver;
static bool hooked;

/* A temporary failure: dovecot-lda exits with 75, and the MTA keeps the message. */
static int defer(struct mail_deliver_context *ctx, const char *text)
{
	ctx->tempfail_error = p_strdup(ctx->pool, text);
	return -1;
}

static int defer_for_configuration(struct mail_deliver_context *ctx, const char *error)
{
	e_error(ctx->rcpt_user->event, "mxguard: deferred: %s", error);
	return defer(ctx, "4.3.5 Mail system configuration error; try again later");
}

/* Says nothing itself in the way of delivery: the next hook, or the default mailbox. */
static int pass_on(struct mail_deliver_context *ctx, struct mail_storage **storage_r)
{
	return next_deliver == NULL ? -1 : next_deliver(ctx, storage_r);
}

static const char *apply(struct mxguard_check *check, const struct plugin_settings *set)
{
	char message[MESSAGE_MAX];

	for (unsigned i = 0; i < OVERRIDE_COUNT; i++) {
		message[0] = '\0';
		if (set->values[i] != NULL && mxguard_check_override(check, MXGUARD_ALL, override_names[i],
								     set->values[i], message, sizeof(message)) < 0)
			return t_strdup_printf("mxguard_%s", message[0] != '\0' ? message : override_names[i]);
	}
	return NULL;
}

/* The environment is the MTA's; without import_environment Dovecot removes it, and the
 * header has to tell. */
static void describe(struct mxguard_check *check, struct mail_deliver_context *ctx)
{
	const char *address = getenv("CLIENT_ADDRESS");

	(void)mxguard_check_set_peer_text(check, address == NULL ? "" : address);
	(void)mxguard_check_set_helo(check, getenv("CLIENT_HELO"));
	(void)mxguard_check_set_login(check, getenv("SASL_USERNAME"));
	(void)mxguard_check_set_sender(check, ctx->mail_from == NULL ? "" : smtp_address_encode(ctx->mail_from));
	(void)mxguard_check_set_place(check, MXGUARD_PLACE_QUEUED);
	(void)mxguard_check_set_ids(check, ctx->session_id == NULL ? ctx->rcpt_user->session_id : ctx->session_id,
				    NULL);
}

static int read_header(struct mxguard_check *check, struct mail_deliver_context *ctx,
		       struct mxguard_policy *policy)
{
	struct header_scan scan;
	struct istream *input;

	if (mail_get_stream(ctx->src_mail, NULL, NULL, &input) < 0)
		return -1;
	if (header_scan(input, policy, check, ctx->pool, &scan) < 0)
		return -1;
	(void)mxguard_check_header_end(check);
	return mxguard_check_set_ids(check, NULL, scan.message_id);
}

/* Nothing else goes on in this process: it may wait, for dns.timeout at the most. */
static int decide(struct mxguard_check *check, struct mail_deliver_context *ctx, struct mxguard_policy *policy)
{
	struct mxguard_resolver *resolver = NULL;
	mxguard_resolver_new(&resolver, policy);
	int progress = MXGUARD_ERROR_NOMEM;

	if (resolver == NULL)
		return -1;
	if (mxguard_check_add_recipient(check, smtp_address_encode(ctx->rcpt_to), NULL) == 0)
		progress = mxguard_resolver_run(resolver, check, -1);
	if (progress == MXGUARD_PROGRESS_NEED_HEADER && read_header(check, ctx, policy) == 0)
		progress = mxguard_resolver_run(resolver, check, -1);
	if (progress > 0 && progress != MXGUARD_PROGRESS_DONE)
		progress = mxguard_check_give_up(check, ioloop_time);
	mxguard_resolver_free(resolver);
	return progress < 0 ? -1 : 0;
}

static int quarantine(struct mxguard_check *check, struct mail_deliver_context *ctx, struct mail_storage **storage_r)
{
	const char *mailbox = mxguard_check_text(check, 0, MXGUARD_TEXT_QUARANTINE_MAILBOX);
	const char *error;

	if (quarantine_open(ctx->rcpt_user, mailbox, &mailbox, &error) < 0) {
		e_error(ctx->rcpt_user->event, "mxguard: cannot quarantine: %s", error);
		return defer(ctx, "4.2.0 Mailbox for suspicious mail is not available");
	}
	ctx->rcpt_default_mailbox = p_strdup(ctx->pool, mailbox);
	return pass_on(ctx, storage_r);
}

/* Permanent: the MTA makes the bounce. dovecot-lda's own rejection would be a message to a
 * sender that is forged most of the time. */
static void ATTR_NORETURN reject(struct mxguard_check *check)
{
	i_fatal_status(EX_NOPERM, "mxguard: %s %s", mxguard_check_text(check, 0, MXGUARD_TEXT_STATUS),
		       str_sanitize(mxguard_check_text(check, 0, MXGUARD_TEXT_REPLY), REASON_SHOWN));
}

static int act(struct mxguard_check *check, struct mail_deliver_context *ctx, struct mail_storage **storage_r)
{
	report_check(check, 0, ctx->event);
	switch (mxguard_check_action(check, 0)) {
	case MXGUARD_ACTION_ACCEPT:
	case MXGUARD_ACTION_TAG:
		return pass_on(ctx, storage_r);
	case MXGUARD_ACTION_QUARANTINE:
		return quarantine(check, ctx, storage_r);
	case MXGUARD_ACTION_REJECT:
		reject(check);
	case MXGUARD_ACTION_DEFER:
		break;
	}
	return defer(ctx, t_strdup_printf("%s %s", mxguard_check_text(check, 0, MXGUARD_TEXT_STATUS),
					  mxguard_check_text(check, 0, MXGUARD_TEXT_REPLY)));
}

static int deliver_checked(struct mail_deliver_context *ctx, struct engine *engine, const struct plugin_settings *set,
			   struct mail_storage **storage_r)
{
	struct mxguard_policy *policy = engine_policy(engine);
	struct mxguard_check *check;
	const char *error;
	int ret;

	if (policy == NULL)
		return defer_for_configuration(ctx, set->config);
	mxguard_check_new(&check, policy, engine_snapshot(engine), 0);
	if (check == NULL)
		return defer(ctx, "4.3.0 out of memory");
	describe(check, ctx);
	error = apply(check, set);
	if (error != NULL)
		ret = defer_for_configuration(ctx, error);
	else if (decide(check, ctx, policy) < 0)
		ret = defer(ctx, "4.3.0 out of memory");
	else
		ret = act(check, ctx, storage_r);
	mxguard_check_free(check);
	return ret;
}

static int deliver(struct mail_deliver_context *ctx, struct mail_storage **storage_r)
{
	struct plugin_settings set;
	struct engine *engine;
	const char *error;
	int ret;

	i_zero(&set);
	if (settings_of_user(ctx->rcpt_user, ctx->pool, &set, &error) < 0)
		return defer_for_configuration(ctx, error);
	engine = engine_get(set.config, ctx->rcpt_user->event);
	ret = deliver_checked(ctx, engine, &set, storage_r);
	engine_unref(&engine);
	return ret;
}

void lda_hook_init(void)
{
	if (mail_deliver_hook_set == NULL || strcmp(master_service_get_name(master_service), "lda") != 0)
		return;
	next_deliver = mail_deliver_hook_set(deliver);
	hooked = TRUE;
}

void lda_hook_deinit(void)
{
	if (hooked)
		(void)mail_deliver_hook_set(next_deliver);
	hooked = FALSE;
}
