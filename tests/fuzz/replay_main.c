/* SPDX-License-Identifier: MIT */
/* Runs every input of a packed corpus through the fuzz target: what fuzzing
 * once found stays an ordinary test. README.md describes the file. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct corpus {
	char *text; /* ends with a NUL that is not counted */
	size_t len, at;
	unsigned long count;
};

static _Noreturn void die(const char *path, const char *what)
{
	fprintf(stderr, "%s: %s\n", path, what);
	exit(1);
}

static void read_file(struct corpus *c, const char *path)
{
	FILE *f = fopen(path, "rb");
	if (f == NULL || fseek(f, 0, SEEK_END) != 0)
		die(path, "cannot be read");
	long len = ftell(f);
	rewind(f);
	c->text = len < 0 ? NULL : calloc(1, (size_t)len + 1);
	if (c->text == NULL || fread(c->text, 1, (size_t)len, f) != (size_t)len)
		die(path, "cannot be read");
	c->len = (size_t)len;
	fclose(f);
}

/* The one of zlib. */
static uint32_t crc32_of(const char *s, size_t len)
{
	uint32_t crc = UINT32_MAX;
	for (size_t i = 0; i < len; i++) {
		crc ^= (uint8_t)s[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ ((crc & 1) != 0 ? UINT32_C(0xedb88320) : 0);
	}
	return crc ^ UINT32_MAX;
}

static void read_head(struct corpus *c, const char *path)
{
	uint32_t crc;
	int head = 0;
	if (sscanf(c->text, "mxguard corpus %lu %8" SCNx32 "%n", &c->count, &crc, &head) != 2 || head == 0 ||
	    c->text[head] != '\n')
		die(path, "is not a packed corpus");
	c->at = (size_t)head + 1;
	if (crc32_of(c->text + c->at, c->len - c->at) != crc)
		die(path, "is damaged");
	if (c->count == 0)
		die(path, "has no input");
}

/* Its number and name are printed before it runs: the last line says which one did not end. */
static void run(const char *data, size_t size)
{
	/* a copy that ends where the input ends, so that the sanitizer sees a read past it */
	uint8_t *exact = malloc(size == 0 ? 1 : size);
	if (exact == NULL)
		abort();
	memcpy(exact, data, size);
	LLVMFuzzerTestOneInput(size == 0 ? exact + 1 : exact, size);
	free(exact);
}

/* "LENGTH[ NAME]\n", the bytes, "\n" */
static void run_next(struct corpus *c, unsigned long number, const char *path)
{
	char *end;
	const char *line = c->text + c->at;
	unsigned long size = strtoul(line, &end, 10);
	const char *data = strchr(end, '\n');
	if (data == NULL || (*end != ' ' && *end != '\n'))
		die(path, "has a record without a length");
	data++;
	size_t left = c->len - (size_t)(data - c->text);
	if (size >= left || data[size] != '\n')
		die(path, "has a record of another length than it says");
	printf("%lu: %.*s\n", number, (int)(data - 1 - line), line);
	run(data, size);
	c->at = (size_t)(data - c->text) + size + 1;
}

int main(int argc, char **argv)
{
	struct corpus c = { 0 };
	if (argc != 2)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	read_file(&c, argv[1]);
	read_head(&c, argv[1]);
	for (unsigned long number = 1; number <= c.count; number++)
		run_next(&c, number, argv[1]);
	if (c.at != c.len)
		die(argv[1], "has more than it says");
	free(c.text);
	printf("%lu inputs replayed\n", c.count);
	return 0;
}
