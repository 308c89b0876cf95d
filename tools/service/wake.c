/* SPDX-License-Identifier: MIT */
/* eventfd(2), or a pipe. */
#include "wake.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#if defined(__linux__) && !defined(MXG_PORTABLE)
#include <sys/eventfd.h>

bool mxg_wake_open(struct mxg_wake *w)
{
	w->fd = w->ring = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return w->fd >= 0;
}
#else
bool mxg_wake_open(struct mxg_wake *w)
{
	int ends[2];
	*w = (struct mxg_wake)MXG_WAKE_NONE;
	if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0)
		return false;
	*w = (struct mxg_wake){ ends[0], ends[1] };
	return true;
}
#endif

void mxg_wake_ring(const struct mxg_wake *w)
{
	int saved = errno;
	uint64_t one = 1;
	ssize_t written = write(w->ring, &one, sizeof(one));
	(void)written; /* full: it is awake already */
	errno = saved;
}

void mxg_wake_hush(const struct mxg_wake *w)
{
	uint64_t rings[64];
	while (read(w->fd, rings, sizeof(rings)) == (ssize_t)sizeof(rings))
		;
}

void mxg_wake_close(struct mxg_wake *w)
{
	if (w->fd >= 0)
		close(w->fd);
	if (w->ring >= 0 && w->ring != w->fd)
		close(w->ring);
	*w = (struct mxg_wake)MXG_WAKE_NONE;
}
