/* SPDX-License-Identifier: MIT */
/*
 * libmxguard: was this message handed to us by a gateway that is authorized for the
 * recipient's domain, or did it skip the filters? The manual is libmxguard(3).
 *
 * Which object for whom:
 *
 *   session   a program that decides, short-lived or a server: one configuration file, and all
 *             that decisions by it need. Most programs use a session, its checks, and nothing else.
 *   check     one transaction: what is known of it goes in, a verdict for each recipient comes out.
 *   filter    a program that hands the message on: which header fields have to go, and where ours
 *             goes in.
 *   policy    the configuration itself, for those who have it in memory.
 *   snapshot  what `mxguard refresh` learned from DNS, for those who do without a session.
 *   resolver  asks DNS for checks that belong to no session.
 *
 * The library never logs, never exits, and does not touch signals, environment or anything else
 * that belongs to the process. It reports.
 *
 * Rules that hold everywhere:
 * - What is passed in is copied, unless it is said that a reference is taken. What is returned is
 *   borrowed: it lives until its object is changed, reset or freed, and the caller never frees it.
 * - A constructor is `int f(struct T **object, …)`: on failure *object is NULL. _free() and
 *   _unref() take NULL; no other function does, unless it is said.
 * - An `int` that is negative is an enum mxguard_error.
 * - Recipients, warnings and steps are numbered 0, 1, 2 … by size_t. MXGUARD_ALL stands for all
 *   recipients where it is said that it may.
 * - `flags` holds flags that are known, or 0; others are refused with MXGUARD_ERROR_INVALID.
 * - `message` gets one line for the administrator, without a line end, cut to `size` bytes and
 *   always terminated; 512 bytes are usual. It may be NULL where size is 0.
 * - `now` is the time in seconds since the epoch (time(3)); a `timeout_ms` is in milliseconds.
 * - A policy and a snapshot may be used by any number of threads at once. A check, a filter, a
 *   resolver and a session belong to one thread at a time, with all that is borrowed from them.
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

/* ---- words ------------------------------------------------------------------ */

/* Failures of a call. They are never verdicts: see mxguard_check_verdict(). */
enum mxguard_error {
	MXGUARD_ERROR_NONE = 0,
	MXGUARD_ERROR_NOMEM = -1, /* memory ran out */
	MXGUARD_ERROR_INVALID = -2, /* an argument is out of its range, or a flag is not known */
	MXGUARD_ERROR_STATE = -3, /* not at this stage of the check */
	MXGUARD_ERROR_CONFIG = -4, /* the configuration is wrong, or a file is not what it should be */
	MXGUARD_ERROR_IO = -5, /* the system said no; errno tells why */
	MXGUARD_ERROR_UNTRUSTED = -6 /* a file, or the folder that it is in, can be written by others */
};

/* A fact. A zeroed verdict authorizes nothing. New ones may be added: one that a program does not
 * know is to be taken for "undecided". */
enum mxguard_verdict {
	MXGUARD_VERDICT_UNDECIDED = 0,
	MXGUARD_VERDICT_AUTHORIZED = 1, /* the boundary peer is a gateway of the recipient's domain */
	MXGUARD_VERDICT_INTERNAL = 2, /* the message was made on our side */
	MXGUARD_VERDICT_AUTHENTICATED = 3, /* the client has logged in */
	MXGUARD_VERDICT_EXEMPT = 4, /* the recipient or the domain is not checked */
	MXGUARD_VERDICT_DIRECT = 5, /* the boundary peer is no gateway: the filters were skipped */
	MXGUARD_VERDICT_UNKNOWN = 6 /* nobody could tell */
};

/* The policy's answer. A zeroed action loses nothing and lets nothing in. New ones may be added:
 * one that a program does not know is to be taken for "defer". */
enum mxguard_action {
	MXGUARD_ACTION_DEFER = 0,
	MXGUARD_ACTION_ACCEPT = 1,
	MXGUARD_ACTION_TAG = 2, /* accept, with the verdict in a header field */
	MXGUARD_ACTION_QUARANTINE = 3,
	MXGUARD_ACTION_REJECT = 4
};

enum mxguard_mode {
	MXGUARD_MODE_OFF = 0,
	MXGUARD_MODE_MONITOR = 1, /* decide and report, accept always */
	MXGUARD_MODE_ENFORCE = 2
};

/* Where the caller stands. */
enum mxguard_place {
	MXGUARD_PLACE_DOOR = 1, /* the peer itself is waiting for our reply */
	MXGUARD_PLACE_QUEUED = 2 /* an MTA of ours has already taken the message: a refusal would bounce */
};

