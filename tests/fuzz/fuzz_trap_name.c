/* SPDX-License-Identifier: MIT */
/* Names of copies in a trap, where anybody's file may lie. What is read holds nothing but what stands
 * there, and what we write is read. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trap/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_read(const char *text)
{
	struct mxg_trap_name name;
	char time[32], bytes[32];
	if (!mxg_trap_name_read(text, &name))
		return;
	size_t zeros = strspn(text, "0"), digits = strspn(text, "0123456789");
	const char *mark = strstr(text, ",S=");
	if (mark == NULL || strlen(text) >= MXG_TRAP_NAME_MAX || name.time < 0 || digits == 0)
		abort();
	zeros -= zeros == digits;
	snprintf(time, sizeof(time), "%" PRId64, name.time);
	if (strlen(time) != digits - zeros || strncmp(text + zeros, time, digits - zeros) != 0)
		abort();
	const char *at = mark + 3;
	while (at[0] == '0' && at[1] != '\0')
		at++;
	snprintf(bytes, sizeof(bytes), "%" PRIu64, name.size);
	if (strcmp(at, bytes) != 0)
		abort();
}

static void check_made(const uint8_t *data, size_t size)
{
	char text[MXG_TRAP_NAME_MAX];
	uint64_t bytes = 0;
	struct mxg_trap_name name;
	memcpy(&bytes, data, size < sizeof(bytes) ? size : sizeof(bytes));
	bytes >>= 16; /* larger ones are not written */
	mxg_trap_name_make(text, bytes);
	if (!mxg_trap_name_read(text, &name) || name.size != bytes || strpbrk(text, "/:") != NULL)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	check_read(text);
	check_made(data, size);
	free(text);
	return 0;
}
