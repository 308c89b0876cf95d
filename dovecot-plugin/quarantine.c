/* SPDX-License-Identifier: MIT */
#include "quarantine.h"

#include "dovecot-compat.h"

#include "mail-namespace.h"
#include "mail-storage.h"

static int name_of(struct mailbox *box, struct mail_user *user, const char **mailbox_r)
{
	*mailbox_r = p_strdup(user->pool, mailbox_get_vname(box));
	mailbox_free(&box);
	return 0;
}

static int fail(struct mailbox *box, const char **error_r)
{
	enum mail_error error;

	*error_r = t_strdup_printf("%s: %s", mailbox_get_vname(box), mailbox_get_last_internal_error(box, &error));
	mailbox_free(&box);
	return -1;
}

/* A new box: one that was not found cannot be opened after it is made. */
static int create(struct mail_namespace *ns, const char *vname, const char **error_r)
{
	struct mailbox *box = mailbox_alloc(ns->list, vname, MAILBOX_FLAG_POST_SESSION);
	enum mail_error error;

	if (mailbox_create(box, NULL, FALSE) < 0) {
		(void)mailbox_get_last_error(box, &error);
		if (error != MAIL_ERROR_EXISTS) /* another delivery was quicker */
			return fail(box, error_r);
	}
	if (mailbox_set_subscribed(box, TRUE) < 0)
		return fail(box, error_r);
	mailbox_free(&box);
	return 0;
}

/* 0, or -1 with *missing_r set where there is no such mailbox. */
static int open_named(struct mail_user *user, struct mail_namespace *ns, const char *vname, bool *missing_r,
		      const char **mailbox_r, const char **error_r)
{
	struct mailbox *box = mailbox_alloc(ns->list, vname, MAILBOX_FLAG_POST_SESSION);
	enum mail_error error;

	*missing_r = FALSE;
	if (mailbox_open(box) == 0)
		return name_of(box, user, mailbox_r);
	(void)mailbox_get_last_error(box, &error);
	*missing_r = error == MAIL_ERROR_NOTFOUND;
	return fail(box, error_r);
}

int quarantine_open(struct mail_user *user, const char *name, const char **mailbox_r, const char **error_r)
{
	struct mail_namespace *ns;
	struct mailbox *box;
	const char *vname;
	bool missing;

	box = mailbox_alloc_for_user(user, "\\Junk", MAILBOX_FLAG_SPECIAL_USE | MAILBOX_FLAG_POST_SESSION);
	if (mailbox_open(box) == 0)
		return name_of(box, user, mailbox_r);
	mailbox_free(&box);

	ns = mail_namespace_find_inbox(user->namespaces);
	vname = t_strconcat(ns->prefix, name, NULL);
	if (open_named(user, ns, vname, &missing, mailbox_r, error_r) == 0)
		return 0;
	if (!missing || create(ns, vname, error_r) < 0)
		return -1;
	return open_named(user, ns, vname, &missing, mailbox_r, error_r);
}
