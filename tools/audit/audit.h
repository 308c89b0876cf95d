/* SPDX-License-Identifier: MIT */
#ifndef MXG_AUDIT_H
#define MXG_AUDIT_H

#include "audit/asker.h"
#include "audit/self.h"
#include "domain_names.h"

/*
 * `mxguard audit`: by which names mail can still reach this host. asker.c asks DNS; run.c goes through the
 * domains, domain.c says what is asked about one of them, spf.c and sts.c read what such a record gives away,
 * past.c what the history knows, host.c what the host itself tells; name.c finds out where a name leads,
 * row.c tells it. What listens here stands in listeners.h, what guards it in guard.h.
 */

/* What gives a name away. */
enum mxg_leak {
	MXG_LEAK_MX,
	MXG_LEAK_OLD_MX,
	MXG_LEAK_GUESSABLE,
	MXG_LEAK_WILDCARD,
	MXG_LEAK_SPF,
	MXG_LEAK_SRV,
	MXG_LEAK_MTA_STS,
	MXG_LEAK_TLSA,
	MXG_LEAK_PTR,
	MXG_LEAK_CERTIFICATE,
	MXG_LEAK_HOSTNAME,
	MXG_LEAKS
};
const char *mxg_leak_word(enum mxg_leak leak);
#define MXG_LEAK(NAME) (1u << MXG_LEAK_##NAME)

struct mxg_audit_job;
struct mxg_guards;
struct mxg_past;
struct mxg_policies;

#define MXG_OURS_MOST 16 /* addresses of one name */

/* A name that mail could be sent by, and why. */
struct mxg_audit_name {
	struct mxg_asking asking, tlsa;
	struct mxg_audit_job *job;
	struct mxg_audit_name *next;
	unsigned leaks; /* of enum mxg_leak */
	int64_t since, until; /* as MX, by the history; 0: not known, or still */
	struct mxg_address ours[MXG_OURS_MOST]; /* where it leads, as far as that is here */
	size_t count;
	uint64_t print; /* the sum of all its addresses, wherever; 0: it has none */
	bool gone; /* `ours` is what the history says: DNS does not give it any more */
	bool literal; /* an address stands for the name */
	struct mxg_name name;
};

struct mxg_audit;

struct mxg_audit_job {
	struct mxg_audit *audit;
	struct mxg_audit_job *next;
	const char *domain; /* NULL: the host's own names */
	struct mxg_name name;
	struct mxg_audit_name *names;
	size_t pending; /* answers that it waits for */
	size_t records; /* that its SPF record led to */
	bool cut; /* it leads to more of them than are asked for */
	bool second; /* the names are known, and what is asked about each is out */
	bool wants_policy; /* of MTA-STS */
	struct mxg_text *patterns; /* of its MTA-STS policy, such as ".example.com" */
};

struct mxg_text {
	struct mxg_text *next;
	char text[];
};

struct mxg_audit_row {
	const char *domain; /* NULL: none of ours */
	const char *name;
	struct mxg_address address;
	enum mxg_leak leak;
	int64_t since, until;
	unsigned port; /* 0: nothing listens */
	unsigned guard; /* enum mxg_guard */
	const char *advice;
};

/* Why something is not known. */
enum mxg_audit_trouble {
	MXG_TROUBLE_QUESTION, /* a question was not answered */
	MXG_TROUBLE_SILENCE, /* nor did any server say why: the resolver's fault, if it is so with all of them */
	MXG_TROUBLE_HERE /* it is no question to anybody */
};

struct mxg_audit {
	const struct mxguard_policy *policy;
	struct mxg_self self;
	struct mxg_names domains, labels; /* labels: more names to guess, or whole ones that end with a dot */
	struct mxg_asker *asker;
	struct mxg_guards *guards;
	struct mxg_past *past;
	struct mxg_policies *policies; /* of MTA-STS */
	/* Where rows go, and what could not be asked. */
	void (*row)(void *to, const struct mxg_audit_row *row);
	void (*failure)(void *to, enum mxg_audit_trouble trouble, const char *text);
	void *to;
	size_t failures, unguarded, unknown;
	bool nomem;
};

void mxg_audit_run(struct mxg_audit *audit, bool quiet); /* run.c */

/* name.c. What could not be asked is told there. */
struct mxg_audit_name *mxg_audit_name_add(struct mxg_audit_job *job, const struct mxg_name *name, enum mxg_leak leak);
/* LABEL.PARENT; false where that is no name. */
bool mxg_audit_name_below(struct mxg_name *out, const char *labels, const struct mxg_name *parent);
void mxg_audit_names_ask(struct mxg_audit_job *job); /* where they lead, of those that are new */
void mxg_audit_names_ask_tlsa(struct mxg_audit_job *job);
void mxg_audit_failed(struct mxg_audit *audit, const struct mxg_question *question, const struct mxg_reply *reply);
/* What is not known, and why: "which sockets listen here: Permission denied". */
void mxg_audit_failed_text(struct mxg_audit *audit, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* domain.c */
void mxg_audit_domain_begin(struct mxg_audit_job *job);
void mxg_audit_ask_record(struct mxg_audit_job *job, const struct mxg_name *name, uint16_t type, unsigned depth);

/* host.c: names that are not a domain's, but the host's */
void mxg_audit_host_begin(struct mxg_audit_job *job);

/* spf.c */
void mxg_audit_spf(struct mxg_audit_job *job, const struct mxg_name *owner, const char *text, size_t len,
		   unsigned depth);

/* row.c */
void mxg_audit_rows(struct mxg_audit_job *job);

#endif
