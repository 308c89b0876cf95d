/* SPDX-License-Identifier: MIT */
/*
 * libmxguard: was this message handed to us by a gateway that is authorized for
 * the recipient's domain, or did it skip the filters? See libmxguard(3).
 *
 * A policy is what the administrator wrote; a check is one transaction; a
 * resolver asks DNS for checks. A session holds them together: most programs
 * need it and its checks alone. The library never logs, exits, or touches
 * signals, environment or process-wide state: it reports.
 *
 * Threads: a policy and a snapshot may be shared by any number of threads; a
 * check, a resolver and a session belong to one thread at a time.
 * Strings that are returned are borrowed: they live until their object is
 * changed or freed. Strings that are passed in are copied.
 */
#ifndef MXGUARD_H
#define MXGUARD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

struct sockaddr;
struct pollfd;
struct mxguard_policy;
struct mxguard_snapshot;
struct mxguard_check;
struct mxguard_filter;
struct mxguard_resolver;
struct mxguard_session;

/* Failures of a call, negative. They are never verdicts: see mxguard_check_verdict(). */
enum mxguard_error {
	MXGUARD_ERROR_NONE = 0,
	MXGUARD_ERROR_NOMEM = -1,
	MXGUARD_ERROR_INVALID = -2, /* an argument is out of its range; an unknown flag */
	MXGUARD_ERROR_STATE = -3, /* not at this stage of the check */
	MXGUARD_ERROR_CONFIG = -4, /* the configuration is missing, unreadable or wrong */
	MXGUARD_ERROR_IO = -5, /* the system said no; errno tells */
	MXGUARD_ERROR_UNTRUSTED = -6 /* a file that others can write */
};

/* A fact. A zeroed verdict authorizes nothing. New ones may be added. */
enum mxguard_verdict {
	MXGUARD_VERDICT_UNDECIDED = 0,
	MXGUARD_VERDICT_AUTHORIZED = 1,
	MXGUARD_VERDICT_INTERNAL = 2,
	MXGUARD_VERDICT_AUTHENTICATED = 3,
	MXGUARD_VERDICT_EXEMPT = 4,
	MXGUARD_VERDICT_DIRECT = 5,
	MXGUARD_VERDICT_UNKNOWN = 6
};

/* The policy's answer. A zeroed action loses nothing and lets nothing in. */
enum mxguard_action {
	MXGUARD_ACTION_DEFER = 0,
	MXGUARD_ACTION_ACCEPT = 1,
	MXGUARD_ACTION_TAG = 2, /* accept, with the verdict in a header field */
	MXGUARD_ACTION_QUARANTINE = 3,
	MXGUARD_ACTION_REJECT = 4
};

enum mxguard_mode { MXGUARD_MODE_OFF = 0, MXGUARD_MODE_MONITOR = 1, MXGUARD_MODE_ENFORCE = 2 };

enum mxguard_place {
	MXGUARD_PLACE_DOOR = 1, /* the peer itself is waiting for our reply */
	MXGUARD_PLACE_QUEUED = 2 /* an MTA of ours has already taken the message */
};

/* What became of a DNS question that got no usable reply. */
enum mxguard_dns_failure {
	MXGUARD_DNS_FAILURE_TIMEOUT = 1,
	MXGUARD_DNS_FAILURE_SERVFAIL = 2,
	MXGUARD_DNS_FAILURE_REFUSED = 3,
	MXGUARD_DNS_FAILURE_BROKEN = 4,
	MXGUARD_DNS_FAILURE_CANCELLED = 6,
	MXGUARD_DNS_FAILURE_LOCAL = 7 /* no socket, no memory */
};

/* What mxguard_check_run() wants next. */
enum mxguard_progress { MXGUARD_PROGRESS_DONE = 1, MXGUARD_PROGRESS_NEED_HEADER = 2, MXGUARD_PROGRESS_NEED_DNS = 3 };

/* In place of a recipient's index: all of them. */
#define MXGUARD_ALL ((size_t)-1)

const char *mxguard_version(void);
const char *mxguard_verdict_name(enum mxguard_verdict verdict); /* "authorized", …; never NULL */
const char *mxguard_action_name(enum mxguard_action action);
const char *mxguard_mode_name(enum mxguard_mode mode);
const char *mxguard_place_name(enum mxguard_place place);

