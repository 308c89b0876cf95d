/* SPDX-License-Identifier: MIT */
#include "report/beginning.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

bool mxg_beginning_is(struct mxg_beginning *b, const char *text)
{
	size_t wanted = strlen(text);
	while (b->len < wanted && memcmp(b->bytes, text, b->len) == 0) {
		ssize_t n = read(b->fd, b->bytes + b->len, wanted - b->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		b->len += (size_t)n;
	}
	return b->len >= wanted && memcmp(b->bytes, text, wanted) == 0;
}

static ssize_t read_on(void *cookie, char *buffer, size_t size)
{
	struct mxg_beginning *b = cookie;
	size_t n = b->len - b->used < size ? b->len - b->used : size;
	if (n == 0)
		return read(b->fd, buffer, size);
	memcpy(buffer, b->bytes + b->used, n);
	b->used += n;
	return (ssize_t)n;
}

FILE *mxg_beginning_open(struct mxg_beginning *b)
{
	return fopencookie(b, "r", (cookie_io_functions_t){ .read = read_on });
}
