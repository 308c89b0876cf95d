/* SPDX-License-Identifier: MIT */
/* What the front end tells of a transaction: the setters of a check. */
#include <string.h>
#include <sys/socket.h>

#include "base/ascii.h"
#include "check/internal.h"
#include "base/idna.h"
#include "base/route.h"

/* The transaction must not change under a decision. */
static bool begun(const struct mxguard_check *c)
{
	return c->boundary_state != MXG_BOUNDARY_OPEN;
}

int mxg_check_setter_failed(struct mxguard_check *c, int error)
{
	if (c->setter_error == MXGUARD_ERROR_NONE)
		c->setter_error = error;
	return error;
}

static int take_peer(struct mxguard_check *c, bool readable)
{
	c->peer_unreadable = !readable;
	mxg_prefix_set_expect(c->policy->rulesets[0].prefixes, &c->peer); /* most domains' */
	return readable ? MXGUARD_ERROR_NONE : MXGUARD_ERROR_INVALID;
}

int mxguard_check_set_peer(struct mxguard_check *c, const struct sockaddr *peer)
{
	if (begun(c))
		return mxg_check_setter_failed(c, MXGUARD_ERROR_STATE);
	c->peer = (struct mxg_address){ 0 };
	if (peer == NULL || peer->sa_family == AF_UNIX)
		return take_peer(c, true);
	return take_peer(c, mxg_address_from_sockaddr(&c->peer, peer));
}

int mxguard_check_set_peer_text(struct mxguard_check *c, const char *peer)
{
	if (begun(c))
		return mxg_check_setter_failed(c, MXGUARD_ERROR_STATE);
	c->peer = (struct mxg_address){ 0 };
	if (peer == NULL || peer[0] == '\0')
		return take_peer(c, true);
	return take_peer(c, mxg_address_parse(&c->peer, peer, strlen(peer), MXG_ADDRESS_ANY));
}

int mxguard_check_set_peer_bytes(struct mxguard_check *c, const uint8_t *address, size_t length)
{
	if (begun(c))
		return mxg_check_setter_failed(c, MXGUARD_ERROR_STATE);
	c->peer = (struct mxg_address){ 0 };
	if (address == NULL || (length != 4 && length != 16))
		return take_peer(c, false);
	mxg_address_from_bytes(&c->peer, length == 4 ? 4 : 6, address);
	return take_peer(c, true);
}

int mxguard_check_set_real_peer(struct mxguard_check *c, const struct sockaddr *peer)
{
	c->real_peer = (struct mxg_address){ 0 };
	if (peer == NULL || peer->sa_family == AF_UNIX)
		return MXGUARD_ERROR_NONE;
	return mxg_address_from_sockaddr(&c->real_peer, peer) ? MXGUARD_ERROR_NONE : MXGUARD_ERROR_INVALID;
}

static int keep(struct mxguard_check *c, const char **field, const char *text, size_t len)
{
	if (len == 0) {
		*field = "";
		return MXGUARD_ERROR_NONE;
	}
	const char *copy = mxg_check_keep(c, text, len);
	if (copy == NULL)
		return MXGUARD_ERROR_NOMEM;
	*field = copy;
	return MXGUARD_ERROR_NONE;
}

int mxguard_check_set_helo(struct mxguard_check *c, const char *helo)
{
	if (begun(c))
		return mxg_check_setter_failed(c, MXGUARD_ERROR_STATE);
	return keep(c, &c->helo, helo, helo == NULL ? 0 : strlen(helo));
}

/* The UTF-8 character at s, of at most four bytes; a byte that begins none is taken by itself. */
static uint32_t take_character(const unsigned char **s)
{
	const unsigned char *p = *s;
	unsigned more = *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : *p >= 0xc2 ? 1 : 0;
	uint32_t c = more == 0 ? *p : *p & (0x3fu >> more);
	unsigned i = 1;
	for (; i <= more && (p[i] & 0xc0) == 0x80; i++)
		c = c << 6 | (p[i] & 0x3f);
	*s = p + (i > more ? i : 1);
	return i > more ? c : *p;
}

/* Unicode's White_Space and what else takes no ink: soft hyphen, fillers, joiners, marks of direction, tags, variation
 * selectors; and the replacement character, which stands for nothing that was told. */
