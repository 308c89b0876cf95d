/* SPDX-License-Identifier: MIT */
#ifndef MXG_RECEIVED_CLAUSES_H
#define MXG_RECEIVED_CLAUSES_H

#include <string.h>

#include "base/block.h"
#include "received/received.h"

/*
 * A Received field cut at its anchors, from the left and without searching:
 * "from HELO items... by NAME items... with items... PROTOCOL tail". HELO is
 * always one blank-free token, so a client's word can neither open the next
 * clause nor close one; where an MTA lets blanks into it, no grammar matches.
 */
struct mxg_item {
	struct mxg_slice text; /* a comment's without its parentheses */
	bool comment;
	bool fresh; /* first on its physical line */
	unsigned line, last_line; /* physical lines, from 0 */
};

#define MXG_CLAUSE_ITEMS 8

struct mxg_items {
	struct mxg_item item[MXG_CLAUSE_ITEMS];
	unsigned count;
};

enum mxg_clause_form {
	MXG_FORM_FROM = 1, /* from ... by ... */
	MXG_FORM_FROM_ONLY, /* from ..., no by at all */
	MXG_FORM_BY, /* by ... */
	MXG_FORM_COMMENT /* begins with a parenthesis: qmail, sendmail's empty HELO, ... */
};

struct mxg_clauses {
	enum mxg_clause_form form;
	const char *value, *end; /* the field's body without blanks around */
	unsigned lines; /* physical lines */
	bool folded; /* "by" begins a physical line of its own */
	bool late; /* HELO stands on the second line: some gateway has folded the field anew */
	struct mxg_slice helo;
	struct mxg_items from; /* between HELO and "by" */
	struct mxg_slice by;
	struct mxg_items after_by; /* between the by name and "with" or what else follows */
	struct mxg_items cipher; /* comments between "with" and the protocol */
	struct mxg_slice protocol;
	struct mxg_slice after_protocol; /* everything behind it, to the end */
	struct mxg_items tail; /* comments among "id", "for", "tls" behind it */
	struct mxg_slice id;
	struct mxg_slice recipient; /* the token after "for", brackets and all */
	const char *semicolon; /* the last one; NULL if none */
};

/* What the physical lines behind the first begin with. */
struct mxg_lines {
	unsigned count;
	unsigned by, from; /* lines that begin with these words */
	const char *first_by;
};

/* False if the bytes are not fit to be believed. */
bool mxg_lines_survey(struct mxg_lines *lines, const char *field, size_t len);

bool mxg_clauses_split(struct mxg_clauses *c, const struct mxg_lines *lines, const char *value, const char *end);

/* The whole field cut; *value and *end are its body. READ, or what is in the way. */
enum mxg_received_reason mxg_field_split(struct mxg_clauses *c, const char *field, size_t len, const char **value,
					 const char **end);

/* Who can have written it, by the anchored words behind "by" alone. */
unsigned mxg_clauses_writers(const struct mxg_clauses *c);

/* Small tools that all grammars share. */
/* inline, so that the length of a literal is no call */
static inline bool mxg_slice_is(struct mxg_slice s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.at, text, s.len) == 0;
}

static inline bool mxg_slice_begins(struct mxg_slice s, const char *text)
{
	size_t n = strlen(text);
	return s.len >= n && memcmp(s.at, text, n) == 0;
}

/* What a byte means to the cutter and to the grammars. */
enum mxg_byte_class {
	MXG_BYTE_BLANK = 1, /* SP HTAB CR LF: every other control byte is refused before */
	MXG_BYTE_HOST = 2, /* letters, digits and .-_ */
	MXG_BYTE_SPECIAL = 4, /* blanks and ()<>@\;" */
	MXG_BYTE_NEST = 8 /* what read_comment stops at */
};

extern const uint8_t mxg_byte_classes[256];

static inline bool mxg_byte_is(char c, unsigned classes)
{
	return (mxg_byte_classes[(unsigned char)c] & classes) != 0;
}

