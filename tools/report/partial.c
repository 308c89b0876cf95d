/* SPDX-License-Identifier: MIT */
#include "report/partial.h"

#include <ctype.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "check/reasons.h"

#define VERSION 2

/* ---- writing ------------------------------------------------------------------------------------------- */

/* Hashes are 64 bits, and JSON's numbers are not in every reader. */
static json_t *hash_text(uint64_t hash)
{
	char text[20];
	snprintf(text, sizeof(text), "%016" PRIx64, hash);
	return json_string(text);
}

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *least_array(const struct mxg_least *s)
{
	json_t *a = json_array();
	for (size_t i = 0; i < s->count; i++)
		json_array_append_new(a, hash_text(mxg_least_items(s)[i]));
	if (s->full)
		json_array_append_new(a, json_true());
	return a;
}

static json_t *counts(const uint64_t *items, size_t count)
{
	json_t *a = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(a, number(items[i]));
	return a;
}

static json_t *domain_array(const struct mxg_domain_state *d)
{
	json_t *held = json_array();
	for (const struct mxg_count_by_reason *c = d->held_up; c != NULL; c = c->next)
		json_array_append_new(held, json_pack("[i,I]", (int)c->reason, (json_int_t)c->count));
	return json_pack("[s,o,I,o,o,b,I]", d->name, counts(d->verdicts, MXG_REPORT_VERDICTS), (json_int_t)d->refused,
			 held, least_array(&d->recipients), d->watched && !d->unwatched, (json_int_t)d->left_out);
}

static json_t *peer_array(const struct mxg_peer_state *p)
{
	char address[MXG_ADDRESS_TEXT_MAX];
	json_t *domains = json_array();
	for (size_t i = 0; i < p->domain_count; i++)
		json_array_append_new(domains, number(mxg_peer_domains(p)[i]));
	json_t *sample = json_string(p->sample == NULL ? "" : p->sample);
	return json_pack("[s,I,I,I,o,b,o,o,o,o,o]", mxg_address_format(&p->address, address), (json_int_t)p->messages,
			 (json_int_t)p->first, (json_int_t)p->last, domains, p->more_domains, least_array(&p->senders),
			 least_array(&p->recipients), least_array(&p->days), hash_text(p->sample_rank),
			 sample == NULL ? json_string("") : sample);
}

static json_t *pair_array(const struct mxg_pair_state *p)
{
	char address[MXG_ADDRESS_TEXT_MAX];
	return json_pack("[I,s,I,I,I,I,I]", (json_int_t)p->domain, mxg_address_format(&p->host, address),
			 (json_int_t)p->direct, (json_int_t)p->via, (json_int_t)p->first_direct,
			 (json_int_t)p->last_direct, (json_int_t)p->first_via);
}

static json_t *senders_object(const struct mxg_sample *s)
{
	json_t *a = json_array();
	for (size_t i = 0; i < s->room; i++)
		if (s->slots[i] != 0)
			json_array_append_new(a, hash_text(s->slots[i]));
	return json_pack("{s:o,s:o}", "limit", hash_text(s->limit), "hashes", a);
}

static json_t *reasons_array(const struct mxg_report_state *s)
{
	json_t *a = json_array();
	for (size_t i = 0; i < s->reason_count; i++)
		json_array_append_new(a, json_pack("[s,I]", s->reasons[i].name, (json_int_t)s->reasons[i].count));
	return a;
}

