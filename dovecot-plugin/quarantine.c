/* SPDX-License-Identifier: MIT */
/* Into the user's mailbox for suspicious mail, or back to the sender's queue; never into INBOX. */
#include "quarantine.h"

#include "dovecot-compat.h"

#include "mail-namespace.h"
#include "mail-storage.h"
#include "unichar.h"

/* Missing where nothing is delivered; see dovecot-compat.h. */
#pragma weak mail_deliver_hook_set
#pragma weak mail_deliver_save

#define JUNK "\\Junk"
#define UNAVAILABLE "Mailbox for suspicious mail is not available"

/* ---- which mailbox ---------------------------------------------------------- */

/* As the delivery itself will open it: only to save in it. */
static struct mailbox *alloc(struct mail_user *user, const char *vname)
{
	return mailbox_alloc_for_user(user, vname, MAILBOX_FLAG_POST_SESSION);
}

static bool is_inbox(struct mailbox *box)
{
	return mailbox_is_any_inbox(box) || strcasecmp(mailbox_get_vname(box), "INBOX") == 0;
}

/* 0 where it can be opened; the box is freed. */
static int try_open(struct mailbox *box, struct mail_user *user, struct quarantine_box *q)
{
	int ret = is_inbox(box) ? -1 : mailbox_open(box);

	q->name = p_strdup(user->pool, mailbox_get_vname(box));
	q->cause = MAIL_ERROR_NONE;
	if (is_inbox(box))
		q->error = "it is the INBOX";
	else if (ret < 0)
		q->error = t_strdup(mailbox_get_last_internal_error(box, &q->cause));
	mailbox_free(&box);
	return ret;
}

/* A new box: one that was not found cannot be opened after it is made. */
static int create(struct mail_user *user, struct quarantine_box *q)
{
	struct mailbox *box = alloc(user, q->name);
	int ret = mailbox_create(box, NULL, FALSE);

	if (ret < 0) {
		q->error = t_strdup(mailbox_get_last_internal_error(box, &q->cause));
		if (q->cause == MAIL_ERROR_EXISTS) /* another delivery was quicker */
			ret = 0;
	}
	if (ret == 0 && mailbox_set_subscribed(box, TRUE) < 0) {
		q->error = t_strdup(mailbox_get_last_internal_error(box, &q->cause));
		ret = -1;
	}
	mailbox_free(&box);
	return ret;
}

/* The mailbox that would be the special-use one if it existed; NULL: none is configured. */
static const char *configured_junk(struct mail_namespace *ns)
{
	configured_mailbox_t *set;

	if (!array_is_created(namespace_mailboxes(ns)))
		return NULL;
	array_foreach_elem(namespace_mailboxes(ns), set)
		if (mailbox_has_configured_use(set, JUNK) && strpbrk(set->name, "*?") == NULL)
			return t_strconcat(ns->prefix, set->name, NULL);
	return NULL;
}

/* With the prefix of the INBOX's namespace, unless the name has a prefix already. */
static const char *with_prefix(struct mail_user *user, struct mail_namespace *inbox, const char *name)
{
	const struct mail_namespace *ns = mail_namespace_find(user->namespaces, name);

	if (ns->prefix_len > 0 && strncasecmp(name, ns->prefix, ns->prefix_len) == 0)
		return name;
	return t_strconcat(inbox->prefix, name, NULL);
}

static int open_or_create(struct mail_user *user, const char *vname, struct quarantine_box *q)
{
	if (try_open(alloc(user, vname), user, q) == 0)
		return 0;
	if (q->cause != MAIL_ERROR_NOTFOUND || create(user, q) < 0)
		return -1;
	return try_open(alloc(user, vname), user, q);
}

int quarantine_open(struct mail_user *user, const char *name, struct quarantine_box *q)
{
	struct mail_namespace *inbox = mail_namespace_find_inbox(user->namespaces);
	const char *vname;

	i_zero(q);
	if (try_open(mailbox_alloc_for_user(user, JUNK, MAILBOX_FLAG_SPECIAL_USE | MAILBOX_FLAG_POST_SESSION), user,
		     q) == 0)
		return 0;
	if (q->cause != MAIL_ERROR_NOTFOUND)
		return -1;
	vname = configured_junk(inbox);
	if (vname != NULL)
		return open_or_create(user, vname, q);
	if (!uni_utf8_str_is_valid(name)) { /* Dovecot asserts that it is */
		q->name = "quarantine_mailbox";
		q->error = "not valid UTF-8";
		return -1;
	}
	return open_or_create(user, with_prefix(user, inbox, name), q);
}

void quarantine_complain(struct event *event, const struct quarantine_box *q)
{
	e_error(event, "mxguard: cannot quarantine, deferred: mailbox %s: %s", q->name, q->error);
}

/* ---- the delivery ----------------------------------------------------------- */

static bool failed_for_now(struct mail_deliver_context *ctx, struct mail_storage *storage)
{
	enum mail_error error;

	if (ctx->tempfail_error != NULL)
		return TRUE;
	if (storage == NULL)
		return FALSE;
	(void)mail_storage_get_last_error(storage, &error);
	return error == MAIL_ERROR_TEMP;
}

/* Without an error of ours Dovecot would save the message in INBOX, now that it cannot be saved
 * where it belongs. */
static int not_delivered(struct mail_deliver_context *ctx, struct mail_storage *storage)
{
	struct quarantine_box q = { .name = ctx->rcpt_default_mailbox, .error = "not saved" };

	if (storage != NULL)
		q.error = mail_storage_get_last_internal_error(storage, &q.cause);
	quarantine_complain(ctx->event, &q);
	if (ctx->tempfail_error == NULL)
		ctx->tempfail_error = UNAVAILABLE;
	return -1;
}

int quarantine_deliver(struct mail_deliver_context *ctx, deliver_mail_func_t *next, struct mail_storage **storage_r)
{
	int ret = next == NULL ? 0 : next(ctx, storage_r);

	if (ret > 0 || ctx->saved_mail)
		return ret;
	if (ctx->tried_default_save || (ret < 0 && failed_for_now(ctx, *storage_r)))
		return not_delivered(ctx, *storage_r);
	if (mail_deliver_save(ctx, ctx->rcpt_default_mailbox, 0, NULL, storage_r) < 0)
		return not_delivered(ctx, *storage_r);
	return 1;
}

static deliver_mail_func_t *next_deliver;

static int deliver_quarantined(struct mail_deliver_context *ctx, struct mail_storage **storage_r)
{
	return quarantine_deliver(ctx, next_deliver, storage_r);
}

void quarantine_begin(void)
{
	next_deliver = mail_deliver_hook_set(deliver_quarantined);
}

void quarantine_end(void)
{
	(void)mail_deliver_hook_set(next_deliver);
}
