/* SPDX-License-Identifier: MIT */
/* The kernel's own list, by sock_diag(7). */
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "audit/listeners.h"

#define TCP_LISTEN_STATE 10 /* of the kernel's states */
#define REPLY_ROOM 32768

static bool ask(int fd, uint8_t family)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 request;
	} message = {
		.header = { .nlmsg_len = sizeof(message),
			    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.request = { .sdiag_family = family,
			     .sdiag_protocol = IPPROTO_TCP,
			     .idiag_states = 1 << TCP_LISTEN_STATE },
	};
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	return sendto(fd, &message, sizeof(message), 0, (const struct sockaddr *)(const void *)&kernel,
		      sizeof(kernel)) == (ssize_t)sizeof(message);
}

static bool is_v6only(const struct inet_diag_msg *m, size_t len)
{
	size_t rest = len - sizeof(*m);
	for (const struct rtattr *a = (const void *)(m + 1); RTA_OK(a, rest); a = RTA_NEXT(a, rest))
		if (a->rta_type == INET_DIAG_SKV6ONLY && RTA_PAYLOAD(a) >= 1)
			return *(const uint8_t *)RTA_DATA(a) != 0;
	return false;
}

static bool is_any(const struct mxg_address *a)
{
	return mxg_address_half(a, 0) == 0 && mxg_address_half(a, 1) == 0;
}

static bool take(struct mxg_listeners *out, const struct inet_diag_msg *m, size_t len)
{
	struct mxg_listener l = { .port = ntohs(m->id.idiag_sport), .inode = m->idiag_inode };
	mxg_address_from_bytes(&l.address, m->idiag_family == AF_INET ? 4 : 6, (const uint8_t *)m->id.idiag_src);
	if (is_any(&l.address)) {
		l.any4 = m->idiag_family == AF_INET || !is_v6only(m, len);
		l.any6 = m->idiag_family == AF_INET6;
		l.address = (struct mxg_address){ 0 };
	}
	return mxg_listeners_add(out, &l);
}

/* 1: more is to come; 0: that was all; -1: an error. */
static int take_some(struct mxg_listeners *out, const char *buffer, size_t len)
{
	for (const struct nlmsghdr *h = (const void *)buffer; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		if (h->nlmsg_type == NLMSG_ERROR) {
			const struct nlmsgerr *error = NLMSG_DATA(h);
			errno = -error->error;
			return -1;
		}
		size_t size = h->nlmsg_len - NLMSG_LENGTH(0);
		if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY && size >= sizeof(struct inet_diag_msg) &&
		    !take(out, NLMSG_DATA(h), size))
			return -1;
	}
	return 1;
}

static bool read_family(struct mxg_listeners *out, int fd, uint8_t family)
{
	_Alignas(struct nlmsghdr) char buffer[REPLY_ROOM];
	int more = ask(fd, family) ? 1 : -1;
	while (more > 0) {
		ssize_t n = recv(fd, buffer, sizeof(buffer), 0);
		if (n < 0 && errno == EINTR)
			continue;
		more = n <= 0 ? -1 : take_some(out, buffer, (size_t)n);
	}
	return more == 0;
}

bool mxg_listeners_read(struct mxg_listeners *out, const struct mxg_self *self)
{
	(void)self;
	*out = (struct mxg_listeners){ 0 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0)
		return false;
	bool ok = read_family(out, fd, AF_INET) && read_family(out, fd, AF_INET6);
	int error = errno;
	close(fd);
	if (!ok)
		mxg_listeners_clear(out);
	else
		mxg_listeners_owners(out);
	errno = error;
	return ok;
}
