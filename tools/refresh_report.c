/* SPDX-License-Identifier: MIT */
/* What a refresh found, for people and for scripts. */
#include <stdlib.h>
#include <string.h>

#include "dns_ask.h"
#include "json.h"
#include "refresh_report.h"
#include "table.h"
#include "text.h"

#define ROWS_MAX 50 /* of each kind, for people */
#define CELLS 4

void mxg_refresh_count(const struct mxg_refresh *run, struct mxg_refresh_figures *f)
{
	struct mxg_item *item = NULL;
	size_t at = 0;
	*f = run->gone;
	while (mxg_store_each(&run->store, &at, &item))
		mxg_item_count(item, f);
	for (size_t i = 0; i < run->domain_count; i++) {
		f->domains += !run->domains[i].shared;
		f->self += run->domains[i].mx_is_self;
	}
}

/* ---- JSON ----------------------------------------------------------------------------- */

static json_t *item_object(const struct mxg_item *item)
{
	char name[MXG_NAME_TEXT_MAX];
	return json_pack("{s:s, s:s}", "name", mxg_item_name(item, name), "type", mxg_dns_type_name(item->type));
}

json_t *mxg_alarm_json(const struct mxg_item *item)
{
	json_t *o = item_object(item);
	json_object_set_new(o, "alarms", mxg_json_alarms(item->alarms));
	json_object_set_new(o, "before", json_integer((json_int_t)item->old_size));
	json_object_set_new(o, "now", json_integer((json_int_t)item->new_size));
	json_object_set_new(o, "kept_old", json_boolean(item->keep_old));
	return o;
}

static void items_to_json(const struct mxg_refresh *run, json_t *alarms, json_t *failures)
{
	struct mxg_item *item = NULL;
	size_t at = 0;
	while (mxg_store_each(&run->store, &at, &item)) {
		if (mxg_item_has_alarm(item))
			json_array_append_new(alarms, mxg_alarm_json(item));
		if (mxg_item_failed(item)) {
			json_t *o = item_object(item);
			json_object_set_new(o, "why", json_string(mxg_dns_failure_text(item->reply.failure)));
			json_object_set_new(o, "kept_old", json_boolean(mxg_item_current(item) != NULL));
			json_array_append_new(failures, o);
		}
	}
}

static json_t *published_object(const struct mxg_published *p)
{
	char sum[MXG_CHECKSUM_TEXT_MAX];
	if (p->file == NULL)
		return json_null();
	json_t *o = json_pack("{s:b, s:o, s:o}", "written", p->error[0] == '\0', "error", mxg_json_text(p->error),
			      "file", mxg_json_text(p->file));
	bool known = p->error[0] == '\0';
	json_object_set_new(o, "generation", known ? json_integer(p->facts.generation) : json_null());
	json_object_set_new(o, "checksum", known ? json_string(mxg_checksum_text_of(&p->facts, sum)) : json_null());
	return o;
}

static const char *list_name(enum mxg_list_state state)
{
	static const char *const names[] = { "current", "kept", "remembered" };
	return names[state];
}

/* What became of the list of domains, and how far this run has come. */
static void add_pass(json_t *o, const struct mxg_refresh *run, const struct mxg_refresh_figures *f)
{
	json_object_set_new(o, "list", json_string(list_name(run->list)));
	json_object_set_new(o, "list_kept_since", mxg_json_time(run->list_kept));
	json_object_set_new(o, "added", json_integer((json_int_t)run->added_count));
	json_object_set_new(o, "removed", json_integer((json_int_t)run->removed_count));
	json_object_set_new(o, "fresh", json_integer((json_int_t)f->fresh));
	json_object_set_new(o, "all", json_boolean(!run->some));
	json_object_set_new(o, "ended", json_boolean(run->ended));
	json_object_set_new(o, "left", json_integer((json_int_t)run->left));
}

void mxg_refresh_print_json(const struct mxg_refresh *run, const struct mxg_refresh_figures *f,
			    const struct mxg_refresh_told *told)
{
	json_t *alarms = json_array(), *failures = json_array(), *live = json_array(), *self = json_array();
	items_to_json(run, alarms, failures);
	for (size_t i = 0; i < run->live_count; i++)
		json_array_append_new(live, json_pack("{s:s, s:s, s:s}", "policy", run->live[i].ruleset->label, "term",
						      run->live[i].text, "why", run->live[i].why));
	for (size_t i = 0; i < run->domain_count; i++)
		if (run->domains[i].mx_is_self)
			json_array_append_new(self, json_string(run->domains[i].name));
	json_t *o = json_pack("{s:b, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "written",
			      told->written, "error", mxg_json_text(told->error), "domains", (json_int_t)f->domains,
			      "questions", (json_int_t)f->questions, "sent",
			      (json_int_t)(run->driver == NULL ? 0 : mxg_driver_sent(run->driver)), "changed",
			      (json_int_t)f->changed, "kept", (json_int_t)(f->held + f->failures), "stored",
			      (json_int_t)run->written, "alarms", alarms, "failures", failures, "live_terms", live,
			      "mx_is_self", self, "published", published_object(told->published));
	add_pass(o, run, f);
	mxg_json_print(o);
}

