/* SPDX-License-Identifier: MIT */
/* The trie against an oracle that looks at every range in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prefix_set.h"

static uint64_t state = 0x9e3779b97f4a7c15u;

static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void clear_host_bits(struct mxg_prefix *p)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned kept = p->bits >= (i + 1) * 8 ? 8 : p->bits > i * 8 ? p->bits - i * 8u : 0;
		p->base.bytes[i] &= (uint8_t)(0xff00u >> kept);
	}
}

static struct mxg_prefix_item item(const char *text, uint32_t number)
{
	struct mxg_prefix_item made = { .number = number };
	assert_int_equal(mxg_prefix_parse(&made.prefix, text, strlen(text)), MXG_PREFIX_OK);
	return made;
}

/* The numbers that cover the address, ascending, without repeats. */
static size_t oracle(uint32_t *out, const struct mxg_prefix_item *items, size_t count, const struct mxg_address *a)
{
	size_t n = 0;
	for (size_t i = 0; i < count; i++) {
		if (!mxg_prefix_contains(&items[i].prefix, a))
			continue;
		size_t at = 0;
		while (at < n && out[at] < items[i].number)
			at++;
		if (at < n && out[at] == items[i].number)
			continue;
		memmove(out + at + 1, out + at, (n - at) * sizeof(*out));
		out[at] = items[i].number;
		n++;
	}
	return n;
}

static void compare(const struct mxg_prefix_set *set, const struct mxg_prefix_item *items, size_t count,
		    const struct mxg_address *a)
{
	static uint32_t expected[4096];
	size_t found, n = oracle(expected, items, count, a);
	const uint32_t *numbers = mxg_prefix_set_lookup(set, a, &found);
	assert_int_equal(found, n);
	if (n > 0)
		assert_memory_equal(numbers, expected, n * sizeof(*numbers));
}

static void step(struct mxg_address *a, int by)
{
	for (int i = a->family == 4 ? 3 : 15; i >= 0; i--) {
		a->bytes[i] = (uint8_t)(a->bytes[i] + by);
		if (a->bytes[i] != (by > 0 ? 0x00 : 0xff))
			return;
	}
}

/* The first and last address of every range, and both neighbours: where a trie goes wrong. */
static void compare_edges(const struct mxg_prefix_set *set, const struct mxg_prefix_item *items, size_t count,
			  size_t which)
{
	struct mxg_address a = items[which].prefix.base;
	compare(set, items, count, &a);
	step(&a, -1);
	compare(set, items, count, &a);
	a = items[which].prefix.base;
	for (unsigned bit = items[which].prefix.bits; bit < (a.family == 4 ? 32 : 128); bit++)
		a.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	compare(set, items, count, &a);
	step(&a, 1);
	compare(set, items, count, &a);
}

/* Few distinct bytes, so that ranges nest, touch and repeat. */
static void random_item(struct mxg_prefix_item *out, unsigned variety, uint32_t numbers)
{
	uint8_t bytes[16];
	int family = next_random() % 2 == 0 ? 4 : 6;
	for (unsigned i = 0; i < 16; i++)
		bytes[i] = (uint8_t)(next_random() % variety * (256 / variety) + next_random() % 2);
	mxg_address_from_bytes(&out->prefix.base, family, bytes);
	out->prefix.bits = (uint8_t)(next_random() % (family == 4 ? 33 : 129));
	out->number = (uint32_t)(next_random() % numbers);
	clear_host_bits(&out->prefix);
}

static void compare_random(size_t count, unsigned variety, uint32_t numbers)
{
	struct mxg_prefix_item *items = calloc(count, sizeof(*items));
	assert_non_null(items);
	for (size_t i = 0; i < count; i++)
		random_item(&items[i], variety, numbers);
	struct mxg_prefix_set *set = mxg_prefix_set_new(items, count);
	assert_non_null(set);
	for (size_t i = 0; i < count; i++)
		compare_edges(set, items, count, i);
	for (size_t i = 0; i < 500; i++) {
		struct mxg_prefix_item other;
		random_item(&other, variety, numbers);
		compare(set, items, count, &other.prefix.base);
	}
	mxg_prefix_set_free(set);
	free(items);
}

static void test_random(void **context)
{
	for (size_t round = 0; round < 40; round++) {
		compare_random(next_random() % 60, 2, 1000);
		compare_random(next_random() % 60, 256, 1000);
		compare_random(next_random() % 60, 4, 3);
	}
	compare_random(1500, 2, 4000);
	compare_random(1500, 16, 4000);
	compare_random(1500, 256, 4000);
}

