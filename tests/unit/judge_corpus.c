/* SPDX-License-Identifier: MIT */
/* Walks every case of a corpus of real headers (one JSON object a line) and
 * says right, unreadable or wrong: with the form alone to tell, with the names of
 * the hosts, and (where one MTA wrote all) with that MTA named, too. Exit 1 if any
 * is wrong, or if fewer than 97 % of those that are not hostile come out right.
 * -v lists what is not right. */
#include "received/trace.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum score { RIGHT, UNREADABLE, WRONG, SCORES };

struct tally {
	unsigned count[2][SCORES]; /* [hostile] */
};

static bool verbose;

static const char *kind_of(const struct mxg_trace *t)
{
	switch (t->outcome) {
	case MXG_TRACE_EXTERNAL:
	case MXG_TRACE_ORIGIN:
		return "external";
	case MXG_TRACE_AUTHENTICATED:
		return "authenticated";
	case MXG_TRACE_LOCAL:
	case MXG_TRACE_ENDED:
		return "local-origin";
	default:
		return "unparseable";
	}
}

static char *bytes_of(const json_t *entry, size_t *len)
{
	const json_t *headers = json_object_get(entry, "headers");
	const unsigned char *s = (const unsigned char *)json_string_value(headers);
	size_t n = json_string_length(headers), out = 0;
	char *copy = malloc(n + 1);
	if (copy == NULL)
		abort();
	bool latin = json_object_get(entry, "x_enc") != NULL;
	for (size_t i = 0; i < n; i++) {
		if (latin && s[i] >= 0xc2 && s[i] <= 0xc3 && i + 1 < n) {
			copy[out++] = (char)((s[i] & 3) << 6 | (s[i + 1] & 0x3f));
			i++;
		} else {
			copy[out++] = (char)s[i];
		}
	}
	*len = out;
	return copy;
}

static size_t read_prefixes(struct mxg_prefix *set, size_t room, const json_t *list)
{
	size_t n = 0;
	for (size_t i = 0; i < json_array_size(list) && n < room; i++) {
		const char *text = json_string_value(json_array_get(list, i));
		if (mxg_prefix_parse(&set[n], text, strlen(text)) != MXG_PREFIX_BAD_ADDRESS)
			n++;
	}
	return n;
}

static bool same_address(const char *text, const char *address)
{
	struct mxg_address a, b;
	return mxg_address_parse(&a, text, strlen(text), MXG_ADDRESS_BARE) &&
	       mxg_address_parse(&b, address, strlen(address), MXG_ADDRESS_BARE) && mxg_address_equal(&a, &b);
}

static bool lists(const json_t *list, const char *kind, const char *address)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));
		if (strcmp(text, kind) == 0 || (address[0] != '\0' && same_address(text, address)))
			return true;
	}
	return false;
}

static enum score score(const json_t *entry, const struct mxg_trace *t)
{
	char address[MXG_ADDRESS_TEXT_MAX];
	const char *kind = kind_of(t), *want = json_string_value(json_object_get(entry, "kind"));
	const char *peer = json_string_value(json_object_get(entry, "true_peer"));
	bool shows = strcmp(kind, "external") == 0 || strcmp(kind, "authenticated") == 0;
	mxg_address_format(&t->address, address);
	if (shows && lists(json_object_get(entry, "x_must_not"), "", address) &&
	    (peer == NULL || !same_address(peer, address)))
		return WRONG;
	if (strcmp(kind, "unparseable") == 0) {
		const json_t *accept = json_object_get(entry, "x_accept");
		bool safe = lists(accept, kind, "") || lists(accept, "unreadable", "");
		bool hostile = json_is_true(json_object_get(entry, "hostile"));
		return strcmp(want, kind) == 0 || (safe && !hostile) ? RIGHT : UNREADABLE;
	}
	/* a login whose address the MTA does not write */
	if (strcmp(kind, "authenticated") == 0 && strcmp(want, kind) == 0 && address[0] == '\0')
		return RIGHT;
	if (strcmp(kind, want) == 0 && (!shows || (peer != NULL && same_address(peer, address))))
		return RIGHT;
	/* an address is accepted for external mail only: a login it was not */
	if (strcmp(kind, "authenticated") != 0 && lists(json_object_get(entry, "x_accept"), kind, shows ? address : ""))
		return RIGHT;
	return WRONG;
}

static void show(const json_t *entry, const struct mxg_trace *t, enum score s, const char *pass)
{
	char address[MXG_ADDRESS_TEXT_MAX];
	const char *peer = json_string_value(json_object_get(entry, "true_peer"));
	printf("%s %s %s%s: %s %s (%s %s, hop %u), want %s %s\n", pass, s == WRONG ? "WRONG" : "unreadable",
	       json_string_value(json_object_get(entry, "id")),
	       json_is_true(json_object_get(entry, "hostile")) ? " (hostile)" : "", kind_of(t),
	       mxg_address_format(&t->address, address), mxg_trace_reason_name(t->reason),
	       mxg_received_reason_name(t->field_reason), t->hop, json_string_value(json_object_get(entry, "kind")),
	       peer == NULL ? "" : peer);
}

