/* SPDX-License-Identifier: MIT */
#ifndef MXG_REASONS_H
#define MXG_REASONS_H

#include "mxguard.h"

/*
 * The one table of reason codes: enum, strings, reply status and the manual's list all
 * come from it. A code never changes its meaning and is never used again for another.
 * X(NAME, "code", kind, "deferral status", "sentence")
 */
#define MXG_REASONS(X) \
	X(UNDECIDED, "undecided", NONE, "4.7.1", "no decision was made") \
	X(GATEWAY_MATCH, "gateway-match", NONE, "4.7.1", "the peer is an authorized gateway") \
	X(GATEWAY_MATCH_STALE, "gateway-match-stale", NONE, "4.7.1", \
	  "the peer is an authorized gateway by an answer whose TTL has passed") \
	X(GATEWAY_MATCH_GRACE, "gateway-match-grace", NONE, "4.7.1", \
	  "the peer was an authorized gateway until a short time ago") \
	X(LOCAL_ORIGIN, "local-origin", NONE, "4.7.1", "the message was made on a host of our own") \
	X(ORIGIN, "origin", NONE, "4.7.1", "the peer may originate mail here") \
	X(RETRIEVED, "retrieved", NONE, "4.7.1", "the message was fetched from another mailbox") \
	X(RESUBMITTED_ACCEPTED, "resubmitted-accepted", NONE, "4.7.1", \
	  "the message was submitted again on a host of our own, and resubmitted accepts it") \
	X(LOGIN, "login", NONE, "4.7.1", "the client has logged in") \
	X(TRACE_LOGIN, "trace-login", NONE, "4.7.1", "the client had logged in at a host of our own") \
	X(MODE_OFF, "mode-off", NONE, "4.7.1", "checking is switched off for this domain") \
	X(RECIPIENT_EXEMPT, "recipient-exempt", NONE, "4.7.1", "the recipient is exempt") \
	X(MX_IS_SELF, "mx-is-self", NONE, "4.7.1", \
	  "the domain's MX is this server itself, so no filter can be skipped") \
	X(UNTRACED_ACCEPTED, "untraced-accepted", NONE, "4.7.1", \
	  "the message has no trace, and on_untraced accepts it") \
	X(PEER_NOT_A_GATEWAY, "peer-not-a-gateway", NONE, "4.7.1", "the peer is not an authorized gateway") \
	X(TOKEN_MISSING, "token-missing", NONE, "4.7.1", \
	  "the address is a gateway's, but its header field with the secret is missing") \
	X(CERTIFICATE_MISSING, "certificate-missing", NONE, "4.7.1", \
	  "the gateway's TLS client certificate is missing, another one, or not verified") \
	X(CERTIFICATE_NOT_TOLD, "certificate-not-told", NONE, "4.7.1", \
	  "a gateway is known by its TLS client certificate, and this front end is not told it") \
	X(UNTRACED_DIRECT, "untraced-direct", NONE, "4.7.1", "the message has no trace, and on_untraced says direct") \
	X(DNS_TIMEOUT, "dns-timeout", TEMPORARY, "4.4.3", "DNS did not answer in time") \
	X(DNS_SERVFAIL, "dns-servfail", TEMPORARY, "4.4.3", "the DNS server reported a failure") \
	X(DNS_REFUSED, "dns-refused", TEMPORARY, "4.4.3", "the DNS server refused the question") \
	X(DNS_BROKEN, "dns-broken", TEMPORARY, "4.4.3", "the DNS reply cannot be believed") \
	X(DNS_INSECURE, "dns-insecure", TEMPORARY, "4.4.3", "require_dnssec is set and the reply was not validated") \
	X(DNS_CANCELLED, "dns-cancelled", TEMPORARY, "4.4.3", "the DNS lookup was cancelled") \
	X(DNS_LOCAL, "dns-local", TEMPORARY, "4.4.3", "no DNS question could be sent from this host") \
	X(STALE_UNCONFIRMED, "stale-unconfirmed", TEMPORARY, "4.4.3", \
	  "an answer whose TTL has passed could not be asked for again") \
	X(RECORD_MISSING, "record-missing", TEMPORARY, "4.4.3", \
	  "a published record that the configuration names does not exist") \
	X(RECORD_BROKEN, "record-broken", TEMPORARY, "4.4.3", "a published record is broken") \
	X(RECORD_LIMITS, "record-limits", TEMPORARY, "4.4.3", "a published record goes over the limits of RFC 7208") \
	X(CLIENT_CHOSEN, "client-chosen-macro", TEMPORARY, "4.7.1", \
	  "a published record asks for a name that the client chooses") \
	X(RECORD_TOO_WIDE, "record-too-wide", TEMPORARY, "4.4.3", \
	  "a published record or DNS answer covers so many addresses that it authorizes nobody") \
	X(NO_GATEWAY_PUBLISHED, "no-gateway-published", TEMPORARY, "4.4.3", \
	  "the gateway entries yield no address at all") \
	X(TOKEN_UNREADABLE, "token-unreadable", TEMPORARY, "4.3.5", "the file with a gateway's secret cannot be read") \
	X(DOMAINS_UNREADABLE, "domains-unreadable", TEMPORARY, "4.3.5", \
	  "the list of our domains cannot be read, and nobody can say whether this one is ours") \
	X(FOREIGN_DOMAIN, "foreign-domain", LASTING, "4.7.1", \
	  "the recipient's domain is none of ours, and its own records authorize nobody") \
	X(RECIPIENT_UNREADABLE, "recipient-unreadable", LASTING, "4.7.1", \
	  "it cannot be told in which domains the recipient's address may end") \
	X(MAILBOX_AMBIGUOUS, "mailbox-ambiguous", LASTING, "4.7.1", \
	  "the address names this host, and the mailbox may be that of too many domains") \
	X(NO_RECIPIENT_DOMAIN, "no-recipient-domain", LASTING, "4.3.5", \
	  "the recipient has no usable domain; set default_domain") \
	X(PEER_UNREADABLE, "peer-unreadable", LASTING, "4.7.1", "the peer's address cannot be read") \
	X(UNTRACED, "untraced", LASTING, "4.7.1", "the message has no trace") \
	X(NO_FIELD_BELOW_INTERNAL, "no-field-below-internal", LASTING, "4.7.1", \
	  "the trace ends below an internal host that is not among origins") \
	X(RETRIEVED_UNKNOWN, "retrieved-unknown", LASTING, "4.7.1", \
	  "the message was fetched from another mailbox, and retrieved says unknown") \
	X(RESUBMITTED, "resubmitted", LASTING, "4.7.1", \
	  "the message was submitted again on a host of our own, and nothing tells where it came from") \
	X(FIELD_UNREADABLE, "field-unreadable", LASTING, "4.7.1", "a Received field cannot be read without doubt") \
	X(FIELD_NOT_OURS, "field-not-ours", LASTING, "4.7.1", \
	  "a Received field was not written by a host of ours where it had to be") \
	X(TRACE_TOO_LONG, "trace-too-long", LASTING, "4.7.1", "the header is too long to be read to its boundary") \
	X(NO_HEADER, "no-header", LASTING, "4.7.1", "the header was needed and could not be had") \
	X(OUT_OF_MEMORY, "out-of-memory", TEMPORARY, "4.3.0", "memory ran out")

enum mxg_reason {
#define X(name, code, kind, status, sentence) MXG_REASON_##name,
	MXG_REASONS(X)
#undef X
};

enum mxg_reason_kind {
	MXG_KIND_NONE, /* no failure */
	MXG_KIND_TEMPORARY, /* waiting may mend it: on_unknown */
	MXG_KIND_LASTING /* waiting never mends it: on_unreadable */
};

const char *mxg_reason_code(enum mxg_reason reason);
const char *mxg_reason_sentence(enum mxg_reason reason);
const char *mxg_reason_status(enum mxg_reason reason); /* of a deferral, RFC 3463 */
enum mxg_reason_kind mxg_reason_kind(enum mxg_reason reason);
/* Of a recipient's reason (check/report.c). */
enum mxg_reason_kind mxg_check_reason_kind(const struct mxguard_check *check, size_t index);

#endif