/* ---- policy --------------------------------------------------------------- */

/*
 * Reads mxguard.conf(5). flags must be 0. On failure *policy is NULL and message (of
 * `size` bytes, always terminated; may be NULL with size 0) holds one line for the
 * administrator: file:line, setting, what was found, what would be right.
 * Returns MXGUARD_ERROR_NONE, _NOMEM, _INVALID, _CONFIG, _IO or _UNTRUSTED.
 */
int mxguard_policy_load(struct mxguard_policy **policy, const char *path, unsigned flags, char *message, size_t size);
/* The same from memory; `name` stands for the file in messages, relative paths are
 * refused in it. */
int mxguard_policy_parse(struct mxguard_policy **policy, const char *text, size_t length, const char *name,
			 unsigned flags, char *message, size_t size);
struct mxguard_policy *mxguard_policy_ref(struct mxguard_policy *policy);
void mxguard_policy_unref(struct mxguard_policy *policy); /* NULL is allowed */
/* Warnings found while loading, 0, 1, 2 …; NULL past the last. */
const char *mxguard_policy_warning(const struct mxguard_policy *policy, size_t index);
/* dns.timeout, milliseconds, 1 to 300,000: the time that a whole decision may take. */
int mxguard_policy_timeout(const struct mxguard_policy *policy);
const char *mxguard_policy_authserv_id(const struct mxguard_policy *policy);

/* ---- snapshot ------------------------------------------------------------- */

/* Opens what `mxguard refresh` wrote in the policy's state_dir. flags must be 0. A
 * missing, damaged, foreign or untrusted snapshot is an error with a message, and the
 * caller goes on without one (NULL): DNS is then asked for everything. With MXGUARD_ERROR_NONE the
 * message is empty, or a warning that it is too old to be of use. */
int mxguard_snapshot_open(struct mxguard_snapshot **snapshot, const struct mxguard_policy *policy, unsigned flags,
			  char *message, size_t size);
struct mxguard_snapshot *mxguard_snapshot_ref(struct mxguard_snapshot *snapshot);
void mxguard_snapshot_unref(struct mxguard_snapshot *snapshot); /* NULL is allowed */
/* 1 where the policy's state_dir now holds another file than the one that is open
 * (which may be NULL), 0 where not. One stat(2). */
int mxguard_snapshot_changed(const struct mxguard_snapshot *snapshot, const struct mxguard_policy *policy);

/* ---- check: one transaction ----------------------------------------------- */

enum mxguard_check_flag {
	MXGUARD_CHECK_FLAG_STEPS = 1 << 0 /* keep the steps, for people */
};

/* snapshot may be NULL. The check holds references to both. flags: enum mxguard_check_flag.
 * MXGUARD_ERROR_NONE, _NOMEM or _INVALID; on failure *check is NULL. */
int mxguard_check_new(struct mxguard_check **check, struct mxguard_policy *policy, struct mxguard_snapshot *snapshot,
		      unsigned flags);
void mxguard_check_free(struct mxguard_check *check); /* NULL is allowed */
/* Forgets the transaction, keeps policy, snapshot and memory. */
void mxguard_check_reset(struct mxguard_check *check);

/*
 * The transaction. All before the first run; a check starts with no
 * peer, no HELO, no login, the null sender, and place `door`. Text is hostile: bytes
 * that mean nothing are kept and never printed raw.
 *
 * These calls may be chained without a look at each result: the first that fails is
 * remembered until mxguard_check_reset(), and mxguard_check_run() returns it. (A peer that
 * cannot be read is no such failure: the check answers `unknown`.)
 */
/* AF_INET, AF_INET6; NULL or AF_UNIX: no peer. Others: _INVALID. */
int mxguard_check_set_peer(struct mxguard_check *check, const struct sockaddr *peer);
/* An address as Postfix, Exim and others write it: bare, in brackets, with "IPv6:".
 * "" is no peer. Anything else: _INVALID, and the check then answers `unknown`. */
int mxguard_check_set_peer_text(struct mxguard_check *check, const char *peer);
/* 4 or 16 bytes in network order: the quickest way. */
int mxguard_check_set_peer_bytes(struct mxguard_check *check, const uint8_t *address, size_t length);
/* Where the address above is a claim that the front end trusts (XCLIENT, PROXY): the
 * socket's own peer, for the log only. */
