/* SPDX-License-Identifier: MIT */
#ifndef MXG_DOVECOT_COMPAT_H
#define MXG_DOVECOT_COMPAT_H

/* Dovecot 2.3 (Debian 12) and 2.4 (Debian 13): everything that differs is here, and in
 * settings_23.c and settings_24.c. */

#include "config.h"
#include "lib.h"
#include "array.h"
#include "istream.h"
#include "lda-settings.h"
#include "lmtp-common.h"
#include "lmtp-recipient.h"
#include "mail-namespace.h"
#include "mail-storage-service.h"
#include "mail-storage-settings.h"
#include "mail-user.h"
#include "module-context.h"
#include "smtp-address.h"
#include "smtp-server-private.h"

#if DOVECOT_PREREQ(2, 4, 0)
#define MXG_DOVECOT_24 1
#else
#define MXG_DOVECOT_24 0
#endif

#define EXPORTED __attribute__((visibility("default")))

/*
 * Not every process that loads mail plugins is lmtp: these names are missing in imap, pop3
 * and doveadm. Each is compared with NULL before it is used, so that the plugin loads there
 * and does nothing.
 */
#pragma weak lmtp_client_created_hook_set
#pragma weak lmtp_module_register
#pragma weak lmtp_recipient_module_register
#pragma weak storage_service

static inline const struct lda_settings *client_lda_set(const struct client *client)
{
#if MXG_DOVECOT_24
	return client->lda_set;
#else
	return client->unexpanded_lda_set;
#endif
}

/* The mailboxes that a namespace's configuration names. */
#if MXG_DOVECOT_24
#define namespace_mailboxes(ns) (&(ns)->set->parsed_mailboxes)
typedef const struct mailbox_settings configured_mailbox_t;
#else
#define namespace_mailboxes(ns) (&(ns)->set->mailboxes)
typedef struct mailbox_settings configured_mailbox_t;
#endif

static inline bool mailbox_has_configured_use(configured_mailbox_t *set, const char *use)
{
#if MXG_DOVECOT_24
	const char *each;

	array_foreach_elem(&set->special_use, each)
		if (strcasecmp(each, use) == 0)
			return TRUE;
	return FALSE;
#else
	return str_array_icase_find(t_strsplit_spaces(set->special_use, " "), use);
#endif
}

/* What lmtp's own lookup of a local recipient passes on; the user name as lmtp computes it. */
static inline int lookup_recipient(struct client *client, struct lmtp_recipient *lrcpt,
				   struct mail_storage_service_user **user_r, const char **error_r)
{
	struct smtp_server_recipient *rcpt = lrcpt->rcpt;
	struct mail_storage_service_input input;
	const char *username, *detail;
	char delim;

	smtp_address_detail_parse_temp(client_lda_set(client)->recipient_delimiter, rcpt->path, &username, &delim,
				       &detail);
	i_zero(&input);
	input.service = "lmtp";
	input.username = username;
	input.local_ip = client->local_ip;
	input.remote_ip = client->remote_ip;
	input.local_port = client->local_port;
	input.remote_port = client->remote_port;
	input.session_id = lrcpt->session_id;
	input.forward_fields = lrcpt->forward_fields;
	input.event_parent = rcpt->event;
#if MXG_DOVECOT_24
	input.local_name = client->local_name;
#else
	input.module = "lmtp";
	input.conn_ssl_secured = smtp_server_connection_is_ssl_secured(client->conn);
	input.conn_secured = input.conn_ssl_secured || smtp_server_connection_is_trusted(client->conn);
#endif
	return mail_storage_service_lookup(storage_service, &input, user_r, error_r);
}

#endif
