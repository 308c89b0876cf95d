/* SPDX-License-Identifier: MIT */
#include "scan/tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *mxg_path_name(enum mxg_path path)
{
	static const char *const names[MXG_PATHS] = {
		"gateway", "direct", "unknown", "local", "authenticated", "exempt"
	};
	return names[path];
}

/* By arithmetic (years that begin in March, so that leap days stand last): gmtime_r(3) takes a
 * lock that all workers would wait for. */
bool mxg_tally_month(int64_t date, size_t *month)
{
	if (date <= 0 || date > INT64_C(1) << 40)
		return false;
	int64_t days = date / 86400 + 719468; /* since 0000-03-01 */
	int64_t era = days / 146097, day = days % 146097; /* 400 years each */
	int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	int64_t from_march = (5 * (day - (365 * year + year / 4 - year / 100)) + 2) / 153;
	int64_t number = (era * 400 + year - MXG_TALLY_FIRST_YEAR) * 12 + from_march + 2;
	if (number < 0 || number >= MXG_TALLY_MONTHS)
		return false;
	*month = (size_t)number;
	return true;
}

static void count_gateway(struct mxg_tally *t, const char *name, uint64_t count)
{
	size_t i = 0;
	while (i < t->gateway_count && strncmp(t->gateways[i].name, name, sizeof(t->gateways[i].name) - 1) != 0)
		i++;
	if (i == MXG_TALLY_GATEWAYS)
		i--;
	if (i == t->gateway_count) {
		const char *kept = i == MXG_TALLY_GATEWAYS - 1 ? "(others)" : name;
		snprintf(t->gateways[i].name, sizeof(t->gateways[i].name), "%s", kept);
		t->gateway_count++;
	}
	t->gateways[i].count += count;
}

static void count_reason(struct mxg_tally *t, const char *code, uint64_t count)
{
	size_t i = 0;
	while (i < t->reason_count && strcmp(t->reasons[i].code, code) != 0)
		i++;
	if (i == MXG_TALLY_REASONS)
		return; /* there are fewer codes */
	if (i == t->reason_count)
		t->reasons[t->reason_count++] = (struct mxg_tally_reason){ .code = code };
	t->reasons[i].count += count;
}

void mxg_tally_widen(int64_t *first, int64_t *last, int64_t from, int64_t to)
{
	if (from > 0 && (*first == 0 || from < *first))
		*first = from;
	if (to > *last)
		*last = to;
}

static uint32_t hash_text(const char *text)
{
	uint32_t hash = 2166136261u;
	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * 16777619u;
	return hash;
}

static struct mxg_tally_peer *peer_slot(struct mxg_tally *t, const char *address)
{
	size_t least = 0;
	uint32_t hash = hash_text(address);
	for (size_t i = 0; i < t->peer_count; i++) {
		if (t->peers[i].hash == hash && strcmp(t->peers[i].address, address) == 0)
			return &t->peers[i];
		if (t->peers[i].count < t->peers[least].count)
			least = i;
	}
	struct mxg_tally_peer *slot = &t->peers[least];
	uint64_t error = slot->count; /* the newcomer may have been here before, at most so often */
	if (t->peer_count < MXG_TALLY_PEERS) {
		slot = &t->peers[t->peer_count++];
		error = 0;
	}
	*slot = (struct mxg_tally_peer){ .hash = hash, .count = error, .error = error };
	snprintf(slot->address, sizeof(slot->address), "%s", address);
	return slot;
}

static void count_peer(struct mxg_tally *t, const struct mxg_tally_message *m)
{
	struct mxg_tally_peer *slot = peer_slot(t, m->peer);
	slot->count++;
	if (slot->sample[0] == '\0')
		snprintf(slot->sample, sizeof(slot->sample), "%s", m->file);
	mxg_tally_widen(&slot->first, &slot->last, m->date, m->date);
}

