/* SPDX-License-Identifier: MIT */
/*
 * Hosts that should be alike. What they say comes from other machines: each value is cut, cleaned for a terminal, and
 * never more than compared and shown.
 */
#include "fleet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "facts.h"
#include "text.h"

#define LINE_MOST (1u << 20)
#define HOSTS_MOST 10000
#define NAMED_MOST 10 /* hosts in a finding */
#define VALUE_MAX 72
#define NAME_MAX_BYTES 80

struct host {
	char name[NAME_MAX_BYTES];
	char facts[MXG_FACT_COUNT][VALUE_MAX]; /* "": not told */
	long long generation; /* 0: none */
};

struct fleet {
	struct host *hosts;
	size_t count, room;
	struct mxg_findings *findings;
	bool full;
};

static const struct {
	const char *check, *what, *advice;
	enum mxg_finding_level level;
	bool hash;
} facts[MXG_FACT_COUNT] = {
	[MXG_FACT_GATEWAYS] = { "fleet-gateways", "gateways",
				"one configuration for all: a snapshot for other gateways is refused",
				MXG_FINDING_ERROR, true },
	[MXG_FACT_CONFIGURATION] = { "fleet-configuration", "what a snapshot must hold",
				     "the same domains, default_domain, dns.require_dnssec and insecure_client_macros "
				     "on "
				     "all: a snapshot of another configuration is refused",
				     MXG_FINDING_ERROR, true },
	[MXG_FACT_SETTINGS] = { "fleet-settings", "other settings that decide",
				"compare mode, actions, exempt, internal, origins, trace.mta and times",
				MXG_FINDING_WARNING, true },
	[MXG_FACT_GENERATION] = { "fleet-generation", "snapshot",
				  "mxguard refresh --fetch, and its timer, on the hosts behind", MXG_FINDING_WARNING,
				  false },
	[MXG_FACT_VERSION] = { "fleet-version", "version of mxguard", "install the same everywhere",
			       MXG_FINDING_WARNING, false },
	[MXG_FACT_DOVECOT] = { "fleet-dovecot", "Dovecot", NULL, MXG_FINDING_NOTE, false },
	[MXG_FACT_POSTFIX] = { "fleet-postfix", "Postfix", NULL, MXG_FINDING_NOTE, false },
	[MXG_FACT_EXIM] = { "fleet-exim", "Exim", NULL, MXG_FINDING_NOTE, false },
};

/* ---- what they said ------------------------------------------------------------------------------- */

static void clean(char *out, size_t size, const json_t *value)
{
	out[0] = '\0';
	if (json_is_string(value))
		mxg_text_clean(out, size, json_string_value(value), json_string_length(value), NULL);
	else if (json_is_integer(value))
		snprintf(out, size, "%lld", (long long)json_integer_value(value));
}

static struct host *next_host(struct fleet *f)
{
	if (f->count == HOSTS_MOST) {
		f->full = true;
		return NULL;
	}
	if (f->count == f->room) {
		size_t room = f->room == 0 ? 64 : f->room * 2;
		struct host *more = reallocarray(f->hosts, room, sizeof(*more));
		if (more == NULL) {
			f->findings->lost = true;
			return NULL;
		}
		f->hosts = more;
		f->room = room;
	}
	return &f->hosts[f->count];
}

/* True where the line is a host's. */
static bool take_line(struct fleet *f, const char *line, size_t len)
{
	json_t *o = json_loadb(line, len, 0, NULL), *said = json_object_get(o, "host");
	struct host *h = json_is_object(said) ? next_host(f) : NULL;
	if (h != NULL) {
		*h = (struct host){ .generation = json_integer_value(json_object_get(said, "generation")) };
		clean(h->name, sizeof(h->name), json_object_get(said, "name"));
		if (h->name[0] == '\0')
			snprintf(h->name, sizeof(h->name), "host %zu", f->count + 1);
		for (size_t i = 0; i < MXG_FACT_COUNT; i++)
			clean(h->facts[i], sizeof(h->facts[i]), json_object_get(said, mxg_fact_keys[i]));
		f->count++;
	}
	json_decref(o);
	return h != NULL;
}

static bool take_lines(struct fleet *f, FILE *from)
{
	char *line = malloc(LINE_MOST);
	bool any = false;
	f->findings->lost |= line == NULL;
	while (line != NULL && fgets(line, LINE_MOST, from) != NULL)
		any |= take_line(f, line, strlen(line));
	free(line);
	return any;
}

