/* SPDX-License-Identifier: MIT */
/* A suggestion in words: a block to paste, or JSON. */
#include <string.h>

#include "json.h"
#include "suggest.h"

#define COLUMNS 96

bool mxg_suggestion_shared(const struct mxg_suggestion *s, bool *shared)
{
	*shared = false;
	for (size_t i = 0; i < s->entry_count; i++) {
		if (s->entries[i].vendor == NULL)
			return false;
		*shared |= s->entries[i].vendor->shared;
	}
	return s->entry_count > 0;
}

/* ---- JSON --------------------------------------------------------------------------------------- */

/* The vendors' names, or their sources, one of each with `between` between them. */
static json_t *vendor_text(const struct mxg_suggestion *s, bool source, const char *between)
{
	char text[2048] = "";
	for (size_t i = 0; i < s->host_count; i++) {
		const struct mxg_vendor *v = s->hosts[i].vendor;
		const char *one = v == NULL ? "" : source ? v->source : v->name;
		size_t at = strlen(text);
		if (strstr(text, one) == NULL)
			snprintf(text + at, sizeof(text) - at, "%s%s", at == 0 ? "" : between, one);
	}
	return mxg_json_text(text);
}

json_t *mxg_suggestion_json(const struct mxg_suggestion *s)
{
	json_t *object = json_object(), *mx = json_array(), *gateways = json_array(), *notes = json_array(),
	       *guesses = json_array();
	bool shared;
	for (size_t i = 0; i < s->host_count; i++)
		json_array_append_new(mx, mxg_json_text(s->hosts[i].name));
	for (size_t i = 0; i < s->entry_count; i++)
		json_array_append_new(
			gateways, json_pack("{s:s, s:s}", "name", s->entries[i].name, "allow", s->entries[i].allow));
	for (size_t i = 0; i < s->note_count; i++)
		json_array_append_new(notes, mxg_json_text(s->notes[i]));
	for (size_t i = 0; i < s->guess_count; i++)
		json_array_append_new(guesses, mxg_json_text(s->guesses[i]));
	json_object_set_new(object, "domain", mxg_json_text(s->domain));
	json_object_set_new(object, "mx", mx);
	json_object_set_new(object, "vendor", vendor_text(s, false, " + "));
	json_object_set_new(object, "shared", mxg_suggestion_shared(s, &shared) ? json_boolean(shared) : json_null());
	json_object_set_new(object, "gateways", gateways);
	json_object_set_new(object, "guesses", guesses);
	json_object_set_new(object, "notes", notes);
	json_object_set_new(object, "source", vendor_text(s, true, " "));
	return object;
}

/* ---- a block -------------------------------------------------------------------------------------- */

/* A comment of several lines. */
static void print_comment(const char *indent, const char *text, FILE *to)
{
	size_t column = 0;
	const char *first = "- ";
	while (*text != '\0') {
		size_t len = strcspn(text, " ");
		if (column > 0 && column + len + 1 > COLUMNS) {
			fputc('\n', to);
			column = 0;
		}
		if (column == 0)
			column += (size_t)fprintf(to, "%s# %s", indent, first);
		else
			column += (size_t)fprintf(to, " ");
		column += (size_t)fprintf(to, "%.*s", (int)len, text);
		first = "  ";
		text += len + strspn(text + len, " ");
	}
	fputc('\n', to);
}

static void print_reasons(const struct mxg_suggestion *s, const char *indent, FILE *to)
{
	const char *vendors = "";
	json_t *names = vendor_text(s, false, " + ");
	if (json_is_string(names))
		vendors = json_string_value(names);
	fprintf(to, "%s# %s: %s%s\n", indent, s->domain,
		s->host_count == 0   ? "no MX host is known"
		: vendors[0] != '\0' ? "its MX is with "
				     : "its MX hosts are nobody's that the catalogue knows",
		vendors);
	json_decref(names);
	for (size_t i = 0; i < s->host_count; i++)
		fprintf(to, "%s#   MX %s\n", indent, s->hosts[i].name);
	for (size_t i = 0; i < s->entry_count; i++) {
		const struct mxg_vendor *v = s->entries[i].vendor;
		if (v != NULL)
			fprintf(to, "%s#   %s, read on %s\n", indent, v->source, v->date);
	}
	for (size_t i = 0; i < s->note_count; i++)
		print_comment(indent, s->notes[i], to);
}