/* The version of the library in use, "1.2.3"; constant. */
const char *mxguard_version(void);

/* The word by which configuration, logs and manuals call a value; constant, never NULL. For a value
 * that is not known: "undecided", "defer", "monitor", "door". From any thread. */
const char *mxguard_verdict_name(enum mxguard_verdict verdict);
const char *mxguard_action_name(enum mxguard_action action);
const char *mxguard_mode_name(enum mxguard_mode mode);
const char *mxguard_place_name(enum mxguard_place place);

/* ---- policy: what the administrator wrote ------------------------------------- */

/*
 * It never changes, counts its references atomically, and may be used by any number of threads.
 * The caller owns the reference that _load or _parse gave him; checks, filters and resolvers hold
 * their own. To reload, load another one and use it for what is new. Pointers that were borrowed
 * from it live as long as the policy.
 */

/*
 * Reads mxguard.conf(5) at `path`. flags must be 0. On failure the message says file and line, the
 * setting, what was found and what would be right.
 * MXGUARD_ERROR_NONE, _NOMEM, _INVALID, _CONFIG, _IO or _UNTRUSTED.
 */
int mxguard_policy_load(struct mxguard_policy **policy, const char *path, unsigned flags, char *message, size_t size);

/* The same from `length` bytes at `text`, at most 1 MiB; they need not be terminated. `name` stands
 * for the file in messages. Paths in the text must be absolute. Errors as above. */
int mxguard_policy_parse(struct mxguard_policy **policy, const char *text, size_t length, const char *name,
			 unsigned flags, char *message, size_t size);

/* One more reference; returns its argument. */
struct mxguard_policy *mxguard_policy_ref(struct mxguard_policy *policy);
/* One reference less; the last one frees the policy. NULL is allowed. */
void mxguard_policy_unref(struct mxguard_policy *policy);

/* A warning found while loading, one line, by its number; NULL past the last. */
const char *mxguard_policy_warning(const struct mxguard_policy *policy, size_t index);

/* Where copies of refused messages are to be kept (trap.directory); NULL: nowhere. */
const char *mxguard_policy_trap(const struct mxguard_policy *policy);

enum mxguard_trap_limit {
	MXGUARD_TRAP_LIMIT_SHARE = 1, /* percent of the file system's room that the copies may take */
	MXGUARD_TRAP_LIMIT_KEEP = 2, /* seconds after which a copy is removed */
	MXGUARD_TRAP_LIMIT_MAX_TOTAL = 3, /* bytes of all copies */
	MXGUARD_TRAP_LIMIT_PER_HOUR = 4 /* copies */
};
/* What the settings of the trap say; 0 for a `what` that is not known. */
uint64_t mxguard_policy_trap_limit(const struct mxguard_policy *policy, enum mxguard_trap_limit what);

/* The log line, as mxguard_check_log_line() writes it, for a recipient that is deferred because no check
 * could be made or used. `reason` is a word of the caller's own, the others come from outside; any
 * may be NULL, the policy too: then the line is text. */
size_t mxguard_policy_trouble_line(const struct mxguard_policy *policy, const char *reason, const char *peer,
				   const char *helo, const char *sender, const char *recipient, const char *id,
				   char *buffer, size_t size);

/* ---- snapshot: what `mxguard refresh` learned from DNS -------------------------- */

/*
 * It never changes, counts its references atomically, and may be used by any number of threads.
 * The caller owns the reference that _open gave him; checks hold their own. A newer one is another
 * object: open it and use it for new checks.
 */

/*
 * Opens the snapshot in the policy's state_dir. flags must be 0. One that is missing, damaged, made
 * for another configuration, or open to others' writing is an error with a message; the caller then
 * goes on without one (NULL), and DNS is asked for everything. With MXGUARD_ERROR_NONE the message
 * is empty, or a warning that the snapshot is too old to be of use.
 * MXGUARD_ERROR_NONE, _NOMEM, _INVALID, _CONFIG, _IO (errno is ENOENT where there is none) or _UNTRUSTED.
 */
int mxguard_snapshot_open(struct mxguard_snapshot **snapshot, const struct mxguard_policy *policy, unsigned flags,
			  char *message, size_t size);

/* One more reference; returns its argument. */
struct mxguard_snapshot *mxguard_snapshot_ref(struct mxguard_snapshot *snapshot);
/* One reference less; the last one closes the snapshot. NULL is allowed. */
void mxguard_snapshot_unref(struct mxguard_snapshot *snapshot);