static void take_file(struct fleet *f, const char *path)
{
	char name[400];
	bool standard = strcmp(path, "-") == 0;
	FILE *from = standard ? stdin : fopen(path, "re");
	mxg_text_clean(name, sizeof(name), path, strlen(path), NULL);
	bool any = from != NULL && take_lines(f, from);
	if (from == NULL || ferror(from))
		mxg_finding_add(f->findings, MXG_FINDING_ERROR, "fleet-file", NULL, "%s: %s", name, strerror(errno));
	else if (!any)
		mxg_finding_add(f->findings, MXG_FINDING_ERROR, "fleet-file",
				"on each host: mxguard doctor --json > FILE",
				"%s: no host says anything of itself there", name);
	if (from != NULL && !standard)
		fclose(from);
}

/* ---- who differs ------------------------------------------------------------------------------------ */

static size_t how_many(const struct fleet *f, enum mxg_fact fact, const char *value)
{
	size_t n = 0;
	for (size_t i = 0; i < f->count; i++)
		n += strcmp(f->hosts[i].facts[fact], value) == 0;
	return n;
}

/* What most have; of the snapshot the newest, which all should have. */
static const struct host *model_of(const struct fleet *f, enum mxg_fact fact)
{
	const struct host *best = &f->hosts[0];
	size_t most = how_many(f, fact, best->facts[fact]);
	for (size_t i = 1; i < f->count; i++) {
		const struct host *h = &f->hosts[i];
		if (fact == MXG_FACT_GENERATION) {
			best = h->generation > best->generation ? h : best;
		} else if (strcmp(h->facts[fact], best->facts[fact]) != 0) {
			size_t n = how_many(f, fact, h->facts[fact]);
			best = n > most ? h : best;
			most = n > most ? n : most;
		}
	}
	return best;
}

static const char *shown(const struct host *h, enum mxg_fact fact, char text[VALUE_MAX])
{
	snprintf(text, VALUE_MAX, facts[fact].hash ? "%.12s" : "%s", h->facts[fact]);
	return text[0] == '\0' ? "none" : text;
}

static void compare(struct fleet *f, enum mxg_fact fact)
{
	char text[NAMED_MOST * (NAME_MAX_BYTES + VALUE_MAX + 16)] = "", value[VALUE_MAX];
	const struct host *model = model_of(f, fact);
	size_t differ = 0, at = 0;
	for (size_t i = 0; i < f->count; i++) {
		const struct host *h = &f->hosts[i];
		if (strcmp(h->facts[fact], model->facts[fact]) == 0 || differ++ >= NAMED_MOST)
			continue;
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s has %s", at == 0 ? "" : ", ", h->name,
				       shown(h, fact, value));
	}
	if (differ > NAMED_MOST)
		snprintf(text + at, sizeof(text) - at, " and %zu %s", differ - NAMED_MOST,
			 mxg_noun(differ - NAMED_MOST, "other", "others"));
	if (differ > 0)
		mxg_finding_add(f->findings, facts[fact].level, facts[fact].check, facts[fact].advice,
				"%s: %s; %zu of %zu have %s", facts[fact].what, text, f->count - differ, f->count,
				shown(model, fact, value));
	else
		mxg_finding_add(f->findings, MXG_FINDING_OK, facts[fact].check, NULL, "%s: %s on all %zu",
				facts[fact].what, shown(model, fact, value), f->count);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct host *)a)->name, ((const struct host *)b)->name);
}

static void check_names(struct fleet *f)
{
	qsort(f->hosts, f->count, sizeof(*f->hosts), by_name);
	for (size_t i = 1; i < f->count; i++)
		if (strcmp(f->hosts[i].name, f->hosts[i - 1].name) == 0)
			mxg_finding_add(f->findings, MXG_FINDING_WARNING, "fleet-file",
					"give each host's file once, and each host a name of its own",
					"%s is there more than once", f->hosts[i].name);
	if (f->full)
		mxg_finding_add(f->findings, MXG_FINDING_ERROR, "fleet-file", NULL,
				"more than %d hosts: the rest is left out", HOSTS_MOST);
}

void mxg_doctor_fleet(struct mxg_findings *findings, char **files, size_t count)
{
	struct fleet f = { .findings = findings };
	for (size_t i = 0; i < count; i++)
		take_file(&f, files[i]);
	if (f.count > 0)
		check_names(&f);
	for (enum mxg_fact fact = 0; f.count > 0 && fact < MXG_FACT_COUNT; fact++)
		compare(&f, fact);
	free(f.hosts);
}
