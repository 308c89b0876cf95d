/* SPDX-License-Identifier: MIT */
#include "gateways_past.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "generations.h"
#include "history_import.h"
#include "json.h"
#include "load.h"
#include "snapshot_write.h"
#include "table.h"
#include "text.h"

int mxg_gateways_history(const struct mxguard_policy *policy, struct mxg_history **history)
{
	char message[512];
	if (mxg_history_open(history, policy->state_dir, message, sizeof(message)) != MXGUARD_ERROR_NONE) {
		fprintf(stderr, "mxguard gateways: %s\n", message);
		return EX_NOINPUT;
	}
	if (mxg_history_is_empty(*history)) {
		fprintf(stderr, "mxguard gateways: there is no history in %s yet; mxguard refresh begins it\n",
			policy->state_dir);
		return EX_NOINPUT;
	}
	if (mxg_history_damaged(*history) > 0)
		fprintf(stderr, "mxguard gateways: warning: %zu damaged %s of the history passed over\n",
			mxg_history_damaged(*history), mxg_noun(mxg_history_damaged(*history), "line", "lines"));
	return 0;
}

/* ---- generations ----------------------------------------------------------------------------------- */

static json_t *generation_object(const struct mxg_generation *g)
{
	char text[MXG_PREFIX_TEXT_MAX];
	json_t *gateways = json_array(), *o = json_object();
	for (size_t i = 0; i < g->count; i++)
		json_array_append_new(gateways, json_string(mxg_gateway_text(&g->gateways[i], text)));
	json_object_set_new(o, "from", mxg_json_time(g->from));
	json_object_set_new(o, "until", mxg_json_time(g->until));
	json_object_set_new(o, "known", json_boolean(g->known));
	json_object_set_new(o, "gateways", gateways);
	return o;
}

static void print_json(const struct mxg_generations *g, const char *domain)
{
	json_t *list = json_array();
	for (size_t i = 0; i < g->count; i++)
		json_array_append_new(list, generation_object(&g->items[i]));
	mxg_json_print(json_pack("{s:s, s:o, s:b}", "domain", domain, "generations", list, "cut", g->cut));
}

static void add_row(struct mxg_table *table, const struct mxg_generation *g)
{
	char from[MXG_TIME_MAX], until[MXG_TIME_MAX], prefix[MXG_PREFIX_TEXT_MAX], all[1000] = "";
	size_t at = 0;
	for (size_t i = 0; i < g->count && at < sizeof(all); i++)
		at += (size_t)snprintf(all + at, sizeof(all) - at, "%s%s", i == 0 ? "" : " ",
				       mxg_gateway_text(&g->gateways[i], prefix));
	const char *cells[] = { g->from == 0 ? "always" : mxg_time_format(g->from, from),
				g->until == 0 ? "-" : mxg_time_format(g->until, until),
				g->known ? "" : "not all is known", all };
	mxg_table_add(table, g->known ? MXG_PLAIN : MXG_YELLOW, cells);
}

static int print_people(const struct mxg_generations *g, const char *domain, bool named)
{
	static const char *const headings[] = { "FROM", "UNTIL", "NOTE", "GATEWAYS", NULL };
	struct mxg_table *table = mxg_table_new(headings);
	if (table == NULL)
		return -1;
	if (named)
		printf("%s%s%s\n", mxg_colour_begin(stdout, MXG_BOLD), domain, mxg_colour_end(stdout));
	for (size_t i = 0; i < g->count; i++)
		add_row(table, &g->items[i]);
	int result = mxg_table_print(table, stdout);
	mxg_table_free(table);
	return result;
}

int mxg_gateways_generations(struct mxg_flattener *f, const struct mxg_ruleset *ruleset, const struct mxg_name *name,
			     const char *domain, bool json, bool named)
{
	struct mxg_generations g;
	int status = 0;
	if (!mxg_generations_of(f, ruleset, name, &g)) {
		fputs("mxguard gateways: out of memory\n", stderr);
		return EX_TEMPFAIL;
	}
	if (json)
		print_json(&g, domain);
	else if (print_people(&g, domain, named) != 0)
		status = EX_TEMPFAIL;
	for (size_t i = 0; i < g.count && status == 0; i++)
		status = g.items[i].known ? 0 : EX_TEMPFAIL;
	mxg_generations_clear(&g);
	return status;
}