/* 1 where the policy's state_dir now holds another file than `snapshot`, which may be NULL (none is
 * open), else 0. One lstat(2). */
int mxguard_snapshot_changed(const struct mxguard_snapshot *snapshot, const struct mxguard_policy *policy);

/* ---- check: one transaction ----------------------------------------------------- */

/*
 * A check does no input or output, apart from reading the snapshot and, where no snapshot holds our
 * domains, the policy's domains_file. It is told what is known, is run, and says what it wants
 * next: DNS, the message's header, or nothing more.
 *
 * It belongs to whoever made it: to the caller after mxguard_check_new(), to the session after
 * mxguard_session_check(). It holds references to its policy and snapshot. It belongs to one thread
 * at a time, together with the resolver or session that works on it. Texts that it returns live
 * until the check is reset, released or freed.
 */
enum mxguard_check_flag {
	MXGUARD_CHECK_FLAG_STEPS = 1 << 0, /* keep the steps for mxguard_check_step() */
	/* The MTA that asks has not written its own Received field: where the peer is internal and no
	 * field stands in the message, the peer has made it; where there is none, a user of this host. */
	MXGUARD_CHECK_FLAG_NO_OWN_FIELD = 1 << 1
};

/* What a check wants next; positive, so that no error is mistaken for it. */
enum mxguard_progress {
	MXGUARD_PROGRESS_DONE = 1, /* every recipient is decided */
	MXGUARD_PROGRESS_NEED_HEADER = 2, /* the rest depends on the message's header */
	MXGUARD_PROGRESS_NEED_DNS = 3 /* questions are open; some recipients may be decided already */
};

/* In place of a recipient's number: all of them. */
#define MXGUARD_ALL ((size_t)-1)

/* snapshot may be NULL. flags: enum mxguard_check_flag. MXGUARD_ERROR_NONE, _NOMEM or _INVALID. */
int mxguard_check_new(struct mxguard_check **check, struct mxguard_policy *policy, struct mxguard_snapshot *snapshot,
		      unsigned flags);
/* For checks of mxguard_check_new() only. NULL is allowed. */
void mxguard_check_free(struct mxguard_check *check);
/* Forgets the transaction; keeps policy, snapshot and memory, so that the next one allocates
 * nothing in the usual case. A check that a session has under way must be cancelled before. */
void mxguard_check_reset(struct mxguard_check *check);

/*
 * The transaction. A new check has no peer, no HELO, no login, the null sender, and the place
 * "door". All is hostile: bytes that mean nothing are kept, and never printed raw.
 *
 * Setters return MXGUARD_ERROR_NONE or _NOMEM, or _STATE once the first recipient was run: nothing
 * is decided of two transactions mixed. They may be called one after the other without a look at
 * each result: the first failure is remembered until mxguard_check_reset(), and mxguard_check_run()
 * returns it. Not remembered are a peer that cannot be read, for which the check answers "unknown",
 * and what is refused for one recipient, who is then decided without it: look at the results of
 * mxguard_check_override() with an index, and of mxguard_check_add_recipient_name().
 */

/* The host that connects: AF_INET or AF_INET6. NULL and AF_UNIX are "no peer". Other families:
 * MXGUARD_ERROR_INVALID, and the check answers "unknown". IPv4-mapped IPv6 counts as IPv4, here
 * and in the next two. */
int mxguard_check_set_peer(struct mxguard_check *check, const struct sockaddr *peer);
/* The same in the forms in which MTAs write it: bare, in brackets, behind "IPv6:" (RFC 5321 section
 * 4.1.3). NULL and "" are "no peer". All else, names, ports, zone ids and octal or short forms
 * among it: MXGUARD_ERROR_INVALID, and the check answers "unknown". */
int mxguard_check_set_peer_text(struct mxguard_check *check, const char *peer);
/* The same as 4 or 16 bytes in network order: the quickest way. Other lengths as above. */
int mxguard_check_set_peer_bytes(struct mxguard_check *check, const uint8_t *address, size_t length);
/* Where the address above is a claim that the caller trusts (XCLIENT, PROXY): the socket's own
 * peer, for the log line only. At any time. Other families: MXGUARD_ERROR_INVALID. */