void mxg_tally_add(struct mxg_tally *t, const struct mxg_tally_message *m)
{
	size_t month;
	t->messages++;
	t->paths[m->path]++;
	t->enforce[m->enforce]++;
	if (mxg_tally_month(m->date, &month))
		t->months[month][m->path]++;
	else
		t->undated++;
	t->today += m->today;
	if (m->path == MXG_PATH_UNKNOWN)
		count_reason(t, m->reason, 1);
	if (m->path == MXG_PATH_GATEWAY)
		count_gateway(t, m->gateway, 1);
	if (m->path != MXG_PATH_DIRECT)
		return;
	count_peer(t, m);
	mxg_tally_widen(&t->first_direct, &t->last_direct, m->date, m->date);
}

void mxg_tally_merge(struct mxg_tally *into, const struct mxg_tally *from)
{
	into->messages += from->messages;
	into->failed += from->failed;
	into->undated += from->undated;
	into->today += from->today;
	into->left += from->left;
	for (size_t i = 0; i < from->reason_count; i++)
		count_reason(into, from->reasons[i].code, from->reasons[i].count);
	for (size_t i = 0; i < MXG_PATHS; i++)
		into->paths[i] += from->paths[i];
	for (size_t i = 0; i < 5; i++)
		into->enforce[i] += from->enforce[i];
	for (size_t m = 0; m < MXG_TALLY_MONTHS; m++)
		for (size_t i = 0; i < MXG_PATHS; i++)
			into->months[m][i] += from->months[m][i];
	for (size_t i = 0; i < from->gateway_count; i++)
		count_gateway(into, from->gateways[i].name, from->gateways[i].count);
	for (size_t i = 0; i < from->peer_count; i++) {
		const struct mxg_tally_peer *p = &from->peers[i];
		struct mxg_tally_peer *slot = peer_slot(into, p->address);
		slot->count += p->count;
		slot->error += p->error;
		if (slot->sample[0] == '\0')
			memcpy(slot->sample, p->sample, sizeof(slot->sample));
		mxg_tally_widen(&slot->first, &slot->last, p->first, p->last);
	}
	mxg_tally_widen(&into->first_direct, &into->last_direct, from->first_direct, from->last_direct);
}

static int more_mail(const void *a, const void *b)
{
	const struct mxg_tally_peer *x = a, *y = b;
	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return strcmp(x->address, y->address);
}

static int more_gateway_mail(const void *a, const void *b)
{
	const struct mxg_tally_gateway *x = a, *y = b;
	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return strcmp(x->name, y->name);
}

static int more_often(const void *a, const void *b)
{
	const struct mxg_tally_reason *x = a, *y = b;
	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return strcmp(x->code, y->code);
}

void mxg_tally_sort(struct mxg_tally *t)
{
	qsort(t->reasons, t->reason_count, sizeof(t->reasons[0]), more_often);
	qsort(t->peers, t->peer_count, sizeof(t->peers[0]), more_mail);
	qsort(t->gateways, t->gateway_count, sizeof(t->gateways[0]), more_gateway_mail);
}

static bool month_has_mail(const struct mxg_tally *t, size_t month)
{
	for (size_t i = 0; i < MXG_PATHS; i++)
		if (t->months[month][i] > 0)
			return true;
	return false;
}

bool mxg_tally_months(const struct mxg_tally *t, size_t *first, size_t *last)
{
	bool any = false;
	for (size_t m = 0; m < MXG_TALLY_MONTHS; m++) {
		if (!month_has_mail(t, m))
			continue;
		if (!any)
			*first = m;
		*last = m;
		any = true;
	}
	return any;
}

void mxg_tally_month_name(size_t month, char out[16])
{
	unsigned year = (unsigned)(MXG_TALLY_FIRST_YEAR + month / 12) % 10000, number = (unsigned)(month % 12) + 1;
	snprintf(out, 16, "%04u-%02u", year, number);
}
