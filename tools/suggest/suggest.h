/* SPDX-License-Identifier: MIT */
#ifndef MXG_SUGGEST_H
#define MXG_SUGGEST_H

#include <jansson.h>
#include <stdio.h>

#include "policy/catalogue.h"
#include "resolver/driver.h"

/* From a domain's MX hosts to the entries of `gateways` that let in what its filters deliver. */

#define MXG_SUGGEST_HOSTS 32 /* MX hosts; more are told of and not looked at */
#define MXG_SUGGEST_ENTRIES 8
#define MXG_SUGGEST_NOTES 24
#define MXG_SUGGEST_GUESSES 8

struct mxg_suggest_host {
	char name[256]; /* lower case; what is no host name is passed over */
	const struct mxg_vendor *vendor; /* NULL: nobody's that is known */
	bool self; /* one of its addresses is this server's */
};

/* As mxguard.conf has it. */
struct mxg_suggest_entry {
	char name[65];
	char allow[MXG_VENDOR_ALLOW_MAX];
	const struct mxg_vendor *vendor; /* NULL: from DNS alone */
	bool hosts_only; /* the vendor's MX hosts, for want of better */
};

struct mxg_suggestion {
	char domain[256]; /* lower case, A-label */
	struct mxg_suggest_host hosts[MXG_SUGGEST_HOSTS];
	size_t host_count;
	struct mxg_suggest_entry entries[MXG_SUGGEST_ENTRIES];
	size_t entry_count;
	char *notes[MXG_SUGGEST_NOTES];
	size_t note_count;
	char guesses[MXG_SUGGEST_GUESSES][256]; /* terms that published records make likely; nobody says so */
	size_t guess_count;
	bool failed; /* DNS does not say where the domain's mail goes: no entries */
	bool all_self; /* this server is the MX: no entries either */
};

struct mxg_suggest {
	struct mxguard_policy *policy; /* dns.servers, dns.timeout, self */
	struct mxg_catalogue *catalogue;
	struct mxg_driver *driver;
	struct mxg_address *own, loopback; /* this host's, where `self` names none */
	size_t own_count;
};

/* config NULL: none, that is, the system's resolver and this host's addresses. catalogue: as of
 * mxg_catalogue_open(). 0, or an exit status after a message. */
int mxg_suggest_open(struct mxg_suggest *suggest, const char *config, const char *catalogue);
/* The same with a policy that is there, which is referenced. */
int mxg_suggest_begin(struct mxg_suggest *suggest, struct mxguard_policy *policy, const char *catalogue);
void mxg_suggest_close(struct mxg_suggest *suggest);

/* The MX hosts alone, and whose they are. out->failed: DNS does not say. */
void mxg_suggest_hosts(struct mxg_suggest *suggest, const char *domain, struct mxg_suggestion *out);
/* Asks DNS; domain as mxg_domain_text() writes it. */
void mxg_suggest_domain(struct mxg_suggest *suggest, const char *domain, struct mxg_suggestion *out);
void mxg_suggestion_clear(struct mxg_suggestion *suggestion);
void mxg_suggest_note(struct mxg_suggestion *suggestion, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* guess.c: what records say that are published beside the MX hosts. */
void mxg_suggest_guess(struct mxg_suggest *suggest, struct mxg_suggestion *out);

/* show.c */
bool mxg_suggestion_shared(const struct mxg_suggestion *suggestion, bool *shared); /* false: not known */
json_t *mxg_suggestion_json(const struct mxg_suggestion *suggestion);
/* A block for mxguard.conf: one for domains that fare alike, `policies` where they do not. */
void mxg_suggestions_print(const struct mxg_suggestion *suggestions, size_t count, FILE *to);
/* The gateways alone where all domains fare alike, and these are all (complete); else each group under `policies`,
 * and the MX hosts for what is in none. False: there are no entries at all. */
bool mxg_suggestions_print_gateways(const struct mxg_suggestion *suggestions, size_t count, bool complete, FILE *to);

#endif
