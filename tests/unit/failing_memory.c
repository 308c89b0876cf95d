/* SPDX-License-Identifier: MIT */
#include "failing_memory.h"

#include <stddef.h>

static unsigned long left; /* allocations until one fails; 0: none does */
static bool lasting; /* and every one after it */
bool memory_failed;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
char *__wrap_strdup(const char *text);

static bool fails_now(void)
{
	if (left == 0)
		return false;
	if (left > 1) {
		left--;
		return false;
	}
	memory_failed = true;
	if (!lasting)
		left = 0;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails_now() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
	return fails_now() ? NULL : __real_reallocarray(old, count, size);
}

char *__wrap_strdup(const char *text)
{
	return fails_now() ? NULL : __real_strdup(text);
}

void memory_fail_at(unsigned long which, bool from_then_on)
{
	left = which;
	lasting = from_then_on;
	memory_failed = false;
}

void memory_suffices(void)
{
	left = 0;
}
