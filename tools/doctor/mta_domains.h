/* SPDX-License-Identifier: MIT */
#ifndef MXG_MTA_DOMAINS_H
#define MXG_MTA_DOMAINS_H

#include <stdbool.h>

#include "base/address.h"

/* Domains that an MTA takes mail for, as its configuration lists them. */
struct mxg_domain_sink {
	void (*name)(void *to, const char *name); /* lookups and patterns are no names, and may be among them */
	void (*unread)(void *to, const char *table); /* one whose domains cannot be listed; NULL: nobody cares */
	void *to;
};

/* Of a setting of Postfix's that is a domain_list, with the files and tables that it names. */
void mxg_postfix_domains(const char *folder, const char *setting, const struct mxg_domain_sink *sink);
/* A word of mynetworks and the like: 192.0.2.0/24, [2001:db8::]/32. False: a name or a table. */
bool mxg_postfix_network(const char *word, struct mxg_prefix *out);
/* Exim's local_domains. */
void mxg_exim_domains(const char *config, const struct mxg_domain_sink *sink);

#endif