static bool is_unseen(uint32_t c)
{
	static const struct {
		uint32_t from, to;
	} unseen[] = {
		{ 0x00, 0x20 },     { 0x7f, 0xa0 },     { 0xad, 0xad },     { 0x34f, 0x34f },   { 0x61c, 0x61c },
		{ 0x115f, 0x1160 }, { 0x1680, 0x1680 }, { 0x17b4, 0x17b5 }, { 0x180b, 0x180f }, { 0x2000, 0x200f },
		{ 0x2028, 0x202f }, { 0x205f, 0x206f }, { 0x2800, 0x2800 }, { 0x3000, 0x3000 }, { 0x3164, 0x3164 },
		{ 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 }, { 0xfff0, 0xfffd }, { 0xe0000, 0xe0fff },
	};
	for (size_t i = 0; i < sizeof(unseen) / sizeof(unseen[0]); i++)
		if (c >= unseen[i].from && c <= unseen[i].to)
			return true;
	return false;
}

/* What XCLIENT says where an attribute has no value: Postfix hands the second one on as the SASL name. */
static bool says_unknown(const char *login)
{
	size_t len = strlen(login);
	return mxg_ascii_is(login, len, "[unavailable]") || mxg_ascii_is(login, len, "[tempunavail]");
}

/* Nobody logs in as blanks, of whatever kind, and a name with control characters comes from no directory. */
static bool names_somebody(const char *login)
{
	bool visible = false;
	if (says_unknown(login))
		return false;
	for (const unsigned char *p = (const unsigned char *)login; *p != '\0';) {
		if (*p < 0x20 || *p == 0x7f)
			return false;
		visible |= !is_unseen(take_character(&p));
	}
	return visible;
}

int mxguard_check_set_login(struct mxguard_check *c, const char *login)
{
	if (begun(c))
		return mxg_check_setter_failed(c, MXGUARD_ERROR_STATE);
	return keep(c, &c->login, login, login == NULL || !names_somebody(login) ? 0 : strlen(login));
}

/* A path without its angle brackets. */
static const char *strip_brackets(const char *path, size_t *len)
{
	*len = path == NULL ? 0 : strlen(path);
	if (*len >= 2 && path[0] == '<' && path[*len - 1] == '>') {
		*len -= 2;
		return path + 1;
	}
	return path;
}

int mxguard_check_set_sender(struct mxguard_check *c, const char *sender)
{
	size_t len;
	if (begun(c))
		return mxg_check_setter_failed(c, MXGUARD_ERROR_STATE);
	const char *bare = strip_brackets(sender, &len);
	return keep(c, &c->sender, bare, len);
}

int mxguard_check_set_place(struct mxguard_check *c, enum mxguard_place place)
{
	if (begun(c))
		return mxg_check_setter_failed(c, MXGUARD_ERROR_STATE);
	if (place != MXGUARD_PLACE_DOOR && place != MXGUARD_PLACE_QUEUED)
		return mxg_check_setter_failed(c, MXGUARD_ERROR_INVALID);
	c->place = place;
	return MXGUARD_ERROR_NONE;
}

/* "not told" stays apart from "there is none". */
static int keep_fact(struct mxguard_check *c, const char **field, const char *text)
{
	return text == NULL ? MXGUARD_ERROR_NONE : keep(c, field, text, strlen(text));
}

int mxguard_check_set_certificate(struct mxguard_check *c, const char *subject, const char *issuer,
				  const char *fingerprint, const char *key_fingerprint, unsigned flags)
{
	if (begun(c))
		return mxg_check_setter_failed(c, MXGUARD_ERROR_STATE);
	c->certificate = NULL;
	if ((flags & ~(unsigned)(MXGUARD_CERTIFICATE_FLAG_VERIFIED | MXGUARD_CERTIFICATE_FLAG_SUBJECT_DN)) != 0)
		return mxg_check_setter_failed(c, MXGUARD_ERROR_INVALID);
	struct mxg_certificate *told = mxg_arena_take(&c->arena, sizeof(*told));
	if (told == NULL)
		return mxg_check_setter_failed(c, MXGUARD_ERROR_NOMEM);
	*told = (struct mxg_certificate){ .verified = (flags & MXGUARD_CERTIFICATE_FLAG_VERIFIED) != 0,
					  .subject_is_dn = (flags & MXGUARD_CERTIFICATE_FLAG_SUBJECT_DN) != 0 };
	mxg_fingerprint_read(&told->fingerprint, fingerprint);
	mxg_fingerprint_read(&told->key, key_fingerprint);
	if (keep_fact(c, &told->subject, subject) != MXGUARD_ERROR_NONE ||
	    keep_fact(c, &told->issuer, issuer) != MXGUARD_ERROR_NONE)
		return mxg_check_setter_failed(c, MXGUARD_ERROR_NOMEM);
	c->certificate = told;
	return MXGUARD_ERROR_NONE;
}

int mxguard_check_set_ids(struct mxguard_check *c, const char *id, const char *message_id)
{
	int result = id == NULL ? MXGUARD_ERROR_NONE : keep(c, &c->id, id, strlen(id));
	if (result == MXGUARD_ERROR_NONE && message_id != NULL)
		result = keep(c, &c->message_id, message_id, strlen(message_id));
	return result;
}