int mxguard_check_set_real_peer(struct mxguard_check *check, const struct sockaddr *peer);
/* What the client said in HELO, EHLO or LHLO. NULL and "": nothing. */
int mxguard_check_set_helo(struct mxguard_check *check, const char *helo);
/* A SASL login that the caller vouches for, never one that a client merely claims (docs/design.md,
 * "Logins"): the verdict is then "authenticated". NULL, "", blanks, a name with control
 * characters, or XCLIENT's [UNAVAILABLE] and [TEMPUNAVAIL]: none. */
int mxguard_check_set_login(struct mxguard_check *check, const char *login);
/*
 * What the caller was told of the certificate that the client has shown in TLS, for gateways with a
 * `certificate`. It counts for the peer alone, not for a host behind it in the trace. Without this
 * call nothing was told, and such an entry matches nothing. In each text NULL is "the caller is not
 * told this", and "" is "there is none"; any length.
 *   subject          the common name as the TLS library gives it, without an encoding of the MTA's
 *                    (xtext); with _SUBJECT_DN a distinguished name of RFC 4514.
 *   issuer           for the steps only.
 *   fingerprint      of the certificate, and key_fingerprint of its public key, in SHA-256:
 *                    hexadecimal in either case, with or without colons, with or without "SHA256:" or
 *                    "sha256=" in front. Those of another digest match nothing.
 *   flags            enum mxguard_certificate_flag, or 0; others: MXGUARD_ERROR_INVALID.
 * Called again it replaces all of it.
 */
enum mxguard_certificate_flag {
	MXGUARD_CERTIFICATE_FLAG_VERIFIED = 1 << 0, /* issued by an authority that the MTA trusts, and valid now */
	MXGUARD_CERTIFICATE_FLAG_SUBJECT_DN = 1 << 1 /* subject is "CN=mail.example.com,O=Example", not the bare name */
};
int mxguard_check_set_certificate(struct mxguard_check *check, const char *subject, const char *issuer,
				  const char *fingerprint, const char *key_fingerprint, unsigned flags);
/* The reverse-path of RFC 5321, with or without <>. NULL and "": the null sender. */
int mxguard_check_set_sender(struct mxguard_check *check, const char *sender);
/* Others than the two: MXGUARD_ERROR_INVALID. */
int mxguard_check_set_place(struct mxguard_check *check, enum mxguard_place place);
/* Queue or session id, and Message-ID, for the log line only. NULL keeps what stands. At any time. */
int mxguard_check_set_ids(struct mxguard_check *check, const char *id, const char *message_id);

/*
 * What the caller's own configuration says instead of the policy, for recipient `index`, or with
 * MXGUARD_ALL for all of them; a recipient's own goes first. `setting`: "mode", "exempt" (addresses
 * between blanks or commas, beside the policy's), "on_direct", "on_direct_queued", "on_unknown",
 * "on_unreadable", "on_untraced", "tag" or "quarantine_mailbox"; `value`: what mxguard.conf(5)
 * takes there. At any time; what is decided stays. MXGUARD_ERROR_NONE, _NOMEM, or _INVALID with a
 * message for others, which leaves everything as it was.
 */
int mxguard_check_override(struct mxguard_check *check, size_t index, const char *setting, const char *value,
			   char *message, size_t size);

/* Adds a recipient: a forward-path of RFC 5321, with or without <>. *index gets its number; the
 * pointer may be NULL. At any time; those that are decided stay decided.
 * MXGUARD_ERROR_NONE, _NOMEM or _INVALID. */
int mxguard_check_add_recipient(struct mxguard_check *check, const char *recipient, size_t *index);
/* Another name of recipient `index` that the *caller* vouches for, such as the address before
 * aliases were looked up; never ORCPT (docs/design.md, "Second names").
 * MXGUARD_ERROR_NONE, _NOMEM, _INVALID, or _STATE where the recipient is decided. */
int mxguard_check_add_recipient_name(struct mxguard_check *check, size_t index, const char *name);

/* Goes as far as it can; at any time, as often as one likes. An enum mxguard_progress: NEED_DNS as
 * long as questions are open, else NEED_HEADER, else DONE. Or _NOMEM, or a setter's failure. After
 * either, recipients that are not decided have the action "defer". */
int mxguard_check_run(struct mxguard_check *check, int64_t now);
/* No header will come, and no more DNS can be asked: what is open becomes "unknown".
 * MXGUARD_PROGRESS_DONE, or an error as above. */
int mxguard_check_give_up(struct mxguard_check *check, int64_t now);

