/* SPDX-License-Identifier: MIT */
/* What this host says of itself. */
#include "setup.h"

#include <stdlib.h>
#include <string.h>

#include "base/domain_text.h"
#include "base/host.h"
#include "doctor/processes.h"

#define ASKED_MAX 50 /* domains whose MX is asked for */

/* ---- lists --------------------------------------------------------------------------------- */

static void add_why(struct mxg_setup_list *list, const char *why)
{
	size_t at = strlen(list->why);
	if (strstr(list->why, why) == NULL)
		snprintf(list->why + at, sizeof(list->why) - at, "%s%s", at == 0 ? "" : ", ", why);
}

void mxg_setup_add(struct mxg_setup *s, struct mxg_setup_list *list, const char *text, const char *why)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], text) == 0)
			return;
	if (list->count == list->room) {
		size_t room = list->room == 0 ? 16 : list->room * 2;
		char **items = reallocarray(list->items, room, sizeof(*items));
		if (items == NULL) {
			s->nomem = true;
			return;
		}
		list->items = items;
		list->room = room;
	}
	list->items[list->count] = strdup(text);
	s->nomem |= list->items[list->count] == NULL;
	list->count += list->items[list->count] != NULL;
	add_why(list, why);
}

void mxg_setup_add_prefix(struct mxg_setup *s, struct mxg_setup_list *list, const struct mxg_prefix *prefix,
			  const char *why)
{
	char text[MXG_PREFIX_TEXT_MAX];
	static const uint8_t one[16] = { [15] = 1 };
	const struct mxg_address *base = &prefix->base;
	bool loopback = base->family == 4 ? base->bytes[0] == 127 && prefix->bits >= 8
					  : prefix->bits == 128 && memcmp(base->bytes, one, 16) == 0;
	mxg_prefix_format(prefix, text);
	if (prefix->bits == (base->family == 4 ? 32 : 128))
		text[strcspn(text, "/")] = '\0';
	if (!loopback)
		mxg_setup_add(s, list, text, why);
}

void mxg_setup_add_name(struct mxg_setup *s, const char *name, const char *why)
{
	char host[256];
	if (mxg_domain_text(host, name, strlen(name)) == NULL)
		mxg_setup_add(s, &s->by, host, why);
}

void mxg_setup_add_domain(struct mxg_setup *s, const char *name, const char *why)
{
	char domain[256];
	if (mxg_domain_text(domain, name, strlen(name)) == NULL)
		mxg_setup_add(s, &s->domains, domain, why);
}

static void clear(struct mxg_setup_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
}

void mxg_setup_clear(struct mxg_setup *s)
{
	struct mxg_setup_list *const lists[] = { &s->domains, &s->internal, &s->origins, &s->self, &s->by, &s->unread };
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		clear(lists[i]);
	for (size_t i = 0; i < s->suggestion_count; i++)
		mxg_suggestion_clear(&s->suggestions[i]);
	free(s->suggestions);
	mxg_suggest_close(&s->suggest);
	free(s->postfix_version);
	free(s->dovecot_version);
	free(s->restrictions);
}

/* ---- programs -------------------------------------------------------------------------------- */

struct running {
	bool postfix, exim;
};

static void look_at(void *to, const struct mxg_process *process)
{
	struct running *running = to;
	running->postfix |= strstr(process->program, "/postfix/") != NULL;
	running->exim |=
		strncmp(strrchr(process->program, '/') == NULL ? process->program : strrchr(process->program, '/') + 1,
			"exim", 4) == 0;
}

/* Several MTAs may be installed: what an option names counts, else what runs, else what is there. */
static void find_mta(struct mxg_setup *s)
{
	struct running running = { .postfix = s->options->postfix != NULL, .exim = s->options->exim != NULL };
	if (!running.postfix && !running.exim)
		mxg_processes_each(look_at, &running);
	bool any = running.postfix || running.exim;
	if (running.postfix || !any)
		mxg_setup_postfix(s);
	if (running.exim || !any)
		mxg_setup_exim(s);
}

/* Without an MTA that says so, the host's own name. */
static void find_names(struct mxg_setup *s)
{
	struct mxg_host_names names;
	if (s->by.count > 0)
		return;
	mxg_host_names(&names);
	if (strchr(names.names[0], '.') != NULL)
		mxg_setup_add_name(s, names.names[0], "this host's name");
}

/* ---- DNS ------------------------------------------------------------------------------------- */

static struct mxguard_policy *make_policy(const struct mxg_setup_options *o)
{
	struct mxguard_policy *policy = NULL;
	char *text = NULL, message[500];
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);
	if (file == NULL)
		return NULL;
	for (size_t i = 0; i < o->server_count; i++)
		fprintf(file, "%s\"%s\"", i == 0 ? "dns = { servers = [ " : ", ", o->servers[i]);
	if (o->server_count > 0)
		fputs(" ]; };\n", file);
	if (fclose(file) == 0)
		mxguard_policy_parse(&policy, text, len, "setup", 0, message, sizeof(message));
	free(text);
	return policy;
}

static void ask(struct mxg_setup *s)
{
	struct mxguard_policy *policy = s->options->no_dns ? NULL : make_policy(s->options);
	size_t count = s->domains.count < ASKED_MAX ? s->domains.count : ASKED_MAX;
	if (policy == NULL || count == 0) {
		mxguard_policy_unref(policy);
		return;
	}
	s->suggestions = calloc(count, sizeof(*s->suggestions));
	if (s->suggestions != NULL && mxg_suggest_begin(&s->suggest, policy, s->options->catalogue) == 0)
		for (; s->suggestion_count < count; s->suggestion_count++)
			mxg_suggest_domain(&s->suggest, s->domains.items[s->suggestion_count],
					   &s->suggestions[s->suggestion_count]);
	mxguard_policy_unref(policy);
}

void mxg_setup_find(struct mxg_setup *s, const struct mxg_setup_options *options)
{
	*s = (struct mxg_setup){ .options = options };
	find_mta(s);
	mxg_setup_dovecot(s);
	find_names(s);
	ask(s);
}