int mxguard_check_set_real_peer(struct mxguard_check *check, const struct sockaddr *peer);
int mxguard_check_set_helo(struct mxguard_check *check, const char *helo);
/* A SASL login that the front end vouches for (docs/design.md, "Logins": never one that a client merely
 * claims). NULL, "", blanks, or a name with control characters: none. */
int mxguard_check_set_login(struct mxguard_check *check, const char *login);
/* RFC 5321 reverse-path with or without <>; "" is the null sender. */
int mxguard_check_set_sender(struct mxguard_check *check, const char *sender);
int mxguard_check_set_place(struct mxguard_check *check, enum mxguard_place place);
/* For the log line: queue or session id, and Message-ID. NULL keeps what stands. */
int mxguard_check_set_ids(struct mxguard_check *check, const char *id, const char *message_id);
/*
 * What the front end's own configuration says instead of the policy: settings "mode",
 * "exempt" (addresses in blanks or commas, added), "on_direct", "on_direct_queued", "on_unknown",
 * "on_unreadable", "on_untraced", "tag", "quarantine_mailbox". For recipient `index`, or
 * all with MXGUARD_ALL. _INVALID with a message for unknown settings and values.
 */
int mxguard_check_override(struct mxguard_check *check, size_t index, const char *setting, const char *value,
			   char *message, size_t size);

/* RFC 5321 forward-path with or without <>. Recipients are numbered 0, 1, 2 … in the order in
 * which they are added; *index (which may be NULL) gets the number. They may be added after a
 * run; those that are decided stay decided. */
int mxguard_check_add_recipient(struct mxguard_check *check, const char *recipient, size_t *index);
/* Another name of the recipient that the *front end* vouches for (the address before
 * alias expansion); never ORCPT. */
int mxguard_check_add_recipient_name(struct mxguard_check *check, size_t index, const char *name);

/*
 * Goes as far as is possible. now: seconds since the epoch. Returns an enum
 * mxguard_progress: NEED_DNS while questions are open (some recipients may be decided
 * already), else NEED_HEADER, else DONE; or _NOMEM.
 * Where neither can be had, mxguard_check_give_up() ends it.
 */
int mxguard_check_run(struct mxguard_check *check, int64_t now);
/* No header will come, no more DNS can be asked: what is open becomes `unknown`. */
int mxguard_check_give_up(struct mxguard_check *check, int64_t now);

/* The header block, in pieces of any size, as the message has it (an mbox "From " line
 * in front is stepped over). Returns 1 while more is wanted, 0 when not (the rest may
 * be fed or not), or an error. After it, or at the header's end, call _header_end. */
int mxguard_check_header(struct mxguard_check *check, const void *bytes, size_t length);
int mxguard_check_header_end(struct mxguard_check *check);

/*
 * Questions that are to be asked now, each reported once: a DNS query message with id 0
 * (set your own), RD, AD and EDNS on, to be sent over UDP and over TCP where the reply is
 * truncated. Returns 1 and the question's number in *number, or 0 when there are no more.
 * 512 bytes are room enough; _INVALID where `room` is too small.
 */
int mxguard_check_next_question(struct mxguard_check *check, size_t *number, void *query, size_t room, size_t *length);
/* The question's name and type, for people. */
const char *mxguard_check_question_text(struct mxguard_check *check, size_t number);
/* A raw reply, or its absence. The reply is checked (QR, question, class, lengths, …); what
 * cannot be believed counts as a failure. Then run again. Late replies to a check that is
 * DONE are ignored. */
int mxguard_check_reply(struct mxguard_check *check, size_t number, const void *reply, size_t length, int64_t now);
int mxguard_check_no_reply(struct mxguard_check *check, size_t number, enum mxguard_dns_failure why, int64_t now);

/* ---- results, by recipient index ------------------------------------------ */

enum mxguard_verdict mxguard_check_verdict(const struct mxguard_check *check, size_t index);
enum mxguard_action mxguard_check_action(const struct mxguard_check *check, size_t index);
/* What enforce mode would do; the action itself in enforce mode. */
enum mxguard_action mxguard_check_would(const struct mxguard_check *check, size_t index);
enum mxguard_mode mxguard_check_mode(const struct mxguard_check *check, size_t index);

