/* SPDX-License-Identifier: MIT */
/* No target: shows the test of replay_main.c what a target is given. */
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	printf("= ");
	for (size_t i = 0; i < size; i++)
		printf("%02x", data[i]);
	printf("\n");
	return 0;
}