/* The header block as the message has it, in pieces of any size, with LF or CRLF; an mbox "From "
 * line in front is stepped over. 1 while more is wanted; 0 when not, and the rest may then be fed
 * or left away; or MXGUARD_ERROR_NOMEM, _INVALID, or _STATE after _header_end. What is beyond 256
 * KiB or 200 hops is not read. */
int mxguard_check_header(struct mxguard_check *check, const void *bytes, size_t length);
/* No more is wanted, or no more comes: to be called before the check is run again.
 * MXGUARD_ERROR_NONE, _NOMEM or _STATE. */
int mxguard_check_header_end(struct mxguard_check *check);

/* 1 where all may be decided, and the header would yet tell who handed the message to the gateway
 * (mxguard.conf(5), "origin"): feed it, end it, and run the check again, which may ask DNS. Nothing
 * that is decided changes by it. Else 0. */
int mxguard_check_wants_header(const struct mxguard_check *check);

/* ---- check: for those with a DNS client of their own ------------------------------ */

/* What became of a question that got no usable reply. 5 is never told, but found here. */
enum mxguard_dns_failure {
	MXGUARD_DNS_FAILURE_TIMEOUT = 1,
	MXGUARD_DNS_FAILURE_SERVFAIL = 2,
	MXGUARD_DNS_FAILURE_REFUSED = 3,
	MXGUARD_DNS_FAILURE_BROKEN = 4,
	MXGUARD_DNS_FAILURE_CANCELLED = 6,
	MXGUARD_DNS_FAILURE_LOCAL = 7 /* no socket, no memory */
};

/*
 * A question that is to be asked now; each is reported once. `query` gets a DNS query message (RFC
 * 1035) of *length bytes with the id 0, RD, AD and EDNS: put an id of your own in, send it by UDP,
 * and by TCP where the reply is truncated. *number is the question's, for the reply. 1, or 0 when
 * there are no more, or MXGUARD_ERROR_INVALID where `room` is too small and the question is kept;
 * 512 bytes are enough.
 */
int mxguard_check_next_question(struct mxguard_check *check, size_t *number, void *query, size_t room, size_t *length);
/* The raw reply. That it came from the right server with the right id is the caller's matter; all
 * else is checked, and what cannot be believed counts as a failure. Then run the check again, after
 * each reply. Second and late replies are ignored; after mxguard_check_reset() the numbers begin
 * anew. MXGUARD_ERROR_NONE, _INVALID, or _NOMEM, after which _no_reply is still to be called. */
int mxguard_check_reply(struct mxguard_check *check, size_t number, const void *reply, size_t length, int64_t now);
/* None came. MXGUARD_ERROR_NONE or _INVALID. */
int mxguard_check_no_reply(struct mxguard_check *check, size_t number, enum mxguard_dns_failure why, int64_t now);

/* ---- check: results --------------------------------------------------------------- */

/*
 * By a recipient's number; a number that does not exist has the results of one that is not decided.
 * They are made when they are asked for: this belongs to the check's thread, too.
 */
enum mxguard_verdict mxguard_check_verdict(const struct mxguard_check *check, size_t index);
/* What is to be done. In monitor mode always "accept". */
enum mxguard_action mxguard_check_action(const struct mxguard_check *check, size_t index);
/* What enforce mode would do; in enforce mode the action itself. */
enum mxguard_action mxguard_check_would(const struct mxguard_check *check, size_t index);
/* The mode that holds for the recipient. */
enum mxguard_mode mxguard_check_mode(const struct mxguard_check *check, size_t index);
/* The SMTP reply code for the action (RFC 5321 section 4.2): 250, 451 or 550. */
int mxguard_check_reply_code(const struct mxguard_check *check, size_t index);
/* The Received field that the verdict came from, 1 for the topmost; 0 for the peer itself. */
int mxguard_check_hop(const struct mxguard_check *check, size_t index);

enum mxguard_text {
	MXGUARD_TEXT_REASON = 1, /* the stable code, such as "peer-not-a-gateway"; see libmxguard(3) */
	MXGUARD_TEXT_EXPLANATION = 2, /* one sentence; its wording may change */
	MXGUARD_TEXT_RECIPIENT = 3, /* with the domain as DNS has it */
	MXGUARD_TEXT_PEER = 4, /* "": no peer */
	MXGUARD_TEXT_BOUNDARY_PEER = 5, /* "": there is none */
	MXGUARD_TEXT_GATEWAY = 6, /* name of the entry that matched, failed or lacked its secret, or "" */
	MXGUARD_TEXT_TERM = 7, /* the entry's term, or "" */
	MXGUARD_TEXT_STATUS = 8, /* enhanced status code of the reply (RFC 3463): "5.7.1", "2.0.0" … */
	MXGUARD_TEXT_REPLY = 9, /* the text behind it */
	MXGUARD_TEXT_QUARANTINE_MAILBOX = 10 /* what quarantine means, as it is configured */
};
/* Never NULL; "" for a `what` that is not known. What came from outside is neutered: printable, on
 * one line. */
