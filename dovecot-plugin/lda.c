/* SPDX-License-Identifier: MIT */
/* dovecot-lda: one recipient, an MTA behind us that waits for an exit status. */
#include "lda.h"

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

struct lda_delivery {
	struct mail_deliver_context *ctx;
	struct mxguard_session *session;
};

static int read_header(void *context, struct mxguard_check *check)
{
	const struct lda_delivery *d = context;
	struct header_scan scan;
	struct istream *input;

	if (mail_get_stream(d->ctx->src_mail, NULL, NULL, &input) < 0 ||
	    header_scan(input, mxguard_session_policy(d->session), check, d->ctx->pool, &scan) < 0)
		return MXGUARD_ERROR_IO;
	return mxguard_check_set_ids(check, NULL, scan.message_id);
}

static int quarantine(struct mxguard_check *check, struct mail_deliver_context *ctx, struct mail_storage **storage_r)
{
	const char *mailbox = mxguard_check_text(check, 0, MXGUARD_TEXT_QUARANTINE_MAILBOX);
	struct quarantine_box box;

	if (quarantine_open(ctx->rcpt_user, mailbox, &box) < 0) {
		quarantine_complain(ctx->rcpt_user->event, &box);
		return defer(ctx, "4.2.0 Mailbox for suspicious mail is not available");
	}
	ctx->rcpt_default_mailbox = box.name;
	return quarantine_deliver(ctx, next_deliver, storage_r);
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

static int deliver_checked(struct lda_delivery *d, const struct plugin_settings *set, struct mail_storage **storage_r)
{
	struct mail_deliver_context *ctx = d->ctx;
	struct mxguard_check *check;
	const char *error;
	int ret;

	if (mxguard_session_check(d->session, &check, 0) < 0)
		return defer(ctx, "4.3.0 out of memory");
	report_notices(d->session, ctx->rcpt_user->event);
	describe(check, ctx);
	error = apply(check, set);
	if (error != NULL)
		return defer_for_configuration(ctx, error);
	/* nothing else goes on in this process: it may wait, for dns.timeout at the most */
	(void)mxguard_check_add_recipient(check, smtp_address_encode(ctx->rcpt_to), NULL);
	ret = mxguard_session_decide(d->session, check, read_header, d, -1);
	if (ret != MXGUARD_PROGRESS_DONE)
		return defer(ctx, ret == MXGUARD_ERROR_IO ? "4.3.0 the message cannot be read" : "4.3.0 out of memory");
	return act(check, ctx, storage_r);
}

static int deliver(struct mail_deliver_context *ctx, struct mail_storage **storage_r)
{
	struct lda_delivery d = { .ctx = ctx };
	struct plugin_settings set;
	char message[MESSAGE_MAX];
	const char *error;
	int ret;

	i_zero(&set);
	if (settings_of_user(ctx->rcpt_user, ctx->pool, &set, &error) < 0)
		return defer_for_configuration(ctx, error);
	if (mxguard_session_open(&d.session, set.config, 0, message, sizeof(message)) < 0)
		return defer_for_configuration(ctx, message);
	ret = deliver_checked(&d, &set, storage_r);
	mxguard_session_free(d.session);
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
