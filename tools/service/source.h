/* SPDX-License-Identifier: MIT */
#ifndef MXG_SOURCE_H
#define MXG_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MXG_SOURCE_BUCKETS 256
#define MXG_SOURCE_TEXT_MAX 64

enum mxg_source_kind {
	MXG_SOURCE_OTHER = 0, /* the kernel does not tell */
	MXG_SOURCE_USER, /* of a unix socket */
	MXG_SOURCE_IPV4, /* all of 127.0.0.0/8 is one: whoever is on this host may choose */
	MXG_SOURCE_IPV6 /* a /64: one host may have all of it */
};

/* Whoever asks, as far as the kernel itself tells. */
struct mxg_source {
	struct mxg_source *next;
	enum mxg_source_kind kind;
	uint8_t id[8];
	size_t connections;
	size_t at_work; /* of these */
};

struct mxg_sources {
	struct mxg_source *buckets[MXG_SOURCE_BUCKETS];
};

/* Counts one connection more. NULL: no memory. */
struct mxg_source *mxg_sources_enter(struct mxg_sources *sources, int fd);
/* One less; with the last one the source is gone. */
void mxg_sources_leave(struct mxg_sources *sources, struct mxg_source *source);
const char *mxg_source_text(const struct mxg_source *source, char text[MXG_SOURCE_TEXT_MAX]);

#endif