const char *mxguard_check_text(const struct mxguard_check *check, size_t index, enum mxguard_text what);
/* A step of the decision by its number; NULL past the last, and without MXGUARD_CHECK_FLAG_STEPS. */
const char *mxguard_check_step(const struct mxguard_check *check, size_t index, size_t step);

/* The log line (docs/design.md, "Log line"), as the policy's log_format wants it, without a line end,
 * terminated. Its length; what does not fit is cut. 4,096 bytes always do. */
size_t mxguard_check_log_line(const struct mxguard_check *check, size_t index, char *buffer, size_t size);
/* A field of the line by its number, for logs that have fields of their own: its *key, which is
 * constant, and its value, "" where it has none. NULL past the last. */
const char *mxguard_check_log_field(const struct mxguard_check *check, size_t index, size_t number, const char **key);
/* 1 and the Authentication-Results field (RFC 8601), CRLF included, where the policy wants one; else
 * 0. 2,048 bytes always do. MXGUARD_ALL: one field for all recipients, which tells the worst. The
 * fields that a filter names are to be removed first. */
int mxguard_check_tag(const struct mxguard_check *check, size_t index, char *buffer, size_t size);

/*
 * 1 where a copy of the message is to be kept in the trap (docs/design.md, "Trap"), else 0. For one
 * recipient: as far as it goes, so that a front end that could refuse it now waits for the message.
 * MXGUARD_ALL: the message itself, once all recipients are decided; the buffer then gets the field,
 * CRLF included, that goes on top of the copy. 1,024 bytes always do; it may be NULL where size is 0.
 */
int mxguard_check_trap(const struct mxguard_check *check, size_t index, char *buffer, size_t size);

/* ---- filter: what a message loses and gains on its way to the mailbox ---------------- */

/*
 * Whoever decided, and whatever the decision: Authentication-Results with our authserv-id (RFC
 * 8601 section 5) and the fields with the secrets of shared gateways are removed before delivery,
 * also where they are too long or strangely written; those of other servers stay. Where a bare CR or
 * the like inside another field makes some readers see such a field behind it, those bytes go. A
 * filter looks at one message's header as it comes, and names the bytes that go. It copies nothing,
 * and allocates nothing but itself.
 *
 * It belongs to the caller and to one thread at a time, and holds a reference to its policy.
 * What it returns lives until it is reset or freed.
 */
enum mxguard_filter_result {
	MXGUARD_FILTER_RESULT_MORE = 1, /* all bytes are taken: the next piece, or _end */
	MXGUARD_FILTER_RESULT_CUT = 2, /* see mxguard_filter_cut(), then go on */
	MXGUARD_FILTER_RESULT_BODY = 3 /* the header is over: the rest of the message stays as it is */
};

enum mxguard_filter_flag {
	/* The secrets of shared gateways stay: a plugin or wrapper behind the caller decides once more by
	 * them, and removes them. */
	MXGUARD_FILTER_FLAG_KEEP_SECRETS = 1 << 0
};

/* flags: enum mxguard_filter_flag. MXGUARD_ERROR_NONE, _NOMEM or _INVALID. */
int mxguard_filter_new(struct mxguard_filter **filter, struct mxguard_policy *policy, unsigned flags);
/* NULL is allowed. */
void mxguard_filter_free(struct mxguard_filter *filter);
/* For the next message. */
void mxguard_filter_reset(struct mxguard_filter *filter);

/* The message from its first byte on, in pieces of any size. *used gets how many bytes were taken;
 * after a CUT the others must be given again. An enum mxguard_filter_result, or MXGUARD_ERROR_INVALID. */
int mxguard_filter_feed(struct mxguard_filter *filter, const void *bytes, size_t length, size_t *used);
/* No more bytes will come. CUT, and is then called again, or BODY. */
int mxguard_filter_end(struct mxguard_filter *filter);
/* After a CUT: the message's bytes from *from up to, but without, *to are to be left out, counted
 * from 0. Cuts ascend; a long field may come as several that touch. */