/* ---- recipients --------------------------------------------------------------- */

static void lower(char *to, const char *from, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = mxg_ascii_lower(from[i]);
}

#define ONES MXG_ASCII_ONES
#define HIGH MXG_ASCII_HIGH

/* Eight bytes at once, none of them above 0x7f: those in A-Z get bit 0x20. */
static uint64_t lower_word(uint64_t word)
{
	uint64_t from_a = word + ONES * (0x80 - 'A'), past_z = word + ONES * (0x80 - 'Z' - 1);
	return word | ((from_a & ~past_z & HIGH) >> 2);
}

/* Of eight lower-case bytes those that may be no part of a name: what is below '-', between '9'
 * and '_', above 'z'. */
static uint64_t odd_in_name(uint64_t word)
{
	return (~(word + ONES * (0x80 - '-')) | ((word + ONES * (0x80 - ':')) & ~(word + ONES * (0x80 - '_'))) |
		(word + ONES * (0x80 - '{'))) &
	       HIGH;
}

/* Not zero where a byte of the eight is zero. */
static uint64_t any_zero(uint64_t word)
{
	return (word - ONES) & ~word & HIGH;
}

/* Copies in lower case; false, and nothing of use copied, where not all is ASCII. *odd: whether
 * it may be more than a name, or less: one without a dot. */
static bool copy_lower(char *to, const char *from, size_t len, uint64_t *odd)
{
	uint64_t word = ONES * 'a', dots = 0;
	if (len < sizeof(word)) {
		memcpy(&word, from, len);
		if ((word & HIGH) != 0)
			return false;
		word = lower_word(word);
		*odd |= odd_in_name(word) | !any_zero(word ^ ONES * '.');
		memcpy(to, &word, len);
		return true;
	}
	for (size_t i = 0; i < len; i += sizeof(word)) { /* the last step overlaps the one before */
		size_t at = i + sizeof(word) <= len ? i : len - sizeof(word);
		memcpy(&word, from + at, sizeof(word));
		if ((word & HIGH) != 0)
			return false;
		word = lower_word(word);
		*odd |= odd_in_name(word);
		dots |= any_zero(word ^ ONES * '.');
		memcpy(to + at, &word, sizeof(word));
	}
	*odd |= dots == 0;
	return true;
}

/* Not zero where one of the eight is an MTA's @, % or !. */
static uint64_t routing(uint64_t word)
{
	return any_zero(word ^ ONES * '@') | any_zero(word ^ ONES * '%') | any_zero(word ^ ONES * '!');
}

/* The first `count` of eight bytes. */
static uint64_t first_bytes(uint64_t word, size_t count)
{
	static const uint8_t all[16] = { 255, 255, 255, 255, 255, 255, 255, 255 };
	uint64_t mask;
	memcpy(&mask, all + sizeof(mask) - count, sizeof(mask));
	return word & mask;
}

/* The local part as it is. `room` bytes may be read and written. *odd: whether it may route. */
static void copy_local(char *to, const char *from, size_t len, size_t room, uint64_t *odd)
{
	uint64_t word;
	size_t i = 0;
	for (; i < len && i + sizeof(word) <= room; i += sizeof(word)) {
		memcpy(&word, from + i, sizeof(word));
		memcpy(to + i, &word, sizeof(word));
		*odd |= routing(len - i < sizeof(word) ? first_bytes(word, len - i) : word);
	}
	for (; i < len; i++) {
		to[i] = from[i];
		*odd |= from[i] == '@' || from[i] == '%' || from[i] == '!';
	}
}

/* Puts local part and domain together again, the domain as DNS has it: lower case, A-labels,
 * without a trailing dot. A domain that cannot be converted stays as it came: DNS has none
 * such, and the answer is then `unknown`. */
static bool compose(struct mxguard_check *c, struct mxg_parsed *out, const char *path, size_t local_len, size_t room,
		    const char *domain, size_t domain_len)
{
	char ascii[256];
	uint64_t odd = 0;
	char *address = mxg_arena_take(&c->arena, local_len + domain_len + 2);
	c->out_of_memory |= address == NULL;
	if (address == NULL)
		return false;
	char *own = address + local_len + (domain_len > 0);
	copy_local(address, path, local_len, room, &odd);
	odd |= local_len > 0 && path[local_len - 1] == '\\'; /* the @ may be the user's */
	address[local_len] = '@';
	if (!copy_lower(own, domain, domain_len, &odd)) {
		if (mxg_idna_to_ascii(ascii, domain, domain_len)) {
			bool composed = compose(c, out, path, local_len, local_len, ascii, strlen(ascii));
			out->odd = true;
			return composed;
		}
		lower(own, domain, domain_len);
		odd = 1;
	}
	while (domain_len > 1 && own[domain_len - 1] == '.') {
		domain_len--;
		odd = 1; /* without it there may be no dot */
	}
	own[domain_len] = '\0';
	*out = (struct mxg_parsed){ address, own, (size_t)(own - address) + domain_len, domain_len, odd != 0 };
	return true;
}