enum pass { FORM, NAMES, MTA, PASSES };
static const char *const pass_names[] = { "form", "by", "mta" };

static void judge(const json_t *entry, struct tally *tally, enum pass pass)
{
	static struct mxg_trace t;
	struct mxg_prefix internal[16];
	size_t len, count = read_prefixes(internal, 16, json_object_get(entry, "internal"));
	const char *by = json_string_value(json_object_get(entry, "by"));
	const char *mta = json_string_value(json_object_get(entry, "mta"));
	const char *names[] = { ".example.com", ".inner.test", by };
	struct mxg_trace_rules rules = { .internal = internal, .internal_count = count, .belief = MXG_TRACE_ANY };
	if (pass != FORM) {
		rules.belief = MXG_TRACE_NAMED;
		rules.by = names;
		rules.by_count = by == NULL ? 2 : 3;
	}
	if (pass == MTA)
		rules.mta_mask = mxg_mta_parse(mta, strlen(mta));
	char *bytes = bytes_of(entry, &len);
	mxg_trace_init(&t, &rules);
	mxg_trace_feed(&t, bytes, len);
	mxg_trace_end(&t);
	free(bytes);
	enum score s = score(entry, &t);
	bool hostile = json_is_true(json_object_get(entry, "hostile"));
	tally->count[hostile][s]++;
	if (s == WRONG || (verbose && s == UNREADABLE))
		show(entry, &t, s, pass_names[pass]);
}

static bool is_scored(const json_t *entry)
{
	return json_object_get(entry, "x_limit") == NULL && json_object_get(entry, "x_disputed") == NULL &&
	       !json_is_false(json_object_get(entry, "x_recoverable"));
}

/* Of tables of other projects, some do not say which host is theirs. */
static bool has_names(const json_t *entry)
{
	const char *source = json_string_value(json_object_get(entry, "source"));
	return json_string_value(json_object_get(entry, "by")) != NULL || source == NULL ||
	       strstr(source, "run here") != NULL;
}

/* Chains are told by "chain", or by the source of the case. */
static bool is_one_mta(const json_t *entry)
{
	const char *mta = json_string_value(json_object_get(entry, "mta"));
	const char *source = json_string_value(json_object_get(entry, "source"));
	return mxg_mta_parse(mta, strlen(mta)) != 0 && json_object_get(entry, "chain") == NULL &&
	       (source == NULL || strstr(source, " then ") == NULL);
}

static bool report(const char *pass, const struct tally *t, bool share_matters)
{
	const unsigned *plain = t->count[0], *hostile = t->count[1];
	unsigned all = plain[RIGHT] + plain[UNREADABLE] + plain[WRONG];
	printf("%s: not hostile: %u right, %u unreadable, %u wrong; hostile: %u right, %u unreadable, %u wrong\n", pass,
	       plain[RIGHT], plain[UNREADABLE], plain[WRONG], hostile[RIGHT], hostile[UNREADABLE], hostile[WRONG]);
	return plain[WRONG] + hostile[WRONG] == 0 && (!share_matters || plain[RIGHT] * 100 >= all * 97);
}

int main(int argc, char **argv)
{
	struct tally tally[PASSES];
	memset(tally, 0, sizeof(tally));
	char *line = NULL;
	size_t room = 0;
	verbose = argc == 3 && strcmp(argv[1], "-v") == 0;
	FILE *f = argc < 2 ? NULL : fopen(argv[argc - 1], "r");
	if (f == NULL) {
		fprintf(stderr, "usage: judge [-v] corpus.jsonl\n");
		return 2;
	}
	while (getline(&line, &room, f) > 0) {
		json_t *entry = json_loads(line, JSON_ALLOW_NUL, NULL);
		if (entry == NULL) {
			fprintf(stderr, "not JSON: %.60s\n", line);
			return 2;
		}
		if (is_scored(entry)) {
			judge(entry, &tally[FORM], FORM);
			if (has_names(entry))
				judge(entry, &tally[NAMES], NAMES);
			if (has_names(entry) && is_one_mta(entry))
				judge(entry, &tally[MTA], MTA);
		}
		json_decref(entry);
	}
	free(line);
	fclose(f);
	bool good = true;
	for (unsigned i = 0; i < PASSES; i++)
		good = report(pass_names[i], &tally[i], i == FORM) && good;
	return good ? 0 : 1;
}
