/* SPDX-License-Identifier: MIT */
#ifndef MXG_FILTER_OUTPUT_H
#define MXG_FILTER_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

/* Lines for smtpd, kept until it takes them. */
struct mxg_filter_output {
	char *bytes;
	size_t begin, end, room;
	bool broken; /* no memory, or nobody reads: smtpd must not wait for us */
};

void mxg_filter_output_add(struct mxg_filter_output *out, const char *bytes, size_t length);
void mxg_filter_output_text(struct mxg_filter_output *out, const char *text);
/* As much as goes without waiting. */
void mxg_filter_output_write(struct mxg_filter_output *out, int fd);
size_t mxg_filter_output_waiting(const struct mxg_filter_output *out);
void mxg_filter_output_free(struct mxg_filter_output *out);

#endif