bool mxg_check_compose(struct mxguard_check *c, struct mxg_parsed *out, const char *local, size_t local_len,
		       const char *domain, size_t domain_len)
{
	return compose(c, out, local, local_len, local_len, domain, domain_len);
}

/* A path, taken apart. */
struct path {
	const char *text;
	size_t len, at; /* of the last @; len: there is none */
	struct mxg_parsed parsed;
};

/* RFC 5321 §4.1.2; the domain stands behind the last @, since a quoted local part may hold
 * others. */
static bool parse_recipient(struct mxguard_check *c, struct path *out, const char *recipient)
{
	const char *path = out->text = strip_brackets(recipient, &out->len);
	const char *at = out->len == 0 ? NULL : memrchr(path, '@', out->len);
	out->at = at == NULL ? out->len : (size_t)(at - path);
	if (at != NULL)
		return compose(c, &out->parsed, path, out->at, out->len, at + 1, out->len - out->at - 1);
	const char *fallback = c->policy->default_domain;
	return mxg_check_compose(c, &out->parsed, path, out->len, fallback == NULL ? "" : fallback,
				 fallback == NULL ? 0 : strlen(fallback));
}

/* Field by field: compilers clear large structs with string instructions, which take as long
 * as the lookup of the peer. */
void mxg_recipient_init(struct mxg_recipient *r, const struct mxg_parsed *parsed, const struct mxg_ruleset *ruleset)
{
	r->address = parsed->address;
	r->len = parsed->len;
	r->domain = parsed->domain;
	r->domain_len = parsed->domain_len;
	r->ruleset = ruleset;
	r->names = NULL;
	r->override = NULL;
	r->routes = NULL;
	r->doubt = MXG_REASON_UNDECIDED;
	r->domain_check = -1;
	r->decided = false;
	r->mode = ruleset->mode;
	r->action = r->would = MXGUARD_ACTION_DEFER;
	r->outcome = (struct mxg_outcome){ .verdict = MXGUARD_VERDICT_UNDECIDED, .reason = MXG_REASON_UNDECIDED };
}

int mxguard_check_add_recipient(struct mxguard_check *c, const char *recipient, size_t *index)
{
	struct path p;
	if (recipient == NULL)
		return mxg_check_setter_failed(c, MXGUARD_ERROR_INVALID);
	struct mxg_recipient *r = mxg_check_new_recipient(c);
	if (r == NULL || !parse_recipient(c, &p, recipient))
		return MXGUARD_ERROR_NOMEM;
	mxg_recipient_init(r, &p.parsed, mxg_policy_ruleset(c->policy, p.parsed.domain, p.parsed.domain_len));
	bool routed = p.parsed.odd && mxg_route_is_needed(p.text, p.at, p.len);
	if (routed || mxg_policy_may_be_own_name(c->policy, r->domain, r->domain_len))
		mxg_routes_make(c, r, p.text, p.len, !routed);
	mxg_prefix_set_expect_node(r->ruleset->prefixes, &c->peer);
	size_t own = c->recipient_count++;
	if (index != NULL)
		*index = own;
	return c->for_address == NULL ? MXGUARD_ERROR_NONE : mxguard_check_add_recipient_name(c, own, c->for_address);
}

int mxguard_check_add_recipient_name(struct mxguard_check *c, size_t index, const char *name)
{
	struct path p;
	if (name == NULL || index >= c->recipient_count)
		return MXGUARD_ERROR_INVALID;
	struct mxg_recipient *r = &c->recipients[index];
	if (r->decided)
		return MXGUARD_ERROR_STATE;
	struct mxg_recipient_name *n = mxg_arena_take(&c->arena, sizeof(*n));
	c->out_of_memory |= n == NULL;
	if (n == NULL || !parse_recipient(c, &p, name))
		return MXGUARD_ERROR_NOMEM;
	if (p.parsed.odd && mxg_route_is_needed(p.text, p.at, p.len))
		return MXGUARD_ERROR_NONE; /* who knows whose name it is: it authorizes nobody */
	*n = (struct mxg_recipient_name){
		.next = r->names,
		.address = p.parsed.address,
		.domain = p.parsed.domain,
		.len = p.parsed.len,
		.domain_len = p.parsed.domain_len,
		.domain_check = MXG_NAME_UNTRIED,
	};
	r->names = n;
	return MXGUARD_ERROR_NONE;
}
