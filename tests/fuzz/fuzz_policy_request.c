/* SPDX-License-Identifier: MIT */
/* An MTA's requests. What holds for every input: lengths stay inside, values are terminated
 * inside the request, and whatever a value holds, a reply made of it is one line. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "service/request.h"
#include "service/response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_value(const char *value, const char *text, size_t len)
{
	if (value == NULL)
		return;
	if (value < text || value >= text + len || strlen(value) >= (size_t)(text + len - value))
		abort();
}

static void check_reply(const char *value, enum mxg_request_form form)
{
	char buffer[MXG_RESPONSE_MAX];
	struct mxg_response response;
	for (int kind = 0; value != NULL && kind < 2; kind++) {
		if (kind == 0)
			mxg_response_refuse(&response, 451, "4.4.3", value);
		else
			mxg_response_add(&response, value);
		size_t len = mxg_response_write(buffer, &response, form);
		size_t ends = form == MXG_REQUEST_LINE ? 1 : 2;
		if (len < ends || memchr(buffer, '\n', len) != buffer + len - ends)
			abort();
	}
}

static size_t take_one(const char *bytes, size_t size)
{
	size_t scanned = 0, len = mxg_request_length(bytes, size, &scanned);
	struct mxg_request r;
	if (len > size)
		abort();
	char *text = len == 0 ? NULL : malloc(len);
	if (text == NULL)
		return 0;
	memcpy(text, bytes, len);
	if (mxg_request_parse(&r, text, len) == NULL) {
		const char *values[] = { r.request, r.protocol_state, r.client_address, r.helo_name, r.sasl_username,
					 r.sender,  r.recipient,      r.instance,       r.queue_id };
		for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
			check_value(values[i], text, len);
			check_reply(values[i], r.form);
		}
		if (r.client_address == NULL)
			abort();
	}
	free(text);
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;
	for (size_t len; size > 0 && (len = take_one(bytes, size)) > 0; size -= len)
		bytes += len;
	return 0;
}