bool mxg_partial_write(const struct mxg_report_state *s, FILE *to)
{
	json_t *o = json_pack("{s:i,s:I,s:I,s:I,s:I,s:I,s:I,s:b,s:b}", "mxguard_partial", VERSION, "lines",
			      (json_int_t)s->lines, "decisions", (json_int_t)s->decisions, "duplicates",
			      (json_int_t)s->duplicates, "unread", (json_int_t)s->unread, "from", (json_int_t)s->from,
			      "to", (json_int_t)s->to, "cut", s->cut, "doubled", s->doubled);
	json_t *domains = json_array(), *peers = json_array(), *pairs = json_array(), *days = json_array(),
	       *dates = json_array();
	for (size_t i = 0; i < s->domain_count; i++)
		json_array_append_new(domains, domain_array(&s->domains[i]));
	for (size_t i = 0; i < s->peer_count; i++)
		json_array_append_new(peers, peer_array(&s->peers[i]));
	for (size_t i = 0; i < s->pair_count; i++)
		json_array_append_new(pairs, pair_array(&s->pairs[i]));
	for (size_t i = 0; i < s->day_count; i++)
		json_array_append_new(days, json_pack("[I,i,I,I]", (json_int_t)s->days[i].domain, (int)s->days[i].day,
						      (json_int_t)s->days[i].direct, (json_int_t)s->days[i].seconds));
	for (size_t i = 0; i < s->date_count; i++)
		json_array_append_new(dates, json_pack("[i,o]", (int)s->dates[i].day,
						       counts(s->dates[i].verdicts, MXG_REPORT_VERDICTS)));
	json_object_set_new(o, "undated", number(s->undated));
	json_object_set_new(o, "left_out", number(s->left_out));
	json_object_set_new(o, "verdicts", counts(s->verdicts, MXG_REPORT_VERDICTS));
	json_object_set_new(o, "actions", counts(s->actions, MXG_REPORT_ACTIONS));
	json_object_set_new(o, "would", counts(s->would, MXG_REPORT_ACTIONS));
	json_object_set_new(o, "reasons", reasons_array(s));
	json_object_set_new(o, "domains", domains);
	json_object_set_new(o, "peers", peers);
	json_object_set_new(o, "pairs", pairs);
	json_object_set_new(o, "days", days);
	json_object_set_new(o, "dates", dates);
	json_object_set_new(o, "senders", senders_object(&s->senders));
	bool good = json_dumpf(o, to, JSON_COMPACT | JSON_ENSURE_ASCII) == 0 && fputc('\n', to) != EOF;
	json_decref(o);
	return good;
}

/* ---- reading: whoever hands it on may have damaged it ------------------------------------------------------- */

/* No count is larger; so a thousand results add up to what 64 bits hold. */
static bool get_number(const json_t *v, uint64_t *out)
{
	json_int_t n = json_integer_value(v); /* 0: it is none */
	bool good = json_is_integer(v) && n >= 0 && n < INT64_C(1) << 53;
	*out = good ? (uint64_t)n : 0;
	return good;
}

/* What older ones do not tell. */
static bool get_newer(const json_t *v, uint64_t *out)
{
	return v == NULL || get_number(v, out);
}

static bool get_time(const json_t *v, int64_t *out)
{
	uint64_t n;
	bool good = get_number(v, &n) && n < UINT64_C(1) << 40;
	*out = good ? (int64_t)n : 0;
	return good;
}