/* ---- import ------------------------------------------------------------------------------------------ */

static int tell(const struct mxg_import *im, bool json)
{
	if (json)
		mxg_json_print(json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "lines", (json_int_t)im->lines, "wrong",
					 (json_int_t)im->wrong, "unused", (json_int_t)im->unused, "dropped",
					 (json_int_t)im->dropped, "names", (json_int_t)im->names, "written",
					 (json_int_t)im->written));
	else
		printf("%zu %s read, %zu %s of %zu %s put into the history\n", im->lines,
		       mxg_noun(im->lines, "line", "lines"), im->written, mxg_noun(im->written, "state", "states"),
		       im->names, mxg_noun(im->names, "name", "names"));
	if (im->unused > 0 && !json)
		printf("%zu %s other than A, AAAA, MX and SPF's TXT not needed\n", im->unused,
		       mxg_noun(im->unused, "record of a kind", "records of kinds"));
	if (im->dropped > 0)
		fprintf(stderr, "mxguard gateways: %zu %s more than can be taken\n", im->dropped,
			mxg_noun(im->dropped, "record is", "records are"));
	if (im->wrong > 0)
		fprintf(stderr, "mxguard gateways: %zu %s wrong; the first is line %zu: %s\n", im->wrong,
			mxg_noun(im->wrong, "line is", "lines are"), im->first_wrong, im->why);
	return im->wrong > 0 || im->dropped > 0 ? EX_DATAERR : 0;
}

static int import_into(const struct mxguard_policy *policy, FILE *from, int folder, bool json)
{
	struct mxg_import im;
	struct mxg_history *before;
	char message[512];
	if (mxg_history_open(&before, policy->state_dir, message, sizeof(message)) != MXGUARD_ERROR_NONE) {
		fprintf(stderr, "mxguard gateways: %s\n", message);
		return EX_NOINPUT;
	}
	struct mxg_history_writer *w = malloc(sizeof(*w));
	bool ok = w != NULL, whole = false;
	if (ok) {
		mxg_history_begin(w, folder, mxg_wall_clock());
		whole = w->whole;
		w->whole = false; /* what refresh has to put is its own business */
		ok = mxg_import_run(&im, from, before, w, mxg_wall_clock());
	}
	mxg_history_free(before);
	int status = ok ? 0 : EX_TEMPFAIL;
	if (w != NULL && !mxg_history_commit(w)) {
		fprintf(stderr, "mxguard gateways: %s/%s: %s\n", policy->state_dir, MXG_HISTORY_FILE,
			strerror(w->error));
		status = EX_IOERR;
	} else if (ok) {
		status = tell(&im, json);
		if (whole && w->lines > 0)
			mxg_history_want_all(folder);
	} else {
		fputs("mxguard gateways: out of memory\n", stderr);
	}
	free(w);
	return status;
}

int mxg_gateways_import(const struct mxguard_policy *policy, const char *path, bool json)
{
	int folder, lock;
	FILE *from = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	if (from == NULL) {
		fprintf(stderr, "mxguard gateways: %s: %s\n", path, strerror(errno));
		return EX_NOINPUT;
	}
	umask(022);
	lock = mxg_state_lock(policy->state_dir, &folder);
	if (lock < 0) {
		fprintf(stderr, "mxguard gateways: %s: %s\n", policy->state_dir,
			errno == EWOULDBLOCK ? "a refresh is running; try again when it is done" : strerror(errno));
		if (from != stdin)
			fclose(from);
		return errno == EWOULDBLOCK ? EX_TEMPFAIL : EX_CANTCREAT;
	}
	int status = import_into(policy, from, folder, json);
	if (from != stdin)
		fclose(from);
	close(folder);
	close(lock);
	return status;
}
