/* SPDX-License-Identifier: MIT */
/* The loop of mxguard policy, around somebody who answers DUNNO and has read nothing: what is left of a
 * request's cost when nothing is decided. unread-policy unix:/path */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "service/decider.h"
#include "service/listener.h"
#include "service/service.h"

size_t mxg_request_length(const char *bytes, size_t len, size_t *scanned)
{
	const char *end = memmem(bytes, len, "\n\n", 2);
	*scanned = len;
	return end == NULL ? 0 : (size_t)(end - bytes) + 2;
}

const char *mxg_request_parse(struct mxg_request *request, char *text, size_t len)
{
	*request = (struct mxg_request){ .form = MXG_REQUEST_POSTFIX };
	return NULL;
}

struct mxg_pending *mxg_decider_ask(struct mxg_decider *decider, const struct mxg_request *request, void *owner,
				    struct mxg_response *reply)
{
	reply->kind = MXG_RESPONSE_PASS;
	return NULL;
}

void *mxg_decider_next(struct mxg_decider *decider, struct mxg_response *reply)
{
	return NULL;
}

void mxg_decider_cancel(struct mxg_decider *decider, struct mxg_pending *pending)
{
}

void mxg_decider_reload(struct mxg_decider *decider)
{
}

size_t mxg_decider_pollfds(struct mxg_decider *decider, struct pollfd *fds, size_t count)
{
	return 0;
}

int mxg_decider_timeout(struct mxg_decider *decider)
{
	return -1;
}

void mxg_decider_process(struct mxg_decider *decider, const struct pollfd *fds, size_t count)
{
}

int mxg_decider_limit(const struct mxg_decider *decider)
{
	return 0;
}

int main(int argc, char **argv)
{
	char message[512];
	struct mxg_listener listener;
	if (argc != 2 || mxg_listener_open(&listener, argv[1], message, sizeof(message)) != 0) {
		fputs("usage: unread-policy unix:/path\n", stderr);
		return EX_USAGE;
	}
	struct mxg_service_options options = {
		.listeners = &listener, .listener_count = 1, .max_connections = 4096, .max_per_source = 4096
	};
	return mxg_service_block_signals() != 0 ? EX_OSERR : mxg_service_run(&options, NULL);
}
