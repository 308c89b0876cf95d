/* SPDX-License-Identifier: MIT */
/* Where the system has no list that could be read without another program: the ports that mail comes to
 * are tried, at each address of this host. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "audit/listeners.h"

#define ANSWER_MS 500 /* of this very host */

static const unsigned ports[] = { 24, 25, 465, 587, 2525 };

static socklen_t fill(struct sockaddr_storage *to, const struct mxg_address *a, unsigned port)
{
	*to = (struct sockaddr_storage){ 0 };
	if (a->family == 4) {
		struct sockaddr_in *in = (void *)to;
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		memcpy(&in->sin_addr, a->bytes, 4);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (void *)to;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons((uint16_t)port);
	memcpy(&in6->sin6_addr, a->bytes, 16);
	return sizeof(*in6);
}

static bool answers(const struct mxg_address *a, unsigned port)
{
	struct sockaddr_storage to;
	int error = 0;
	socklen_t len = fill(&to, a, port), size = sizeof(error);
	int fd = socket(to.ss_family, SOCK_STREAM, 0);
	if (fd < 0)
		return false;
	struct pollfd wait = { .fd = fd, .events = POLLOUT };
	bool ok = fcntl(fd, F_SETFL, O_NONBLOCK) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
		  (connect(fd, (const struct sockaddr *)(const void *)&to, len) == 0 ||
		   (errno == EINPROGRESS && poll(&wait, 1, ANSWER_MS) == 1 &&
		    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0));
	close(fd);
	return ok;
}

bool mxg_listeners_read(struct mxg_listeners *out, const struct mxg_self *self)
{
	*out = (struct mxg_listeners){ 0 };
	for (size_t i = 0; i < self->count; i++) {
		for (size_t p = 0; p < sizeof(ports) / sizeof(ports[0]); p++) {
			struct mxg_listener l = { .address = self->interfaces[i], .port = ports[p] };
			if (answers(&l.address, l.port) && !mxg_listeners_add(out, &l)) {
				mxg_listeners_clear(out);
				return false;
			}
		}
	}
	return true;
}