enum mxguard_text {
	MXGUARD_TEXT_REASON = 1, /* stable code, e.g. "peer-not-a-gateway" */
	MXGUARD_TEXT_EXPLANATION, /* one sentence */
	MXGUARD_TEXT_RECIPIENT,
	MXGUARD_TEXT_PEER, /* "" for no peer */
	MXGUARD_TEXT_BOUNDARY_PEER, /* "" where there is none */
	MXGUARD_TEXT_GATEWAY, /* the entry's name, "" */
	MXGUARD_TEXT_TERM,
	MXGUARD_TEXT_STATUS, /* "5.7.1": RFC 3463 code of the refusal or deferral; "2.0.0" */
	MXGUARD_TEXT_REPLY, /* the text behind it */
	MXGUARD_TEXT_QUARANTINE_MAILBOX
};
/* Never NULL. Text that came from outside is neutered: printable, on one line. */
const char *mxguard_check_text(const struct mxguard_check *check, size_t index, enum mxguard_text what);
/* 250, 550 or 451. */
int mxguard_check_reply_code(const struct mxguard_check *check, size_t index);
/* The hop that the verdict came from; 0: the peer itself. */
int mxguard_check_hop(const struct mxguard_check *check, size_t index);
/* Steps 0, 1, 2 …; NULL past the last. Only with MXGUARD_CHECK_FLAG_STEPS. */
const char *mxguard_check_step(const struct mxguard_check *check, size_t index, size_t step);
/* The log line (docs/design.md, "Log line") without a line end. Returns its length; what does not fit is
 * cut (4,096 bytes always do). */
size_t mxguard_check_log_line(const struct mxguard_check *check, size_t index, char *buffer, size_t size);
/* 1 and the Authentication-Results field (RFC 8601) with CRLF in buffer where the policy
 * wants a tag; 0 where not. 2,048 bytes always do. index MXGUARD_ALL: for all recipients, the worst. */
int mxguard_check_tag(const struct mxguard_check *check, size_t index, char *buffer, size_t size);

/* ---- filter: what a message loses and gains on its way to the mailbox -------- */

/*
 * Whoever decided, and whatever the decision: Authentication-Results with our authserv-id (RFC
 * 8601 section 5) and the token fields of shared gateways are removed before delivery, also
 * where they are too long or strangely written; those of other servers stay. The filter looks
 * at the header as it comes and names the bytes that go; nothing is copied. No allocation but
 * in mxguard_filter_new(). One thread's at a time.
 */
enum mxguard_filter_result {
	MXGUARD_FILTER_RESULT_MORE = 1, /* all bytes are used: the next piece, or _end */
	MXGUARD_FILTER_RESULT_CUT = 2, /* see mxguard_filter_cut(), then go on */
	MXGUARD_FILTER_RESULT_BODY = 3 /* the header is over: the rest of the message stays as it is */
};

/* Takes a reference to the policy. flags must be 0. MXGUARD_ERROR_NONE, _NOMEM or _INVALID; on
 * failure *filter is NULL. */
int mxguard_filter_new(struct mxguard_filter **filter, struct mxguard_policy *policy, unsigned flags);
void mxguard_filter_free(struct mxguard_filter *filter); /* NULL is allowed */
/* For the next message. */
void mxguard_filter_reset(struct mxguard_filter *filter);

/* The message from its first byte on, in pieces of any size. *used gets how many bytes were
 * taken: after a CUT the others must be given again. An enum mxguard_filter_result, or _INVALID. */
int mxguard_filter_feed(struct mxguard_filter *filter, const void *bytes, size_t length, size_t *used);
/* No more bytes will come. CUT (then call again) or BODY. */
int mxguard_filter_end(struct mxguard_filter *filter);
/* After a CUT: bytes *from to *to (exclusive) of the message, counted from 0, are to be left out.
 * Cuts ascend; a long field may come as several that touch. */
void mxguard_filter_cut(const struct mxguard_filter *filter, uint64_t *from, uint64_t *to);
/* Bytes below this offset stay unless they were cut: no later cut begins there. It lags behind
 * what was fed by 16 KiB at the most. UINT64_MAX after BODY. */