bool mxg_slice_digits(struct mxg_slice s); /* at least one, nothing else */
const char *mxg_slice_find(struct mxg_slice s, char c); /* the first; NULL if none */
struct mxg_slice mxg_slice_skip(struct mxg_slice s, size_t n);
bool mxg_slice_is_host(struct mxg_slice s); /* letters, digits and .-_ only */
bool mxg_slice_is_helo(struct mxg_slice s); /* host or address literal */
bool mxg_slice_is_word(struct mxg_slice s); /* none of blank ()<>@\;" */

/* "NAME [ADDRESS]", "NAME[ADDRESS]", "[ADDRESS]"; rest is what stands behind. */
bool mxg_host_read(struct mxg_slice text, struct mxg_slice *name, struct mxg_address *address, struct mxg_slice *rest);

/* RFC 5322 date-time, weekday optional; 0 if text is not wholly one (a zone
 * comment may follow). *weekday tells whether it had one. */
int64_t mxg_date_parse(const char *at, const char *end, bool *weekday);

bool mxg_is_courier_id(struct mxg_slice id); /* HEX.HEX.HEX */

/* The grammars: true if the field is wholly theirs, with *out filled. */
typedef bool mxg_grammar(struct mxg_received *out, const struct mxg_clauses *c);
mxg_grammar mxg_grammar_postfix, mxg_grammar_sendmail, mxg_grammar_opensmtpd, mxg_grammar_haraka, mxg_grammar_cyrus,
	mxg_grammar_amavis, mxg_grammar_chasquid, mxg_grammar_exim, mxg_grammar_courier, mxg_grammar_qmail,
	mxg_grammar_qpsmtpd, mxg_grammar_dovecot, mxg_grammar_exchange, mxg_grammar_google, mxg_grammar_communigate,
	mxg_grammar_fetchmail, mxg_grammar_getmail, mxg_grammar_nullclient, mxg_grammar_other;

/* The rare forms that are read whole, behind every grammar: *out filled if one
 * fits and mta_mask (0: any) has its MTA. */
bool mxg_form_read(struct mxg_received *out, const char *value, const char *end, unsigned mta_mask);

/* Whether the protocol is RFC 3848's or RFC 6531's with a login. */
bool mxg_protocol_has_login(struct mxg_slice protocol);

/* The first of the items between HELO and "by" is the comment that holds the
 * address, on the first line; in the folded form nothing may follow it there.
 * The others are comments of the MTA. */
bool mxg_address_comment(const struct mxg_clauses *c, unsigned index);

/* Besides, no later comment has a bracket. A bare CR in a HELO becomes a fold
 * when a second MTA takes the message, and pushes the true address comment onto
 * a line of its own, below the client's. Only MTAs that leave no blank, CR or
 * parenthesis in a HELO can do without this. */
bool mxg_only_address_comment(const struct mxg_clauses *c);

/* The MTA's own comment on a physical line of its own, below the address: the
 * one that begins with text; NULL if there is none. */
const struct mxg_item *mxg_own_line(const struct mxg_clauses *c, const char *text);

/* "HELO", "EHLO", "LHLO" in any case: a label, and never a host's name. */
bool mxg_slice_is_label(struct mxg_slice s);

/* Whether anything but the address itself in the from clause has the shape of
 * an address: where the writer is not known, nobody can tell which is which. */
bool mxg_other_address(const struct mxg_clauses *c, const struct mxg_address *address);

/* Where no line begins with "by", a client's could be the one that was read, and
 * what looks like an address behind the protocol (or behind the name, where
 * none stands) the true one. */
bool mxg_address_behind(const struct mxg_clauses *c);

bool mxg_is_exim_id(struct mxg_slice id); /* groups of 6, 6 and 2 letters and digits; since 4.97 of 6, 11 and 4 */
bool mxg_is_exim_protocol(struct mxg_slice protocol); /* in lower case */

/* "by" between blanks in one of the bytes: a second clause, where only one was written. */
bool mxg_has_second_by(const char *at, const char *end);

/* MXG_RECEIVED_PEER with name and address of such a comment. */
bool mxg_peer_from_comment(struct mxg_received *out, const struct mxg_clauses *c, const char *suffix);

#endif