static void test_empty(void **context)
{
	struct mxg_prefix_set *set = mxg_prefix_set_new(NULL, 0);
	struct mxg_prefix_item any = item("192.0.2.1", 0);
	struct mxg_address none = { 0 };
	size_t count = 7;
	assert_non_null(set);
	mxg_prefix_set_lookup(set, &any.prefix.base, &count);
	assert_int_equal(count, 0);
	count = 7;
	mxg_prefix_set_lookup(set, &none, &count);
	assert_int_equal(count, 0);
	mxg_prefix_set_free(set);
	mxg_prefix_set_free(NULL);
}

static void test_no_address_under_default_routes(void **context)
{
	struct mxg_prefix_item items[] = { item("0.0.0.0/0", 3), item("::/0", 4) };
	struct mxg_prefix_set *set = mxg_prefix_set_new(items, 2);
	struct mxg_address none = { 0 };
	size_t count = 7;
	mxg_prefix_set_lookup(set, &none, &count);
	assert_int_equal(count, 0);
	for (size_t i = 0; i < 2; i++)
		compare_edges(set, items, 2, i);
	mxg_prefix_set_free(set);
}

static void test_nested(void **context)
{
	struct mxg_prefix_item items[] = {
		item("192.0.2.7", 0),    item("192.0.2.0/24", 1),
		item("0.0.0.0/0", 2),    item("192.0.2.6/31", 3),
		item("192.0.0.0/16", 4), item("192.0.2.7", 5),
		item("192.0.2.7", 5),    item("2001:db8::/32", 6),
		item("2001:db8::1", 7),  item("::/0", 8),
		item("2001:db8::1", 2),  item("2001:db8:0:1::/64", 9),
		item("128.0.0.0/1", 10), item("255.255.255.255", 11),
		item("0.0.0.0", 12),     item("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 13),
	};
	size_t count = sizeof(items) / sizeof(items[0]), found;
	struct mxg_prefix_set *set = mxg_prefix_set_new(items, count);
	static const uint32_t deepest[] = { 0, 1, 2, 3, 4, 5, 10 };
	const uint32_t *numbers = mxg_prefix_set_lookup(set, &items[0].prefix.base, &found);
	assert_int_equal(found, 7);
	assert_memory_equal(numbers, deepest, sizeof(deepest));
	for (size_t i = 0; i < count; i++)
		compare_edges(set, items, count, i);
	mxg_prefix_set_free(set);
}

/* Every length of one address, both families: each level of the trie once. */
static void test_every_length(void **context)
{
	struct mxg_prefix_item items[162];
	size_t count = 0;
	for (unsigned bits = 0; bits <= 128; bits++) {
		struct mxg_prefix_item six = item("2001:db8:a5a5:5a5a:c3c3:3c3c:9696:6969", bits);
		struct mxg_prefix_item four = item("198.51.100.77", 1000 + bits);
		six.prefix.bits = (uint8_t)bits;
		clear_host_bits(&six.prefix);
		items[count++] = six;
		if (bits > 32)
			continue;
		four.prefix.bits = (uint8_t)bits;
		clear_host_bits(&four.prefix);
		items[count++] = four;
	}
	struct mxg_prefix_set *set = mxg_prefix_set_new(items, count);
	for (size_t i = 0; i < count; i++)
		compare_edges(set, items, count, i);
	mxg_prefix_set_free(set);
}

/* The same range very often must cost what it is, not its square. */
static void test_many_duplicates(void **context)
{
	size_t count = 50000, found;
	struct mxg_prefix_item *items = calloc(count, sizeof(*items));
	for (size_t i = 0; i < count; i++)
		items[i] = item("192.0.2.0/24", (uint32_t)(count - i));
	struct mxg_prefix_set *set = mxg_prefix_set_new(items, count);
	assert_non_null(set);
	const uint32_t *numbers = mxg_prefix_set_lookup(set, &items[0].prefix.base, &found);
	assert_int_equal(found, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(numbers[i], i + 1);
	mxg_prefix_set_free(set);
	free(items);
}

static void test_hundred_thousand(void **context)
{
	size_t count = 100000;
	struct mxg_prefix_item *items = calloc(count, sizeof(*items));
	for (size_t i = 0; i < count; i++) {
		random_item(&items[i], 256, UINT32_MAX);
		items[i].prefix.bits = (uint8_t)(items[i].prefix.base.family == 4 ? 12 + i % 21 : 28 + i % 101);
		items[i].number = (uint32_t)i;
		clear_host_bits(&items[i].prefix);
	}
	struct mxg_prefix_set *set = mxg_prefix_set_new(items, count);
	assert_non_null(set);
	for (size_t i = 0; i < count; i += 997)
		compare_edges(set, items, count, i);
	mxg_prefix_set_free(set);
	free(items);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_no_address_under_default_routes),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_many_duplicates),
		cmocka_unit_test(test_hundred_thousand),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
