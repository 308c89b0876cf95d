/* SPDX-License-Identifier: MIT */
/* What nftables does with strangers, as far as it can be known without guessing: rules that use the sets of
 * `mxguard export nftables` stand in the table of those sets, since no other can name them. */
#include "audit/firewall.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor/program.h"

char *mxg_firewall_read(void)
{
	return mxg_program_output((const char *const[]){ "nft", "list", "table", "inet", "mxguard", NULL });
}

/* The rule without blanks at its ends, without counters and comments. False: there is more of it. */
static bool plain_rule(const char *line, size_t len, char *out, size_t size)
{
	char *copy = strndup(line, len), *rest = copy, *word;
	size_t at = 0;
	bool skip = false, whole = true;
	out[0] = '\0';
	while (copy != NULL && (word = strsep(&rest, " \t")) != NULL && whole) {
		if (strcmp(word, "comment") == 0)
			break;
		if (strcmp(word, "packets") == 0 || strcmp(word, "bytes") == 0) {
			skip = true;
			continue;
		}
		if (!skip && word[0] != '\0' && strcmp(word, "counter") != 0)
			at += (size_t)snprintf(out + at, size - at, "%s%s", at == 0 ? "" : " ", word);
		skip = false;
		whole = at < size;
	}
	free(copy);
	return whole && copy != NULL;
}

/* Chains that packets come through by themselves: what stands in others is only reached by a jump. */
static bool is_base(const char *rule)
{
	return strncmp(rule, "type filter hook input ", 23) == 0;
}

/* Of a connection that was let in before. */
static bool is_answer(const char *rule)
{
	static const char *const others[] = { "new", "untracked", "invalid", "!=", "@", "$" };
	bool answer = strncmp(rule, "ct state ", 9) == 0;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		answer &= strstr(rule, others[i]) == NULL;
	return answer;
}

/* Whatever accepts may let strangers in, and so may what stands elsewhere. */
static bool may_let_in(const char *rule)
{
	static const char *const verdicts[] = { "accept", "jump ", "goto ", "vmap ", "queue" };
	bool may = false;
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
		may |= strstr(rule, verdicts[i]) != NULL;
	return may && !is_base(rule) && strstr(rule, "iif \"lo\"") == NULL && strstr(rule, "iifname \"lo\"") == NULL &&
	       !is_answer(rule);
}

bool mxg_firewall_guards(const char *table, int family, unsigned port)
{
	char rule[512], match[40], others[80], known[80];
	bool base = false, let_in = false;
	snprintf(match, sizeof(match), "tcp dport %u ", port);
	snprintf(known, sizeof(known), "tcp dport %u %s saddr @gateways%d accept", port, family == 4 ? "ip" : "ip6",
		 family);
	snprintf(others, sizeof(others), "tcp dport %u %s saddr != @gateways%d ", port, family == 4 ? "ip" : "ip6",
		 family);
	for (const char *line = table; line != NULL; line = strchr(line, '\n'), line += line != NULL) {
		bool whole = plain_rule(line, strcspn(line, "\n"), rule, sizeof(rule));
		if (rule[0] == '}' || strncmp(rule, "chain ", 6) == 0)
			base = let_in = false;
		base |= is_base(rule);
		if (!base)
			continue;
		if (strncmp(rule, others, strlen(others)) == 0 &&
		    (strcmp(rule + strlen(others), "drop") == 0 || strncmp(rule + strlen(others), "reject", 6) == 0))
			return true;
		let_in |= strcmp(rule, known) == 0;
		const char *rest = strncmp(rule, match, strlen(match)) == 0 ? rule + strlen(match) : "";
		if (let_in && (strcmp(rest, "drop") == 0 || strncmp(rest, "reject", 6) == 0))
			return true;
		if (!whole || (strcmp(rule, known) != 0 && may_let_in(rule)))
			return false;
	}
	return false;
}