/* ---- people ----------------------------------------------------------------------------- */

static void alarm_row(struct mxg_table *table, const struct mxg_item *item)
{
	char name[MXG_NAME_TEXT_MAX], text[MXG_ALARM_TEXT_MAX];
	mxg_item_alarm_text(item, text);
	const char *cells[CELLS] = { mxg_item_name(item, name), mxg_dns_type_name(item->type), text,
				     item->keep_old ? "the old answers stay" : "taken" };
	mxg_table_add(table, item->keep_old ? MXG_RED : MXG_YELLOW, cells);
}

static void failure_row(struct mxg_table *table, const struct mxg_item *item)
{
	char name[MXG_NAME_TEXT_MAX];
	const char *cells[CELLS] = { mxg_item_name(item, name), mxg_dns_type_name(item->type),
				     mxg_dns_failure_text(item->reply.failure),
				     mxg_item_current(item) != NULL ? "the old answers stay" : "none known" };
	mxg_table_add(table, MXG_YELLOW, cells);
}

static void print_items(const struct mxg_refresh *run, const char *const *headings, size_t count,
			bool (*wanted)(const struct mxg_item *),
			void (*row)(struct mxg_table *, const struct mxg_item *))
{
	struct mxg_table *table = count == 0 ? NULL : mxg_table_new(headings);
	struct mxg_item *item = NULL;
	size_t at = 0;
	if (table == NULL)
		return;
	while (mxg_table_rows(table) < ROWS_MAX && mxg_store_each(&run->store, &at, &item))
		if (wanted(item))
			row(table, item);
	mxg_table_print(table, stdout);
	if (count > mxg_table_rows(table))
		printf("… and %zu more (--json lists them all)\n", count - mxg_table_rows(table));
	putchar('\n');
	mxg_table_free(table);
}

static void print_live(const struct mxg_refresh *run)
{
	for (size_t i = 0; i < run->live_count; i++)
		printf("asked live, at every delivery: %s (%s)\n", run->live[i].text, run->live[i].why);
}

static void print_self(const struct mxg_refresh *run, size_t count)
{
	size_t shown = 0;
	for (size_t i = 0; i < run->domain_count && shown < ROWS_MAX; i++)
		if (run->domains[i].mx_is_self) {
			printf("%s: its MX is this server itself, so there is no filter to skip\n",
			       run->domains[i].name);
			shown++;
		}
	if (count > shown)
		printf("… and %zu more (--json lists them all)\n", count - shown);
}

void mxg_refresh_print_found(const struct mxg_refresh *run, const struct mxg_refresh_figures *f)
{
	static const char *const alarm_headings[] = { "ALARM AT", "TYPE", "WHAT", "AND NOW", NULL };
	static const char *const failure_headings[] = { "NO ANSWER FOR", "TYPE", "WHY", "AND NOW", NULL };
	print_items(run, alarm_headings, f->alarms, mxg_item_has_alarm, alarm_row);
	print_items(run, failure_headings, f->failures, mxg_item_failed, failure_row);
	print_live(run);
	print_self(run, f->self);
	fflush(stdout);
}

void mxg_refresh_print_sum(const struct mxg_refresh *run, const struct mxg_refresh_figures *f, bool written)
{
	if (!written) {
		printf("%zu %s: nothing is new, and nothing is due\n", f->domains,
		       mxg_noun(f->domains, "domain", "domains"));
		return;
	}
	printf("%zu %s, %zu %s (%llu sent), %zu changed, %zu without an answer, %zu %s; %zu %s stored\n", f->domains,
	       mxg_noun(f->domains, "domain", "domains"), f->questions, mxg_noun(f->questions, "question", "questions"),
	       (unsigned long long)mxg_driver_sent(run->driver), f->changed, f->failures, f->alarms,
	       mxg_noun(f->alarms, "alarm", "alarms"), run->written, mxg_noun(run->written, "answer", "answers"));
	if (run->some)
		printf("%zu %s new, %zu %s ours no more\n", run->added_count,
		       mxg_noun(run->added_count, "domain is", "domains are"), run->removed_count,
		       mxg_noun(run->removed_count, "is", "are"));
	if (run->ended && run->left > 0)
		printf("%zu %s not looked at yet; the next run goes on there\n", run->left,
		       mxg_noun(run->left, "domain was", "domains were"));
}
