/* SPDX-License-Identifier: MIT */
/* RFC 9112, of which a request line and one field. */
#include "metrics/http.h"

#include <string.h>
#include <strings.h>

static const char accept_field[] = "accept:", openmetrics[] = "application/openmetrics-text";

bool mxg_http_is_whole(const char *bytes, size_t len)
{
	return memmem(bytes, len, "\r\n\r\n", 4) != NULL || memmem(bytes, len, "\n\n", 2) != NULL;
}

static bool begins(const char *at, const char *end, const char *what)
{
	size_t len = strlen(what);
	return (size_t)(end - at) >= len && memcmp(at, what, len) == 0;
}

/* "/metrics", a query behind it or not, and a version of HTTP that we speak. */
static int judge_target(const char *at, const char *end)
{
	static const char path[] = "/metrics";
	const char *blank = memchr(at, ' ', (size_t)(end - at));
	if (blank == NULL || !begins(blank + 1, end, "HTTP/1."))
		return 400;
	if (!begins(at, blank, path))
		return 404;
	at += sizeof(path) - 1;
	return at == blank || *at == '?' ? 200 : 404;
}

static bool names(const char *at, const char *end, const char *what)
{
	for (size_t len = strlen(what); (size_t)(end - at) >= len; at++)
		if (strncasecmp(at, what, len) == 0)
			return true;
	return false;
}

static bool takes_openmetrics(const char *at, const char *end)
{
	while (at < end) {
		const char *feed = memchr(at, '\n', (size_t)(end - at));
		const char *stop = feed == NULL ? end : feed;
		if ((size_t)(stop - at) >= sizeof(accept_field) - 1 &&
		    strncasecmp(at, accept_field, sizeof(accept_field) - 1) == 0 && names(at, stop, openmetrics))
			return true;
		at = stop + 1;
	}
	return false;
}

void mxg_http_read(struct mxg_http_request *request, const char *bytes, size_t len)
{
	const char *end = bytes + len, *feed = memchr(bytes, '\n', len);
	*request = (struct mxg_http_request){ .status = 400 };
	if (feed == NULL)
		return;
	request->head = begins(bytes, feed, "HEAD ");
	if (request->head || begins(bytes, feed, "GET "))
		request->status = judge_target(bytes + (request->head ? 5 : 4), feed);
	else if (memchr(bytes, ' ', (size_t)(feed - bytes)) != NULL)
		request->status = 405;
	request->openmetrics = takes_openmetrics(feed + 1, end);
}

const char *mxg_http_status_text(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 503:
		return "Service Unavailable";
	default:
		return "Bad Request";
	}
}
