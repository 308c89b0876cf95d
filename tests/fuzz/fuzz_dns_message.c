/* SPDX-License-Identifier: MIT */
/* First byte: the type that was asked for; the rest: a reply about q.test. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dns/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_item(uint16_t type, const uint8_t *item, size_t len)
{
	struct mxg_name name;
	char text[MXG_NAME_TEXT_MAX];
	size_t head = type == MXG_DNS_MX ? 2 : 0;
	if (type == MXG_DNS_A)
		check(len == 4);
	if (type == MXG_DNS_AAAA)
		check(len == 16);
	if (type == MXG_DNS_TXT)
		check(len >= 6 && (item[0] == 'v' || item[0] == 'V') && (len == 6 || item[6] == ' '));
	if (type != MXG_DNS_MX && type != MXG_DNS_PTR)
		return;
	check(len > head && mxg_name_from_wire(&name, item + head, len - head));
	check(memcmp(name.wire, item + head, name.len) == 0); /* folded already */
	for (const char *p = mxg_name_format(&name, text); *p != '\0'; p++)
		check(*p > 0x20 && *p < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t types[] = { MXG_DNS_A, MXG_DNS_AAAA, MXG_DNS_MX, MXG_DNS_PTR, MXG_DNS_TXT };
	struct mxg_question q = { .type = types[size == 0 ? 0 : data[0] % 5] };
	struct mxg_reply r;
	mxg_name_from_text(&q.name, "q.test", 6);
	check(mxg_dns_reply_parse(&r, &q, data + (size > 0), size - (size > 0)));
	check(r.kind != MXG_ANSWER_NONE && (r.kind == MXG_ANSWER_FAILED) == (r.failure != MXG_DNS_OK));
	check(r.ttl <= 0x7fffffff && r.records.size <= MXG_RRSET_MAX);
	check(r.kind == MXG_ANSWER_RECORDS || (r.records.count == 0 && r.records.data == NULL));
	const uint8_t *item;
	size_t at = 0, len, count = 0;
	for (; mxg_rrset_next(r.records.data, r.records.size, &at, &item, &len); count++)
		check_item(q.type, item, len);
	check(count == r.records.count && at == r.records.size);
	free(r.records.data);
	return 0;
}
