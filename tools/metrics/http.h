/* SPDX-License-Identifier: MIT */
#ifndef MXG_HTTP_H
#define MXG_HTTP_H

#include <stdbool.h>
#include <stddef.h>

/* As much of HTTP/1.1 as a scraper needs. A pure function over a bounded buffer. */
#define MXG_HTTP_REQUEST_MAX 8192

struct mxg_http_request {
	int status; /* 200, or how it is refused */
	bool head; /* the body is not wanted */
	bool openmetrics; /* the newer form is taken */
};

/* Whether the request's head is whole. */
bool mxg_http_is_whole(const char *bytes, size_t len);
/* … and what it asks for: GET or HEAD of /metrics. */
void mxg_http_read(struct mxg_http_request *request, const char *bytes, size_t len);
const char *mxg_http_status_text(int status);

#endif