void mxguard_filter_cut(const struct mxguard_filter *filter, uint64_t *from, uint64_t *to);
/* Bytes below this offset stay unless they were cut; no later cut begins there. It lags behind what
 * was fed by 16 KiB at the most. UINT64_MAX after BODY. */
uint64_t mxguard_filter_final(const struct mxguard_filter *filter);

/* 1 and the offset at which a field of ours goes in: above all fields, below an mbox "From " line.
 * 0 while that is not known; what is final by then stands above it. */
int mxguard_filter_top(const struct mxguard_filter *filter, uint64_t *offset);
/* The field, as mxguard_check_tag() gave it, with the message's own line ends, for the place that
 * _top tells. Its length, or MXGUARD_ERROR_INVALID where `size` is less than strlen(field) + 3. */
int mxguard_filter_on_top(const struct mxguard_filter *filter, const char *field, char *buffer, size_t size);
/* The first Message-ID without its brackets, at most 998 bytes, hostile, for mxguard_check_set_ids().
 * NULL: none has been seen. */
const char *mxguard_filter_message_id(const struct mxguard_filter *filter);

/* ---- resolver: DNS for checks that belong to no session -------------------------------- */

/*
 * Over c-ares, to the policy's dns.servers or else the system's. It belongs to the caller and to
 * one thread at a time, and holds a reference to its policy. It must not be used on both sides of a
 * fork(2). Who has many checks under way at once wants a session.
 */

/* Sockets are opened at the first question. flags must be 0. MXGUARD_ERROR_NONE, _NOMEM or _INVALID. */
int mxguard_resolver_new(struct mxguard_resolver **resolver, struct mxguard_policy *policy, unsigned flags);
/* NULL is allowed. */
void mxguard_resolver_free(struct mxguard_resolver *resolver);
/* Blocking: runs the check, asking DNS, until it is done or needs the header. timeout_ms is for the
 * whole, 0 or more, or -1 for the policy's dns.timeout; what is open then counts as timed out.
 * MXGUARD_PROGRESS_DONE or _NEED_HEADER, MXGUARD_ERROR_NOMEM or _INVALID, or a setter's failure. */
int mxguard_resolver_run(struct mxguard_resolver *resolver, struct mxguard_check *check, int timeout_ms);

/* ---- session: policy, snapshot and resolver together ------------------------------------ */

/*
 * One configuration file and everything that decisions by it need, with the rule by which a new
 * configuration or snapshot takes effect. What is begun under one configuration ends under it: its
 * policy, snapshot and resolver live on until the last check that was made with them has come back.
 *
 * It belongs to the caller, and owns its checks. A session and its checks belong to one thread at a
 * time and to one side of a fork(2). Several sessions have nothing in common: a program with
 * threads opens one in each.
 */
enum mxguard_session_flag {
	/* Each mxguard_session_check() looks by stat(2) whether the file is another one, and then
	 * reads it. One that is wrong is tried again after 10 s. Without the flag, only
	 * mxguard_session_reload() reads it. */
	MXGUARD_SESSION_FLAG_FOLLOW_CONFIG = 1 << 0,
	/* While the configuration is wrong there is no policy, and nothing can be decided. Without
	 * the flag, the last one that was right stays in force. */
	MXGUARD_SESSION_FLAG_DEFER_WHILE_WRONG = 1 << 1,
	MXGUARD_SESSION_FLAG_NO_SNAPSHOT = 1 << 2 /* DNS is asked for everything */
};

/* Reads the configuration and opens the snapshot. flags: enum mxguard_session_flag. Errors and
 * message are those of mxguard_policy_load(); with _DEFER_WHILE_WRONG a wrong configuration is no
 * error, but a notice. */
int mxguard_session_open(struct mxguard_session **session, const char *config, unsigned flags, char *message,
			 size_t size);
/* Cancels what is under way, and frees all of the session's checks with it. NULL is allowed. */
void mxguard_session_free(struct mxguard_session *session);
/* Reads the configuration now. What mxguard_policy_load() returned; a notice tells in any case. */
int mxguard_session_reload(struct mxguard_session *session);

/* How much a notice matters. New ones may be added, with higher numbers, that matter less. */
enum mxguard_level {
	MXGUARD_LEVEL_ERROR = 1, /* the configuration is wrong */
	MXGUARD_LEVEL_WARNING = 2, /* the snapshot cannot be used, or is too old */
	MXGUARD_LEVEL_REMARK = 3, /* what the configuration should say otherwise; domains_file cannot be read */
	MXGUARD_LEVEL_INFO = 4 /* the configuration was reloaded; there is no snapshot */
};
/* What the administrator should be told, one line, each thing once until it changes; NULL when there
 * is no more. Ask after _open, _reload and _check. *level may be NULL. The text lives until the next
 * call for the session. */