/* The condition that keeps other customers out stands where it belongs, ready to be switched on. */
static void print_entry(const struct mxg_suggest_entry *e, const char *indent, bool last, FILE *to)
{
	const struct mxg_vendor *v = e->vendor;
	fprintf(to, "%s  { name = \"%s\"; allow = \"%s\";", indent, e->name, e->allow);
	if (v != NULL && v->shared) {
		fprintf(to,
			"\n%s    # shared with its other customers: let the vendor add this field, then\n"
			"%s    # header = { name = \"X-Gateway-Token\"; value_file = \"/etc/mxguard/gateway.token\"; "
			"};\n",
			indent, indent);
		if (v->certificate != NULL)
			fprintf(to, "%s    # certificate = { subject = \"%s\"; verified = true; };\n", indent,
				v->certificate);
		fprintf(to, "%s ", indent);
	}
	fprintf(to, " }%s\n", last ? "" : ",");
}

static void print_entries(const struct mxg_suggestion *s, const char *indent, FILE *to)
{
	fprintf(to, "%sgateways = (\n", indent);
	for (size_t i = 0; i < s->entry_count; i++)
		print_entry(&s->entries[i], indent, i + 1 == s->entry_count, to);
	for (size_t i = 0; i < s->guess_count; i++)
		fprintf(to, "%s  # a guess, nobody documents it: ,{ name = \"guess-%zu\"; allow = \"%s\"; }\n", indent,
			i + 1, s->guesses[i]);
	fprintf(to, "%s);\n", indent);
}

static bool same_entries(const struct mxg_suggestion *a, const struct mxg_suggestion *b)
{
	if (a->entry_count != b->entry_count)
		return false;
	for (size_t i = 0; i < a->entry_count; i++)
		if (strcmp(a->entries[i].name, b->entries[i].name) != 0 ||
		    strcmp(a->entries[i].allow, b->entries[i].allow) != 0)
			return false;
	return true;
}

/* The first of those that fare alike stands for them. */
static bool leads(const struct mxg_suggestion *all, size_t number)
{
	if (all[number].entry_count == 0)
		return false;
	for (size_t i = 0; i < number; i++)
		if (same_entries(&all[i], &all[number]))
			return false;
	return true;
}

static void print_domains(const struct mxg_suggestion *all, size_t count, const struct mxg_suggestion *like,
			  const char *indent, FILE *to)
{
	const char *between = "";
	fprintf(to, "%sdomains = [", indent);
	for (size_t i = 0; i < count; i++) {
		if (!same_entries(&all[i], like))
			continue;
		fprintf(to, "%s \"%s\"", between, all[i].domain);
		between = ",";
	}
	fputs(" ];\n", to);
}

/* The first group is the configuration's own, unless one before it is (groups 1); the others are `policies`. */
static bool print_groups(const struct mxg_suggestion *all, size_t count, size_t groups, FILE *to)
{
	for (size_t i = 0; i < count; i++) {
		if (!leads(all, i))
			continue;
		const char *indent = groups == 0 ? "" : "    ";
		if (groups > 0)
			fputs(groups == 1 ? "policies = (\n  {\n" : ",\n  {\n", to);
		print_domains(all, count, &all[i], indent, to);
		print_entries(&all[i], indent, to);
		if (groups > 0)
			fputs("  }", to);
		groups++;
	}
	if (groups > 1)
		fputs("\n);\n", to);
	return groups > 0;
}

static void print_all_reasons(const struct mxg_suggestion *all, size_t count, FILE *to)
{
	for (size_t i = 0; i < count; i++)
		print_reasons(&all[i], "", to);
}

void mxg_suggestions_print(const struct mxg_suggestion *all, size_t count, FILE *to)
{
	print_all_reasons(all, count, to);
	print_groups(all, count, 0, to);
}

bool mxg_suggestions_print_gateways(const struct mxg_suggestion *all, size_t count, bool complete, FILE *to)
{
	size_t known = 0, alike = 0;
	print_all_reasons(all, count, to);
	for (size_t i = 0; i < count; i++) {
		known += all[i].entry_count > 0;
		alike += same_entries(&all[i], &all[0]);
	}
	if (known == 0)
		return false;
	if (complete && known == count && alike == count) {
		print_entries(&all[0], "", to);
		return true;
	}
	/* the hosts of one domain are not to hand over mail for another whose own are not known */
	fputs("gateways = (\n  { name = \"current-mx\"; allow = \"mx\"; }\n);\n", to);
	return print_groups(all, count, 1, to);
}
