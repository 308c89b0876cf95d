/* SPDX-License-Identifier: MIT */
#ifndef MXG_CHECK_INTERNAL_H
#define MXG_CHECK_INTERNAL_H

#include "dns/answers.h"
#include "base/arena.h"
#include "spf/evaluate.h"
#include "mxguard.h"
#include "policy/setting.h"
#include "check/past.h"
#include "check/reasons.h"
#include "base/text_list.h"
#include "check/certificate.h"
#include "check/token_reader.h"

/* What one check consists of; shared by check*.c, boundary.c, decide*.c and report.c only. */

struct mxg_trace;
struct mxg_trace_reading;

struct mxg_outcome {
	enum mxguard_verdict verdict;
	enum mxg_reason reason;
	const struct mxg_gateway *gateway; /* NULL: none */
	const struct mxg_term *term;
	const char *detail; /* what is wrong, printable; NULL: nothing to add */
};

/* Whose a domain is (docs/design.md, "Our domains"). */
enum mxg_standing {
	MXG_STANDING_OPEN = 0, /* nobody has looked */
	MXG_STANDING_LISTED, /* in `domains`, `domains_file` */
	MXG_STANDING_OURS, /* a policies block names it, or there is no list */
	MXG_STANDING_HOST, /* a name of this host, and not listed */
	MXG_STANDING_FOREIGN,
	MXG_STANDING_DOUBT /* the file cannot be read */
};

/* Who handed the message to the gateway (origin.c). */
struct mxg_origin {
	enum { MXG_ORIGIN_OPEN = 0, MXG_ORIGIN_NONE, MXG_ORIGIN_FOUND } state;
	struct mxg_address address;
	const char *helo;
	unsigned hop;
};

/* A Received field below the boundary hop. */
struct mxg_lower_field {
	struct mxg_lower_field *next;
	unsigned number;
	size_t len;
	char bytes[];
};

/* One domain under one ruleset: evaluated once, however many recipients it has. */
struct mxg_domain_check {
	const struct mxg_address *client; /* whom a gateway's field names is judged; NULL: the boundary peer */
	struct mxg_origin origin; /* where the boundary peer is a gateway of the domain */
	const struct mxg_ruleset *ruleset;
	const char *domain; /* lower case, without trailing dot; "" where there is none */
	size_t domain_len;
	bool done;
	bool dirty; /* an answer it waited for has come */
	bool needs_header; /* a token would decide it */
	bool settling; /* its MX set changed a short time ago */
	bool mx_known; /* … and where not, the snapshot knows it */
	enum mxg_standing standing;
	size_t waiting_count;
	int waiting[32]; /* entries asked for; more than these: always dirty */
	uint8_t *asked_again; /* a bit for each entry whose stale answer it had asked for again; NULL: none */
	struct mxg_outcome outcome;
	struct mxg_text_list steps;
};

/* Another address by which the recipient is known. */
struct mxg_recipient_name {
	struct mxg_recipient_name *next;
	const char *address;
	const char *domain;
	size_t len, domain_len;
	int domain_check; /* -1: not to be tried */
};
#define MXG_NAME_UNTRIED (-2)

/* What the front end's own configuration says instead of the ruleset. */
struct mxg_override {
	unsigned set; /* bits, enum mxg_override_bit: which of the rules are said */
	struct mxg_ruleset rules;
};

struct mxg_recipient {
	const char *address; /* local part as it came, domain in lower case */
	const char *domain;
	size_t len, domain_len;
	const struct mxg_ruleset *ruleset;
	struct mxg_recipient_name *names;
	struct mxg_override *override; /* NULL: none of its own */
	struct mxg_recipient *routes; /* all addresses at which it may end; NULL: it is the only one */
	int domain_check; /* -1: not made */
	bool decided;
	enum mxguard_mode mode;
	enum mxguard_action action, would;
	struct mxg_outcome outcome;
	/* of a route only: */
	struct mxg_recipient *next;
	enum mxg_reason doubt; /* what it is known for in place of a domain's records; UNDECIDED: nothing */
	bool mailbox; /* a mailbox of this host that may be the domain's */
	const struct mxg_recipient_name *shared; /* the recipient's names from here on are its own, too */
};

enum mxg_boundary_state {
	MXG_BOUNDARY_OPEN = 0, /* nobody has looked */
	MXG_BOUNDARY_NEEDS_HEADER,
	MXG_BOUNDARY_PEER, /* `boundary` is the host to judge */
	MXG_BOUNDARY_VERDICT /* boundary_outcome is final for every recipient */
};

/* What drives the check to its end (resolver/resolver.c); nothing in this folder looks at it. */
struct mxg_job;

/* Where a session keeps the check (resolver/era.c); nothing in this folder looks at it. */
struct mxg_check_place {
	struct mxg_era *era;
	struct mxguard_check *prev, *next;
	void *user;
	bool under_way;
};

