/* SPDX-License-Identifier: MIT */
/* What Postfix is set to. */
#include <stdlib.h>
#include <string.h>

#include "base/host.h"
#include "doctor/mta_domains.h"
#include "doctor/program.h"
#include "setup.h"

#define WIDE_BITS 8 /* a shorter range is everybody, not ours */

struct source {
	struct mxg_setup *setup;
	const char *why;
};

static void take_domain(void *to, const char *name)
{
	struct source *source = to;
	mxg_setup_add_domain(source->setup, name, source->why);
}

static void take_unread(void *to, const char *table)
{
	struct source *source = to;
	mxg_setup_add(source->setup, &source->setup->unread, table, source->why);
}

static void take_origin(void *to, const char *word)
{
	struct source *source = to;
	struct mxg_prefix prefix;
	if (word[0] != '!' && mxg_postfix_network(word, &prefix) && prefix.bits >= WIDE_BITS)
		mxg_setup_add_prefix(source->setup, &source->setup->origins, &prefix, source->why);
}

static void take_relay(void *to, const char *word)
{
	struct source *source = to;
	struct mxg_prefix prefix;
	if (word[0] != '!' && mxg_postfix_network(word, &prefix) && prefix.bits >= WIDE_BITS)
		mxg_setup_add_prefix(source->setup, &source->setup->internal, &prefix, source->why);
}

static void take_self(void *to, const char *word)
{
	struct source *source = to;
	struct mxg_prefix prefix;
	if (mxg_postfix_network(word, &prefix))
		mxg_setup_add_prefix(source->setup, &source->setup->self, &prefix, source->why);
}

static void words_of(struct mxg_setup *s, const char *setting, const char *why, void (*word)(void *, const char *))
{
	struct source source = { s, why };
	char *value = mxg_program_postfix_value(s->options->postfix, setting);
	if (value != NULL)
		mxg_program_words(value, word, &source);
	free(value);
}

static void domains_of(struct mxg_setup *s, const char *setting, const char *why)
{
	struct source source = { s, why };
	const struct mxg_domain_sink sink = { take_domain, take_unread, &source };
	mxg_postfix_domains(s->options->postfix, setting, &sink);
}

/* "lmtp:inet:192.0.2.1:24", "lmtp:[192.0.2.1]:24": where it is an address of this host, Postfix's own mail
 * comes to Dovecot from there. */
static void take_transport(struct mxg_setup *s, const char *setting)
{
	struct mxg_address *own = NULL, address;
	size_t count = 0;
	char *value = mxg_program_postfix_value(s->options->postfix, setting);
	const char *at = value != NULL && strncmp(value, "lmtp:", 5) == 0 ? value + 5 : NULL;
	if (at != NULL && strncmp(at, "inet:", 5) == 0)
		at += 5;
	if (at != NULL && mxg_host_addresses(&own, &count)) {
		bool brackets = at[0] == '[';
		size_t len = strcspn(at + brackets, brackets ? "]" : ":");
		struct mxg_prefix prefix;
		bool known = mxg_address_parse(&address, at + brackets, len, MXG_ADDRESS_BARE);
		prefix = (struct mxg_prefix){ .base = address, .bits = address.family == 4 ? 32 : 128 };
		for (size_t i = 0; known && i < count; i++)
			if (mxg_address_equal(&own[i], &address))
				mxg_setup_add_prefix(s, &s->internal, &prefix,
						     "Postfix delivers by LMTP to this address of its own host");
	}
	free(own);
	free(value);
}

/* Behind a NAT the host does not know all of its addresses. */
static void take_nat(struct mxg_setup *s)
{
	struct mxg_address *own = NULL;
	size_t count = 0;
	words_of(s, "proxy_interfaces", "Postfix's proxy_interfaces", take_self);
	if (s->self.count == 0 || !mxg_host_addresses(&own, &count))
		return;
	for (size_t i = 0; i < count; i++) {
		struct mxg_prefix prefix = { .base = own[i], .bits = own[i].family == 4 ? 32 : 128 };
		mxg_setup_add_prefix(s, &s->self, &prefix, "the interfaces");
	}
	free(own);
}

void mxg_setup_postfix(struct mxg_setup *s)
{
	const char *folder = s->options->postfix;
	char *name = mxg_program_postfix_value(folder, "myhostname");
	if (name == NULL)
		return;
	s->has_postfix = true;
	s->postfix_version = mxg_program_postfix_value(folder, "mail_version");
	mxg_setup_add_name(s, name, "Postfix's myhostname");
	free(name);
	domains_of(s, "virtual_mailbox_domains", "Postfix's virtual_mailbox_domains");
	domains_of(s, "virtual_alias_domains", "Postfix's virtual_alias_domains");
	domains_of(s, "mydestination", "Postfix's mydestination");
	words_of(s, "mynetworks", "Postfix's mynetworks", take_origin);
	words_of(s, "smtpd_authorized_xforward_hosts", "Postfix's smtpd_authorized_xforward_hosts", take_relay);
	words_of(s, "smtpd_authorized_xclient_hosts", "Postfix's smtpd_authorized_xclient_hosts", take_relay);
	take_transport(s, "virtual_transport");
	take_transport(s, "mailbox_transport");
	take_nat(s);
	s->restrictions = mxg_program_postfix_value(folder, "smtpd_recipient_restrictions");
	char *header = mxg_program_postfix_value(folder, "smtpd_sasl_authenticated_header");
	s->login_written = header != NULL && strcmp(header, "yes") == 0;
	free(header);
}
