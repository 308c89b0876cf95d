/* SPDX-License-Identifier: MIT */
/* What this host says of itself, for a comparison with others. */
#include "facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/domain_map.h"
#include "json.h"
#include "program.h"
#include "snapshot/snapshot.h"

const char *const mxg_fact_keys[MXG_FACT_COUNT] = { "gateways", "configuration", "settings", "generation",
						    "version",  "dovecot",       "postfix",  "exim" };

/* ---- configuration --------------------------------------------------------------------------------- */

static json_t *hex(const uint8_t bytes[MXG_CHECKSUM_BYTES])
{
	char text[2 * MXG_CHECKSUM_BYTES + 1];
	for (size_t i = 0; i < MXG_CHECKSUM_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return json_string(text);
}

static void join_text(struct mxg_checksum *set, const char *text)
{
	struct mxg_checksum one;
	mxg_checksum_begin(&one);
	mxg_checksum_string(&one, text);
	mxg_checksum_join(set, &one);
}

static void add_prefixes(struct mxg_checksum *sum, const struct mxg_prefix_list *list)
{
	char text[MXG_PREFIX_TEXT_MAX];
	struct mxg_checksum set = { { 0 } };
	for (size_t i = 0; i < list->count; i++)
		join_text(&set, mxg_prefix_format(&list->items[i], text));
	mxg_checksum_set(sum, &set);
}

static void add_rules(struct mxg_checksum *sum, const struct mxg_ruleset *rules)
{
	struct mxg_checksum exempt = { { 0 } };
	const unsigned words[] = { rules->mode,        rules->on_direct,          rules->on_direct_queued,
				   rules->on_unknown,  rules->on_unreadable_door, rules->on_unreadable_queued,
				   rules->on_untraced, rules->retrieved,          rules->resubmitted };
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		mxg_checksum_number(sum, words[i]);
	for (size_t i = 0; i < rules->exempt.count; i++)
		join_text(&exempt, rules->exempt.items[i]);
	mxg_checksum_set(sum, &exempt);
}

/* Of each domain that has rules of its own, in whatever order. */
static void add_blocks(struct mxg_checksum *sum, const struct mxguard_policy *policy)
{
	struct mxg_checksum set = { { 0 } };
	const char *name;
	uint32_t number;
	for (size_t i = 0; (name = mxg_domain_map_name(policy->map, i, &number)) != NULL; i++) {
		struct mxg_checksum one;
		mxg_checksum_begin(&one);
		mxg_checksum_string(&one, name);
		add_rules(&one, &policy->rulesets[number]);
		mxg_checksum_join(&set, &one);
	}
	mxg_checksum_set(sum, &set);
}

/* What makes two hosts decide alike, beside gateways and domains. Names and addresses of a host are its own. */
static json_t *settings(const struct mxguard_policy *policy)
{
	struct mxg_checksum sum;
	uint8_t bytes[MXG_CHECKSUM_BYTES];
	mxg_checksum_begin(&sum);
	mxg_checksum_string(&sum, "mxguard settings 1");
	add_rules(&sum, &policy->rulesets[0]);
	add_blocks(&sum, policy);
	add_prefixes(&sum, &policy->internal);
	add_prefixes(&sum, &policy->origins);
	const uint64_t numbers[] = { policy->trace_mta, policy->grace,    policy->keep_stale,
				     policy->settle,    policy->patience, policy->accept_any_width };
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		mxg_checksum_number(&sum, numbers[i]);
	mxg_checksum_end(&sum, bytes);
	return hex(bytes);
}

static void add_configuration(json_t *o, struct mxg_doctor *d)
{
	uint8_t gateways[MXG_CHECKSUM_BYTES];
	const struct mxguard_snapshot *snapshot = mxguard_session_snapshot(d->session);
	mxg_policy_gateways_hash(d->policy, gateways);
	json_object_set_new(o, "gateways", hex(gateways));
	json_object_set_new(o, "configuration", hex(d->policy->hash));
	json_object_set_new(o, "settings", settings(d->policy));
	if (snapshot == NULL)
		return;
	int64_t written = mxg_snapshot_written(snapshot);
	json_object_set_new(o, "generation", json_integer(mxg_snapshot_generation(snapshot)));
	json_object_set_new(o, "written", mxg_json_time(written));
	json_object_set_new(o, "age", json_integer((int64_t)time(NULL) - written));
}

/* ---- programs ----------------------------------------------------------------------------------------- */

/* The first line behind `before`, up to a blank; free(3) takes the output. */
static json_t *first_word(char *output, const char *before)
{
	size_t skip = output != NULL && strncmp(output, before, strlen(before)) == 0 ? strlen(before) : 0;
	json_t *word = NULL;
	if (output != NULL) {
		output[skip + strcspn(output + skip, " \t\r\n")] = '\0';
		word = mxg_json_text(output + skip);
	}
	free(output);
	return word == NULL ? json_null() : word;
}

static void add_programs(json_t *o)
{
	static const char *const dovecot[] = { "dovecot", "--version", NULL };
	static const char *const postfix[] = { "postconf", "-h", "mail_version", NULL };
	static const char *const exim4[] = { "exim4", "--version", NULL }, *const exim[] = { "exim", "--version",
											     NULL };
	json_object_set_new(o, "version", json_string(mxguard_version()));
	json_object_set_new(o, "dovecot", first_word(mxg_program_output(dovecot), ""));
	json_object_set_new(o, "postfix", first_word(mxg_program_output(postfix), ""));
	char *output = mxg_program_output(exim4);
	json_object_set_new(o, "exim", first_word(output != NULL ? output : mxg_program_output(exim), "Exim version "));
}

void mxg_doctor_facts(struct mxg_doctor *d)
{
	json_t *o = json_object();
	json_object_set_new(o, "name", mxg_json_text(d->policy->hostname));
	json_object_set_new(o, "at", mxg_json_time((int64_t)time(NULL)));
	for (size_t i = 0; i < MXG_FACT_COUNT; i++)
		json_object_set_new(o, mxg_fact_keys[i], json_null());
	add_programs(o);
	add_configuration(o, d);
	mxg_finding_add(&d->findings, MXG_FINDING_OK, "host", NULL, "this is %s, with mxguard %s", d->policy->hostname,
			mxguard_version());
	d->facts = o;
}
