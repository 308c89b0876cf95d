/* SPDX-License-Identifier: MIT */
#ifndef MXG_WAKE_H
#define MXG_WAKE_H

#include <stdbool.h>

/* Something to poll that another thread, or a signal handler, makes readable. */
struct mxg_wake {
	int fd; /* to poll */
	int ring; /* to write to; the same one where the system has such */
};

#define MXG_WAKE_NONE \
	{ \
		-1, -1 \
	}

bool mxg_wake_open(struct mxg_wake *wake);
void mxg_wake_ring(const struct mxg_wake *wake); /* keeps errno */
void mxg_wake_hush(const struct mxg_wake *wake); /* takes back every ring so far */
void mxg_wake_close(struct mxg_wake *wake);

#endif
