/* SPDX-License-Identifier: MIT */
/* ns per lookup of random addresses, and the cost of building, at several sizes. Each
 * sample is the mean of a small batch, since the clock itself costs as much as a lookup;
 * addresses are made just before, as a peer's address is at hand when it is judged. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/prefix_set.h"

#define SAMPLES 50000u
#define BATCH 16u

static uint64_t state = 88172645463325252u;

static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void random_address(struct mxg_address *out, int family)
{
	uint8_t bytes[16];
	for (unsigned i = 0; i < 16; i++)
		bytes[i] = (uint8_t)next_random();
	if (family == 6) {
		bytes[0] = 0x20; /* as sparse as the Internet: 2000::/12 in /32s */
		bytes[1] &= 0x0f;
	}
	mxg_address_from_bytes(out, family, bytes);
}

static void random_prefix(struct mxg_prefix *out, int family)
{
	static const uint8_t lengths4[] = { 12, 16, 19, 20, 22, 23, 24, 24, 24, 24, 26, 28, 30, 32, 32, 32 };
	static const uint8_t lengths6[] = { 28, 32, 32, 36, 40, 44, 48, 48, 48, 52, 56, 60, 64, 64, 128, 128 };
	random_address(&out->base, family);
	out->bits = family == 4 ? lengths4[next_random() % 16] : lengths6[next_random() % 16];
	for (unsigned i = 0; i < 16; i++) {
		unsigned kept = out->bits >= (i + 1) * 8 ? 8 : out->bits > i * 8 ? out->bits - i * 8u : 0;
		out->base.bytes[i] &= (uint8_t)(0xff00u >> kept);
	}
}

static int compare(const void *x, const void *y)
{
	const double *a = x, *b = y;
	return (*a > *b) - (*a < *b);
}

/* A random host, or one of a random range. */
static void pick_address(struct mxg_address *out, const struct mxg_prefix_item *items, size_t count, int family,
			 bool covered)
{
	random_address(out, family);
	if (!covered)
		return;
	const struct mxg_prefix *p = &items[next_random() % count].prefix;
	for (unsigned b = 0; b < p->bits / 8u; b++)
		out->bytes[b] = p->base.bytes[b];
}

static void measure(const struct mxg_prefix_set *set, const struct mxg_prefix_item *items, size_t count, int family,
		    const char *what)
{
	struct mxg_address addresses[BATCH];
	static double samples[SAMPLES];
	size_t found = 0;
	for (size_t s = 0; s < SAMPLES; s++) {
		for (size_t i = 0; i < BATCH; i++)
			pick_address(&addresses[i], items, count, family, *what == 'c');
		uint64_t start = now_ns();
		for (size_t i = 0; i < BATCH; i++) {
			size_t n;
			const uint32_t *numbers = mxg_prefix_set_lookup(set, &addresses[i], &n);
			found += n > 0 ? numbers[0] + n : 0;
		}
		samples[s] = (double)(now_ns() - start) / BATCH;
	}
	qsort(samples, SAMPLES, sizeof(*samples), compare);
	printf("  IPv%d %-8s p50 %5.1f ns   p99 %5.1f ns   (check %zu)\n", family, what, samples[SAMPLES / 2],
	       samples[SAMPLES * 99 / 100], found % 1000);
}

static void run(size_t count)
{
	struct mxg_prefix_item *items = calloc(count, sizeof(*items));
	if (items == NULL)
		abort();
	for (int family = 4; family <= 6; family += 2) {
		for (size_t i = 0; i < count; i++) {
			random_prefix(&items[i].prefix, family);
			items[i].number = (uint32_t)i;
		}
		struct mallinfo2 before = mallinfo2();
		uint64_t start = now_ns();
		struct mxg_prefix_set *set = mxg_prefix_set_new(items, count);
		double built = (double)(now_ns() - start) / 1e6;
		struct mallinfo2 after = mallinfo2();
		if (set == NULL)
			abort();
		printf("%zu random IPv%d ranges: built in %.2f ms, %zu KiB\n", count, family, built,
		       (after.uordblks + after.hblkhd - before.uordblks - before.hblkhd) / 1024);
		measure(set, items, count, family, "random");
		measure(set, items, count, family, "covered");
		mxg_prefix_set_free(set);
	}
	free(items);
}

int main(void)
{
	run(10);
	run(1000);
	run(100000);
	return 0;
}