const char *mxguard_session_notice(struct mxguard_session *session, enum mxguard_level *level);

/* What is in force now, borrowed until the next _check or _reload; NULL: there is none. */
struct mxguard_policy *mxguard_session_policy(const struct mxguard_session *session);
struct mxguard_snapshot *mxguard_session_snapshot(const struct mxguard_session *session);
/* 1 where the peer (4 or 16 bytes in network order; length 0: no peer) is internal: only a trace can
 * tell who handed its message over, and an MTA of ours has already taken it. 0 where it is not, or
 * there is no policy; MXGUARD_ERROR_INVALID for other lengths. */
int mxguard_session_is_internal(const struct mxguard_session *session, const uint8_t *address, size_t length);

/* A check for a new transaction, under what is in force now; the snapshot's file is looked at once a
 * second at the most. flags: enum mxguard_check_flag. The check is the session's: give it back with
 * mxguard_session_release(), never mxguard_check_free().
 * MXGUARD_ERROR_NONE, _CONFIG (there is no policy), _NOMEM or _INVALID. */
int mxguard_session_check(struct mxguard_session *session, struct mxguard_check **check, unsigned flags);
/* Cancels the check where it is under way, and keeps it for another transaction. NULL is allowed. */
void mxguard_session_release(struct mxguard_session *session, struct mxguard_check *check);

/* Feeds the check by mxguard_check_header() and no other call; `context` as it was given to
 * mxguard_session_decide(). MXGUARD_ERROR_NONE, or a negative number that ends the decision. */
typedef int (*mxguard_read_header)(void *context, struct mxguard_check *check);
/*
 * Blocking: decides, asking DNS and, where only the header can tell, read_header, once; NULL: there
 * is none to be had. What cannot be had makes the verdict "unknown". timeout_ms is for the whole,
 * reading included, 0 or more, or -1 for no limit; DNS has the policy's dns.timeout of it at most.
 * MXGUARD_PROGRESS_DONE, MXGUARD_ERROR_NOMEM or _INVALID, a setter's failure, or what read_header
 * returned.
 */
int mxguard_session_decide(struct mxguard_session *session, struct mxguard_check *check,
			   mxguard_read_header read_header, void *context, int timeout_ms);

/*
 * Polled: start checks, poll(2) what _pollfds and _timeout say, hand the result to _process, and
 * take checks from _next until NULL. Nothing here blocks.
 */

/* Runs the check and returns what mxguard_check_run() returned. Only after MXGUARD_PROGRESS_NEED_DNS
 * it is under way, until _next returns it or it is cancelled or released. timeout_ms is for the
 * whole, 0 or more, or -1 for the policy's dns.timeout. `user` comes back with the check; it may be
 * NULL. Start it once more after recipients were added, which sets its time anew. Beside those,
 * MXGUARD_ERROR_NOMEM or _INVALID. */
int mxguard_session_start(struct mxguard_session *session, struct mxguard_check *check, int timeout_ms, void *user);
/* Fills up to `count` entries and returns how many there are. The set changes with every other call:
 * ask each time. fds may be NULL where count is 0. */
size_t mxguard_session_pollfds(const struct mxguard_session *session, struct pollfd *fds, size_t count);
/* In how many milliseconds _process must be called at the latest; 0: now; -1: no limit. */
int mxguard_session_timeout(const struct mxguard_session *session);
/* Entries as poll(2) left them; others' do no harm. After a timeout count is 0, and fds may be NULL.
 * MXGUARD_ERROR_NONE or _INVALID. */
int mxguard_session_process(struct mxguard_session *session, const struct pollfd *fds, size_t count);
/* A check that has come to an end: done, waiting for the header, or out of memory, which the next
 * mxguard_check_run() tells. NULL when there are no more. *user gets what came with it; the pointer
 * may be NULL. */
struct mxguard_check *mxguard_session_next(struct mxguard_session *session, void **user);
/* The check is not under way any more; nothing of it is touched afterwards. One that is not under
 * way is left alone. */
void mxguard_session_cancel(struct mxguard_session *session, struct mxguard_check *check);
/* Milliseconds within which all ends that was started with -1. */
int mxguard_session_limit(const struct mxguard_session *session);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