static bool get_hash(const json_t *v, uint64_t *out)
{
	const char *text = json_string_value(v);
	char *end;
	if (text == NULL || strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
		return false;
	*out = strtoull(text, &end, 16);
	return true;
}

static bool get_counts(const json_t *a, uint64_t *items, size_t count)
{
	bool good = json_array_size(a) == count;
	for (size_t i = 0; good && i < count; i++)
		good = get_number(json_array_get(a, i), &items[i]);
	return good;
}

static bool get_least(const json_t *a, struct mxg_least *s)
{
	size_t n = json_array_size(a);
	bool good = json_is_array(a) && n <= MXG_LEAST_MAX + 1, full = n > 0 && json_is_true(json_array_get(a, n - 1));
	uint64_t hash;
	n -= full;
	for (size_t i = 0; good && i < n; i++)
		good = get_hash(json_array_get(a, i), &hash) && mxg_least_add(s, hash);
	s->full |= full && s->count > 1;
	return good;
}

static bool get_address(const json_t *v, struct mxg_address *out)
{
	return json_is_string(v) &&
	       mxg_address_parse(out, json_string_value(v), json_string_length(v), MXG_ADDRESS_BARE);
}

/* As in the lines of a log: nothing else gets into a result. */
static bool is_plain(const char *text)
{
	while (*text > ' ' && *text <= '~')
		text++;
	return *text == '\0';
}

static bool read_domain(struct mxg_report_state *s, const json_t *a)
{
	const char *name = json_string_value(json_array_get(a, 0));
	const json_t *held = json_array_get(a, 3);
	if (name == NULL || strlen(name) > 253 || !is_plain(name))
		return false;
	size_t before = s->domain_count;
	uint32_t number = mxg_state_domain(s, name, strlen(name), mxg_line_hash(name, strlen(name)));
	if (number != before)
		return false; /* numbers are those of the order */
	struct mxg_domain_state *d = &s->domains[number];
	d->watched = json_is_true(json_array_get(a, 5));
	bool good = get_newer(json_array_get(a, 6), &d->left_out) &&
		    get_counts(json_array_get(a, 1), d->verdicts, MXG_REPORT_VERDICTS) &&
		    get_number(json_array_get(a, 2), &d->refused) && json_is_array(held) &&
		    get_least(json_array_get(a, 4), &d->recipients);
	for (size_t i = 0; good && i < json_array_size(held); i++) {
		uint64_t reason, count;
		const json_t *pair = json_array_get(held, i);
		good = get_number(json_array_get(pair, 0), &reason) && reason < s->reason_count &&
		       get_number(json_array_get(pair, 1), &count) && mxg_state_held_up(d, (uint16_t)reason, count);
	}
	return good;
}

static bool read_peer(struct mxg_report_state *s, const json_t *a)
{
	struct mxg_address address;
	const json_t *domains = json_array_get(a, 4);
	const char *sample = json_string_value(json_array_get(a, 10));
	size_t before = s->peer_count;
	if (!get_address(json_array_get(a, 0), &address) || json_array_size(domains) > MXG_PEER_DOMAINS ||
	    sample == NULL || strlen(sample) >= MXG_SAMPLE_MAX || before == MXG_REPORT_PEERS)
		return false;
	uint32_t number = mxg_state_peer(s, &address);
	if (number != before)
		return false;
	struct mxg_peer_state *p = &s->peers[number];
	bool good = get_number(json_array_get(a, 1), &p->messages) && get_time(json_array_get(a, 2), &p->first) &&
		    get_time(json_array_get(a, 3), &p->last) && get_least(json_array_get(a, 6), &p->senders) &&
		    get_least(json_array_get(a, 7), &p->recipients) && get_least(json_array_get(a, 8), &p->days) &&
		    get_hash(json_array_get(a, 9), &p->sample_rank);
	p->more_domains = json_is_true(json_array_get(a, 5));
	good = good && mxg_state_sample(s, p, sample, strlen(sample));
	for (size_t i = 0; good && i < json_array_size(domains); i++) {
		uint64_t domain;
		good = get_number(json_array_get(domains, i), &domain) && domain < s->domain_count;
		good = good && mxg_state_peer_domain(s, p, (uint32_t)domain);
	}
	return good;
}

static bool read_pair(struct mxg_report_state *s, const json_t *a)
{
	uint64_t domain, direct, via;
	struct mxg_address host;
	size_t before = s->pair_count;
	if (!get_number(json_array_get(a, 0), &domain) || domain >= s->domain_count ||
	    !get_address(json_array_get(a, 1), &host) || !get_number(json_array_get(a, 2), &direct) ||
	    !get_number(json_array_get(a, 3), &via) || mxg_state_pair(s, (uint32_t)domain, &host) != before)
		return false;
	struct mxg_pair_state *p = &s->pairs[before];
	p->direct = direct;
	p->via = via;
	return get_time(json_array_get(a, 4), &p->first_direct) && get_time(json_array_get(a, 5), &p->last_direct) &&
	       get_time(json_array_get(a, 6), &p->first_via);
}

static bool read_day(struct mxg_report_state *s, const json_t *a)
{
	uint64_t domain, day, direct, seconds;
	size_t before = s->day_count;
	if (!get_number(json_array_get(a, 0), &domain) || domain >= s->domain_count ||
	    !get_number(json_array_get(a, 1), &day) || day > 1000000 || !get_number(json_array_get(a, 2), &direct) ||
	    !get_number(json_array_get(a, 3), &seconds) || mxg_state_day(s, (uint32_t)domain, (int32_t)day) != before)
		return false;
	s->days[before].direct = direct;
	s->days[before].seconds = seconds;
	return true;
}

static bool read_date(struct mxg_report_state *s, const json_t *a)
{
	uint64_t day;
	size_t before = s->date_count;
	if (!get_number(json_array_get(a, 0), &day) || day > 1000000)
		return false;
	struct mxg_date_state *d = mxg_state_date(s, (int32_t)day);
	return d != NULL && s->date_count > before &&
	       get_counts(json_array_get(a, 1), d->verdicts, MXG_REPORT_VERDICTS);
}

static bool read_reason(struct mxg_report_state *s, const json_t *a)
{
	const char *name = json_string_value(json_array_get(a, 0));
	size_t before = s->reason_count;
	return name != NULL && strlen(name) < 64 && is_plain(name) && before < MXG_REPORT_REASONS &&
	       mxg_state_reason(s, name, strlen(name)) == before &&
	       get_number(json_array_get(a, 1), &s->reasons[before].count);
}

static bool read_senders(struct mxg_report_state *s, const json_t *o)
{
	const json_t *hashes = json_object_get(o, "hashes");
	uint64_t limit, hash;
	bool good = get_hash(json_object_get(o, "limit"), &limit) && json_is_array(hashes) &&
		    mxg_sample_limit(&s->senders, limit);
	for (size_t i = 0; good && i < json_array_size(hashes); i++)
		good = get_hash(json_array_get(hashes, i), &hash) && mxg_sample_add(&s->senders, hash);
	return good;
}

static bool read_list(struct mxg_report_state *s, const json_t *list,
		      bool (*one)(struct mxg_report_state *, const json_t *))
{
	bool good = json_is_array(list);
	for (size_t i = 0; good && i < json_array_size(list); i++)
		good = one(s, json_array_get(list, i));
	return good;
}

static bool read_object(struct mxg_report_state *s, const json_t *o)
{
	s->cut = json_is_true(json_object_get(o, "cut"));
	s->doubled = json_is_true(json_object_get(o, "doubled"));
	return get_newer(json_object_get(o, "undated"), &s->undated) &&
	       get_newer(json_object_get(o, "left_out"), &s->left_out) &&
	       get_number(json_object_get(o, "lines"), &s->lines) &&
	       get_number(json_object_get(o, "decisions"), &s->decisions) &&
	       get_number(json_object_get(o, "duplicates"), &s->duplicates) &&
	       get_number(json_object_get(o, "unread"), &s->unread) && get_time(json_object_get(o, "from"), &s->from) &&
	       get_time(json_object_get(o, "to"), &s->to) &&
	       get_counts(json_object_get(o, "verdicts"), s->verdicts, MXG_REPORT_VERDICTS) &&
	       get_counts(json_object_get(o, "actions"), s->actions, MXG_REPORT_ACTIONS) &&
	       get_counts(json_object_get(o, "would"), s->would, MXG_REPORT_ACTIONS) &&
	       read_list(s, json_object_get(o, "reasons"), read_reason) &&
	       read_list(s, json_object_get(o, "domains"), read_domain) &&
	       read_list(s, json_object_get(o, "peers"), read_peer) &&
	       read_list(s, json_object_get(o, "pairs"), read_pair) &&
	       read_list(s, json_object_get(o, "days"), read_day) &&
	       read_list(s, json_object_get(o, "dates"), read_date) && read_senders(s, json_object_get(o, "senders"));
}

bool mxg_partial_read(struct mxg_report_state *into, FILE *from, const char **why)
{
	json_error_t error;
	json_t *o = json_loadf(from, JSON_DISABLE_EOF_CHECK, &error);
	struct mxg_report_state *s = o == NULL ? NULL : mxg_report_state_new();
	bool good = false;
	*why = o == NULL ? "is cut or damaged" : "out of memory";
	if (s != NULL && json_integer_value(json_object_get(o, "mxguard_partial")) != VERSION) {
		*why = "was made by another version";
	} else if (s != NULL) {
		good = read_object(s, o);
		*why = "is damaged";
	}
	if (good)
		mxg_report_merge(into, s);
	json_decref(o);
	mxg_report_state_free(s);
	return good;
}

/* ---- streams ------------------------------------------------------------------------------------------------- */

static bool is_more(FILE *from)
{
	int c = getc(from);
	while (c != EOF && isspace(c))
		c = getc(from);
	return c != EOF && ungetc(c, from) != EOF;
}

bool mxg_partial_read_all(struct mxg_report_state *into, struct mxg_beginning *b, const char **why)
{
	FILE *from = mxg_beginning_open(b);
	bool good = from != NULL;
	*why = "out of memory";
	while (good && is_more(from))
		good = mxg_partial_read(into, from, why);
	if (good && ferror(from)) {
		*why = "cannot be read to its end";
		good = false;
	}
	if (from != NULL)
		fclose(from);
	return good;
}