uint64_t mxguard_filter_settled(const struct mxguard_filter *filter);

/* 1 and the offset at which a field of ours goes in: above all fields, below an mbox "From " line.
 * 0 while that is not known; bytes that are settled by then stand above it. */
int mxguard_filter_top(const struct mxguard_filter *filter, uint64_t *offset);
/* The field (as mxguard_check_tag() gives it) with the message's own line ends. Returns its
 * length, or _INVALID where `size` is less than the field's length and 3. */
int mxguard_filter_on_top(const struct mxguard_filter *filter, const char *field, char *buffer, size_t size);
/* The value of the first Message-ID without its brackets, for mxguard_check_set_ids(); at most
 * 998 bytes, hostile. NULL: none has been seen. */
const char *mxguard_filter_message_id(const struct mxguard_filter *filter);

/* ---- resolver ------------------------------------------------------------- */

/* Over c-ares, to the policy's dns.servers or the system's. Sockets open at the first
 * question. MXGUARD_ERROR_NONE, _NOMEM or _INVALID; on failure *resolver is NULL. */
int mxguard_resolver_new(struct mxguard_resolver **resolver, struct mxguard_policy *policy);
void mxguard_resolver_free(struct mxguard_resolver *resolver); /* cancels; NULL is allowed */

/* Blocking: runs the check, asking DNS, until DONE or NEED_HEADER, in at most timeout_ms
 * for the whole (-1: the policy's). What is open then becomes a timeout. */
int mxguard_resolver_run(struct mxguard_resolver *resolver, struct mxguard_check *check, int timeout_ms);

/*
 * Polled: start a check (runs it; the return value is that of mxguard_check_run), then
 * poll what _pollfds and _timeout say, call _process, and take finished checks from
 * _next until NULL. `deadline` counts for the whole check, milliseconds from now, -1 the
 * policy's. A check that is started must be cancelled before it is freed.
 */
int mxguard_resolver_start(struct mxguard_resolver *resolver, struct mxguard_check *check, int timeout_ms);
/* Fills up to `count` entries, returns how many there are. */
size_t mxguard_resolver_pollfds(const struct mxguard_resolver *resolver, struct pollfd *fds, size_t count);
/* Milliseconds until _process must be called at the latest; -1: no limit. */
int mxguard_resolver_timeout(const struct mxguard_resolver *resolver);
/* fds as poll(2) left them; count 0 for a mere timeout. */
int mxguard_resolver_process(struct mxguard_resolver *resolver, const struct pollfd *fds, size_t count);
/* A check that came to DONE or NEED_HEADER, or NULL. */
struct mxguard_check *mxguard_resolver_next(struct mxguard_resolver *resolver);
/* Detaches the check; nothing of it is touched afterwards. */
void mxguard_resolver_cancel(struct mxguard_resolver *resolver, struct mxguard_check *check);

/* ---- session: policy, snapshot and resolver together ------------------------ */

/*
 * One configuration file and everything that decisions by it need, and the rule by which a
 * new configuration or snapshot takes effect. What is begun under one configuration ends
 * under it: its policy, snapshot and resolver live on until then.
 *
 * A session and its checks belong to one thread at a time, and to one side of a fork. Several
 * sessions have nothing in common.
 */
enum mxguard_session_flag {
	/* Each mxguard_session_check() looks whether the file is another one (a stat(2)), and
	 * then reads it. One that is wrong is tried again every 10 s. Without the flag, only
	 * mxguard_session_reload() reads it. */
	MXGUARD_SESSION_FLAG_FOLLOW_CONFIG = 1 << 0,
	/* While the configuration is wrong there is no policy, and nothing can be decided. Without
	 * the flag, the last one that was right stays in force. */
	MXGUARD_SESSION_FLAG_DEFER_WHILE_WRONG = 1 << 1,
	MXGUARD_SESSION_FLAG_NO_SNAPSHOT = 1 << 2 /* DNS is asked for everything */
};

/*
 * Reads the configuration and opens the snapshot. flags: enum mxguard_session_flag. Errors and
 * message are those of mxguard_policy_load(); with _DEFER_WHILE_WRONG a wrong configuration is
 * none, but a notice. On failure *session is NULL.
 */