struct mxguard_check {
	struct mxg_check_place kept;
	struct mxg_job *job; /* NULL: no resolver's */
	struct mxguard_policy *policy;
	struct mxguard_snapshot *snapshot;
	const struct mxg_history *past; /* NULL: of now. Else what stood at past_time comes from there */
	/* mxg_history_load(): who never sets a past need not hold what reads one */
	enum mxg_history_cover (*past_load)(const struct mxg_history *, struct mxg_answers *, int, int64_t, int64_t);
	int64_t past_time;
	enum mxg_past past_cover;
	unsigned flags;
	int64_t now;
	/* the transaction */
	struct mxg_address peer, real_peer;
	bool peer_unreadable;
	enum mxguard_place place;
	const char *helo, *login, *sender, *id, *message_id;
	const struct mxg_certificate *certificate; /* NULL: the front end was told nothing */
	struct mxg_override override;
	/* the boundary */
	enum mxg_boundary_state boundary_state;
	struct mxg_address boundary;
	const char *boundary_helo;
	int hop;
	struct mxg_outcome boundary_outcome;
	const char *for_address; /* anchored `for <…>` of the boundary hop; NULL: none */
	bool header_ended;
	struct {
		struct mxg_lower_field *first, *last;
		size_t count, bytes;
		bool ended; /* all are there that are to be read */
	} below;
	bool age_read; /* the topmost field, for how long the message has waited: */
	int64_t queued_since; /* 0: not known */
	struct mxg_trace_reading *reading; /* made when the first header byte comes */
	struct mxg_token_reader tokens;
	/* recipients and their domains */
	struct mxg_recipient *recipients;
	size_t recipient_count, recipient_room;
	struct mxg_domain_check *domains;
	size_t domain_count, domain_room;
	/* DNS */
	struct mxg_answers *answers; /* made at the first DNS term */
	int *questions; /* entries, in the order in which they became wanted; not reported from next_question on */
	size_t question_count, question_room, next_question;
	bool gave_up;
	bool out_of_memory;
	int setter_error; /* of the first setter that failed; enum mxguard_error */
	struct mxg_text_list steps; /* of the boundary */
	struct mxg_arena arena;
};

/* boundary.c */
/* Whether the peer (family 0: there is none) is looked through. */
bool mxg_peer_is_internal(const struct mxguard_policy *policy, const struct mxg_address *peer);
void mxg_boundary_decide(struct mxguard_check *check);
int mxg_boundary_feed(struct mxguard_check *check, const char *bytes, size_t len);
int mxg_boundary_end(struct mxguard_check *check);
/* Where a trace can be walked, once the boundary is known and the header is over. */
struct mxg_trace *mxg_boundary_spare_trace(struct mxguard_check *check);
void mxg_boundary_reset(struct mxguard_check *check);
void mxg_boundary_free(struct mxguard_check *check);

/* report.c */
/* By its number; one that is not decided for a number that does not exist. */
const struct mxg_recipient *mxg_check_recipient(const struct mxguard_check *check, size_t index);
const char *mxg_check_keep_result(const struct mxguard_check *check, const char *text);

/* origin.c */
/* Keeps a field for mxg_origin_run(); context is the check. */
bool mxg_origin_keep(void *context, unsigned number, const char *field, size_t len);
/* No more fields come; those up to hop `above` are not below the boundary. */
void mxg_origin_begin(struct mxguard_check *check, unsigned above);
/* False while it waits for DNS. Never changes what is decided. */
bool mxg_origin_run(struct mxguard_check *check);
/* NULL: there is none, or nobody has looked. */
const struct mxg_origin *mxg_origin_of(const struct mxguard_check *check, const struct mxg_recipient *recipient);

/* decide.c */
void mxg_decide_domain(struct mxguard_check *check, struct mxg_domain_check *domain);

/* action.c: from the outcome to the action */
void mxg_conclude_recipient(struct mxguard_check *check, struct mxg_recipient *recipient,
			    const struct mxg_outcome *outcome, bool settling);

/* check.c */
/* A new one's number; -1: no memory. The others may move. */
int mxg_check_new_domain(struct mxguard_check *check, const char *domain, size_t len,
			 const struct mxg_ruleset *ruleset);
const char *mxg_check_keep(struct mxguard_check *check, const char *text, size_t len);
/* printf into the check's memory; NULL where there is none */
const char *mxg_check_format(struct mxguard_check *check, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Appends a question to those that are to be asked. False: no memory. */
bool mxg_check_ask(struct mxguard_check *check, int entry);

struct mxg_recipient *mxg_check_new_recipient(struct mxguard_check *check);

/* transaction.c */
/* Setters may be chained: what failed first is what mxguard_check_run() returns. */
int mxg_check_setter_failed(struct mxguard_check *check, int error);
struct mxg_parsed {
	const char *address, *domain;
	size_t len, domain_len;
	bool odd; /* it may be more than local@domain */
};
/* Local part and domain, put together as a recipient's address; false: no memory. */
bool mxg_check_compose(struct mxguard_check *check, struct mxg_parsed *out, const char *local, size_t local_len,
		       const char *domain, size_t domain_len);
void mxg_recipient_init(struct mxg_recipient *recipient, const struct mxg_parsed *parsed,
			const struct mxg_ruleset *ruleset);

/* routes.c: every address at which the recipient may end, into its routes. path: as it came, without
 * brackets; simple: one local part, one domain. */
void mxg_routes_make(struct mxguard_check *check, struct mxg_recipient *recipient, const char *path, size_t len,
		     bool simple);
/* Gives the routes what the recipient has got since: names, an override. False: no memory. */
bool mxg_routes_share(struct mxguard_check *check, struct mxg_recipient *recipient);
/* Makes the answer of the route with the strictest action that of the recipient. */
void mxg_routes_conclude(struct mxg_recipient *recipient);

/* standing.c */
enum mxg_standing mxg_check_standing(const struct mxguard_check *check, const char *domain, size_t len);
/* Whether the domain is one of ours (`domains`, `domains_file`): 1, 0, or -1 where the file
 * cannot be read. */
int mxg_check_is_local(const struct mxguard_check *check, const char *domain, size_t len);

/* override.c */
const struct mxg_override *mxg_check_override_for(const struct mxguard_check *check,
						  const struct mxg_recipient *recipient, unsigned bit);

#endif
