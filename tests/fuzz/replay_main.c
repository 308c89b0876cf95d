/* SPDX-License-Identifier: MIT */
/* Runs every file of the folder that holds argv[1] through the fuzz target:
 * what fuzzing once found stays an ordinary test. */
#include <dirent.h>
#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	if (f == NULL) {
		perror(path);
		return 1;
	}
	size_t room = 1 << 20;
	uint8_t *all = malloc(room);
	size_t n = all == NULL ? 0 : fread(all, 1, room, f);
	fclose(f);
	/* an exact copy, so that the sanitizer sees a read past the end */
	uint8_t *exact = malloc(n == 0 ? 1 : n);
	if (all == NULL || exact == NULL)
		abort();
	memcpy(exact, all, n);
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	free(all);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	char *folder = dirname(argv[1]);
	DIR *dir = opendir(folder);
	if (dir == NULL) {
		perror(folder);
		return 1;
	}
	int failed = 0;
	unsigned count = 0;
	for (struct dirent *e; (e = readdir(dir)) != NULL;) {
		if (e->d_name[0] == '.')
			continue;
		char path[4096];
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		failed |= replay_file(path);
		count++;
	}
	closedir(dir);
	printf("%u inputs replayed\n", count);
	return count == 0 ? 1 : failed;
}