int mxguard_session_open(struct mxguard_session **session, const char *config, unsigned flags, char *message,
			 size_t size);
/* Cancels what is under way and frees the session's checks. NULL is allowed. */
void mxguard_session_free(struct mxguard_session *session);
/* Reads the configuration now. MXGUARD_ERROR_NONE, or what mxguard_policy_load() returned; a notice
 * tells in any case. */
int mxguard_session_reload(struct mxguard_session *session);

/* How much a notice matters. New ones may be added, with higher numbers, that matter less. */
enum mxguard_level {
	MXGUARD_LEVEL_ERROR = 1, /* the configuration is wrong */
	MXGUARD_LEVEL_WARNING = 2, /* the snapshot cannot be used, or is too old */
	MXGUARD_LEVEL_REMARK = 3, /* what the configuration should say otherwise; domains_file cannot be read */
	MXGUARD_LEVEL_INFO = 4 /* the configuration was reloaded; there is no snapshot */
};
/* What the administrator should be told, each once; NULL when there is no more. To be asked after
 * _open, _reload and _check. *level (which may be NULL) gets an enum mxguard_level. The text, one
 * line, lives until the next call for the session. */
const char *mxguard_session_notice(struct mxguard_session *session, enum mxguard_level *level);

/* Those of now, borrowed: a check holds the ones that it was made with. NULL while there is none. */
struct mxguard_policy *mxguard_session_policy(const struct mxguard_session *session);
struct mxguard_snapshot *mxguard_session_snapshot(const struct mxguard_session *session);
/* 1 where the peer (4 or 16 bytes in network order; length 0: no peer) is internal: only a trace
 * can tell who handed the message over, and an MTA of ours has already taken it. Else 0, or _INVALID. */
int mxguard_session_is_internal(const struct mxguard_session *session, const uint8_t *address, size_t length);

/*
 * A check for a new transaction, under what is in force now: the snapshot's file is looked at
 * once a second at the most. flags: enum mxguard_check_flag. The check is the session's: give it
 * back with mxguard_session_release(), never mxguard_check_free().
 * MXGUARD_ERROR_NONE, _CONFIG (there is no policy now), _NOMEM or _INVALID.
 */
int mxguard_session_check(struct mxguard_session *session, struct mxguard_check **check, unsigned flags);
/* Cancels the check where it is under way. It is kept for the next transaction. NULL is allowed. */
void mxguard_session_release(struct mxguard_session *session, struct mxguard_check *check);

/* Feeds the check, by mxguard_check_header() and no other call. MXGUARD_ERROR_NONE, or a negative
 * number that ends the decision. */
typedef int (*mxguard_read_header)(void *context, struct mxguard_check *check);
/*
 * Blocking: decides, asking DNS and, where only the header can tell, read_header (once; NULL:
 * there is none to be had). Whatever cannot be had makes the verdict `unknown`. timeout_ms: for
 * the whole, reading included; -1: no limit of its own. DNS has the policy's dns.timeout at most.
 * MXGUARD_PROGRESS_DONE, _NOMEM, _INVALID, what read_header returned, or a setter's error.
 */
int mxguard_session_decide(struct mxguard_session *session, struct mxguard_check *check,
			   mxguard_read_header read_header, void *context, int timeout_ms);

/*
 * Polled: as with mxguard_resolver_start() and those behind it. Where _start returns
 * MXGUARD_PROGRESS_NEED_DNS the check is under way until _next returns it, with the pointer
 * that came with it (user may be NULL), or until it is cancelled or released.
 */
int mxguard_session_start(struct mxguard_session *session, struct mxguard_check *check, int timeout_ms, void *user);
size_t mxguard_session_pollfds(const struct mxguard_session *session, struct pollfd *fds, size_t count);
int mxguard_session_timeout(const struct mxguard_session *session);
int mxguard_session_process(struct mxguard_session *session, const struct pollfd *fds, size_t count);
struct mxguard_check *mxguard_session_next(struct mxguard_session *session, void **user);
void mxguard_session_cancel(struct mxguard_session *session, struct mxguard_check *check);
/* Milliseconds within which all that is started without a limit of its own ends. */
int mxguard_session_limit(const struct mxguard_session *session);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
