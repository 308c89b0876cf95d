/* SPDX-License-Identifier: MIT */
/*
 * DNS over c-ares 1.18 to 1.34; the only file that knows it.
 *
 * c-ares itself tries again and at the next server when nothing comes, asks over TCP where a
 * reply is truncated, and drops replies that do not belong to a question. Its process-wide
 * initialisation (ares_library_init) does something on Windows only and is left out here.
 */
#include "resolver/channel.h"

/* What newer ones deprecate is all that 1.18 has. */
#define CARES_NO_DEPRECATED
#include <ares.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "resolver/calls.h"
#include "resolver/stream.h"

#define EDNS_PAYLOAD 1232 /* as mxg_dns_query() says; else c-ares takes over 512 bytes for a fault */
#define SOCKET_QUERIES 64 /* a new port after so many questions, by c-ares where it can */
#define KEEPS_SOCKETS (ARES_VERSION < 0x011400)
#define READS_RECORDS (ARES_VERSION >= 0x011400)
#define FORGETS_SERVERS (ARES_VERSION < 0x011800)
#define MESSAGE_MAX 512 /* no query is longer */
#define NOISE_MAX 64 /* datagrams in one turn, passed over one after the other */

struct mxg_channel {
	ares_channel ares;
	struct pollfd *fds;
	size_t fd_count, fd_room;
	size_t servers;
	size_t sent;
	bool local; /* every server is on loopback */
	struct mxg_calls calls; /* that are out */
	struct mxg_stream *streams; /* the TCP connections, where c-ares reads records */
	bool no_socket; /* the last one that was wanted was not to be had */
};

/* ---- sockets --------------------------------------------------------------------------- */

/* Ours, because c-ares 1.18 writes to a TCP connection that the server has closed without
 * MSG_NOSIGNAL: SIGPIPE would end the process whose guests we are. */

static ares_socket_t open_socket(int domain, int type, int protocol, void *data)
{
	struct mxg_channel *c = data;
	int on = 1, fd = socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	c->no_socket = fd < 0;
	if (fd >= 0 && type == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (fd >= 0 && type == SOCK_STREAM && READS_RECORDS) {
		struct mxg_stream *stream = mxg_stream_new(fd, c->streams);
		c->streams = stream == NULL ? c->streams : stream; /* else c-ares reads it itself */
	}
	return fd;
}

static void forget_stream(struct mxg_channel *c, int fd)
{
	struct mxg_stream **at = mxg_stream_find(&c->streams, fd), *stream = *at;
	if (stream == NULL)
		return;
	*at = mxg_stream_next(stream);
	mxg_stream_free(stream);
}

static int close_socket(ares_socket_t fd, void *data)
{
	forget_stream(data, fd);
	return close(fd);
}

static int connect_socket(ares_socket_t fd, const struct sockaddr *to, ares_socklen_t len, void *data)
{
	(void)data;
	return connect(fd, to, len);
}

static size_t take_from_stream(void *data, uint8_t *message, size_t len)
{
	struct mxg_channel *c = data;
	struct mxg_call *call = mxg_calls_find(&c->calls, message, len);
	return call == NULL ? len : mxg_call_take(call, message, len, true);
}

static ares_ssize_t receive_stream(struct mxg_channel *c, ares_socket_t fd, void *buffer, size_t room, int flags)
{
	struct mxg_stream *stream = *mxg_stream_find(&c->streams, fd);
	if (stream == NULL)
		return recv(fd, buffer, room, flags);
	return mxg_stream_receive(stream, buffer, room, take_from_stream, c);
}

static ares_ssize_t receive(ares_socket_t fd, void *buffer, size_t room, int flags, struct sockaddr *from,
			    ares_socklen_t *len, void *data)
{
	if (from == NULL)
		return receive_stream(data, fd, buffer, room, flags);
	struct mxg_channel *c = data;
	socklen_t room_for_address = *len;
	ssize_t got = recvfrom(fd, buffer, room, flags, from, len);
	for (int i = 0; got >= 0; i++) {
		struct mxg_call *call = mxg_calls_find(&c->calls, buffer, (size_t)got);
		if (call != NULL)
			return (ssize_t)mxg_call_take(call, buffer, (size_t)got, false);
		if (i == NOISE_MAX) {
			errno = EAGAIN;
			return -1;
		}
		*len = room_for_address;
		got = recvfrom(fd, buffer, room, flags, from, len);
	}
	return got;
}

/* Of `bytes`, one message that leaves: puts the true name in where c-ares was told another. */
static void unmask(struct mxg_channel *c, uint8_t *bytes, size_t len)
{
	const struct mxg_call *call = mxg_calls_note_id(&c->calls, bytes, len);
	if (call != NULL && call->masked)
		mxg_call_unmask(call, bytes);
}

/* Several may leave at once, each behind its length. After a part of one had to wait they are not known again, and what
 * is masked goes as it is: its reply is then nobody's. */
static void unmask_stream(struct mxg_channel *c, uint8_t *bytes, size_t len)
{
	size_t at = 0;
	while (len - at > 2) {
		size_t one = (size_t)(bytes[at] << 8 | bytes[at + 1]);
		if (one > len - at - 2)
			return;
		unmask(c, bytes + at + 2, one);
		at += 2 + one;
	}
}

static ares_ssize_t transmit(ares_socket_t fd, const struct iovec *pieces, int count, void *data)
{
	struct mxg_channel *c = data;
	struct iovec own = { NULL, count == 1 ? pieces[0].iov_len : 0 };
	struct msghdr message = { .msg_iovlen = (size_t)count };
	memcpy(&message.msg_iov, &pieces, sizeof(pieces)); /* which takes it without const */
	if (own.iov_len > 0)
		own.iov_base = malloc(own.iov_len);
	if (own.iov_base != NULL) {
		memcpy(own.iov_base, pieces[0].iov_base, own.iov_len);
		if (*mxg_stream_find(&c->streams, fd) != NULL)
			unmask_stream(c, own.iov_base, own.iov_len);
		else
			unmask(c, own.iov_base, own.iov_len);
		message.msg_iov = &own;
	}
	ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
	int why = errno;
	free(own.iov_base);
	errno = why;
	return sent;
}

static const struct ares_socket_functions sockets = { open_socket, close_socket, connect_socket, receive, transmit };

static void watch(struct mxg_channel *c, size_t i, int fd, short events)
{
	if (i == c->fd_room) {
		struct pollfd *fds = reallocarray(c->fds, c->fd_room * 2 + 8, sizeof(*fds));
		if (fds == NULL)
			return; /* its questions then end by their time limit */
		c->fds = fds;
		c->fd_room = c->fd_room * 2 + 8;
	}
	if (i == c->fd_count)
		c->fd_count++;
	c->fds[i] = (struct pollfd){ .fd = fd, .events = events };
}

static void on_socket(void *data, ares_socket_t fd, int readable, int writable)
{
	struct mxg_channel *c = data;
	short events = (short)((readable ? POLLIN : 0) | (writable ? POLLOUT : 0));
	size_t i = 0;
	while (i < c->fd_count && c->fds[i].fd != fd)
		i++;
	if (events != 0)
		watch(c, i, fd, events);
	else if (i < c->fd_count)
		c->fds[i] = c->fds[--c->fd_count];
}

static bool init(struct mxg_channel *c, const struct mxg_channel_options *o)
{
	struct ares_options options = { .timeout = o->try_ms,
					.tries = o->tries,
					.ednspsz = EDNS_PAYLOAD,
					.sock_state_cb = on_socket,
					.sock_state_cb_data = c };
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ | ARES_OPT_SOCK_STATE_CB;
	options.flags |= o->plain ? 0 : ARES_FLAG_EDNS;
	options.flags |= o->refusals ? ARES_FLAG_NOCHECKRESP : 0;
	mask |= ARES_OPT_NOROTATE;
#ifdef ARES_FLAG_DNS0x20
	options.flags |= ARES_FLAG_DNS0x20;
#endif
#ifdef ARES_OPT_QUERY_CACHE
	mask |= ARES_OPT_QUERY_CACHE; /* qcache_max_ttl 0: off; the snapshot is our memory */
#endif
#ifdef ARES_OPT_UDP_MAX_QUERIES
	mask |= ARES_OPT_UDP_MAX_QUERIES;
	options.udp_max_queries = SOCKET_QUERIES;
#endif
	if (ares_init_options(&c->ares, &options, mask) != ARES_SUCCESS)
		return false;
	ares_set_socket_functions(c->ares, &sockets, c);
	return true;
}

static size_t count_servers(const struct ares_addr_port_node *servers)
{
	size_t count = 0;
	for (; servers != NULL; servers = servers->next)
		count++;
	return count;
}

static bool is_loopback(const struct ares_addr_port_node *server)
{
	if (server->family == AF_INET)
		return ntohl(server->addr.addr4.s_addr) >> 24 == IN_LOOPBACKNET;
	return IN6_IS_ADDR_LOOPBACK((const struct in6_addr *)&server->addr.addr6);
}

/* The list with its first `turn` members at its end. */
static struct ares_addr_port_node *turn_list(struct ares_addr_port_node *servers, size_t turn)
{
	struct ares_addr_port_node *cut = servers, *last = servers;
	if (turn == 0)
		return servers;
	for (; turn > 1; turn--)
		cut = cut->next;
	while (last->next != NULL)
		last = last->next;
	struct ares_addr_port_node *head = cut->next;
	cut->next = NULL;
	last->next = servers;
	return head;
}

static bool order_servers(struct mxg_channel *c, unsigned first)
{
	struct ares_addr_port_node *servers = NULL;
	if (ares_get_servers_ports(c->ares, &servers) != ARES_SUCCESS)
		return false;
	c->servers = count_servers(servers);
	c->local = true;
	for (const struct ares_addr_port_node *server = servers; server != NULL; server = server->next)
		c->local &= is_loopback(server);
	size_t turn = c->servers == 0 ? 0 : first % c->servers;
	servers = turn_list(servers, turn);
	bool done = turn == 0 || ares_set_servers_ports(c->ares, servers) == ARES_SUCCESS;
	ares_free_data(servers);
	return done;
}

static bool set_servers(struct mxg_channel *c, const struct mxg_channel_options *o)
{
	if (o->servers != NULL && ares_set_servers_ports_csv(c->ares, o->servers) != ARES_SUCCESS)
		return false;
	return order_servers(c, o->first);
}

struct mxg_channel *mxg_channel_new(const struct mxg_channel_options *o)
{
	struct mxg_channel *c = calloc(1, sizeof(*c));
	if (c == NULL || !init(c, o)) {
		free(c);
		return NULL;
	}
	if (set_servers(c, o))
		return c;
	mxg_channel_free(c);
	return NULL;
}

void mxg_channel_free(struct mxg_channel *c)
{
	if (c == NULL)
		return;
	ares_destroy(c->ares);
	free(c->fds);
	free(c);
}

size_t mxg_channel_servers(const struct mxg_channel *c)
{
	return c->servers;
}

bool mxg_channel_is_local(const struct mxg_channel *c)
{
	return c->local;
}

bool mxg_channel_is_worn(const struct mxg_channel *c)
{
	return KEEPS_SOCKETS && !c->local && c->sent >= SOCKET_QUERIES;
}

/* ---- questions ------------------------------------------------------------------------- */

static enum mxg_dns_failure failure_of(const struct mxg_channel *c, int status)
{
	switch (status) {
	case ARES_ECONNREFUSED: /* no server took it, or there was no socket to ask one with */
		return c->no_socket ? MXG_DNS_LOCAL : MXG_DNS_TIMEOUT;
	case ARES_ETIMEOUT:
		return MXG_DNS_TIMEOUT;
	case ARES_ESERVFAIL:
	case ARES_ENOTIMP:
	case ARES_EFORMERR:
		return MXG_DNS_SERVFAIL;
	case ARES_EREFUSED:
		return MXG_DNS_REFUSED;
	case ARES_EBADRESP:
	case ARES_EBADNAME:
		return MXG_DNS_BROKEN;
	case ARES_ECANCELLED:
	case ARES_EDESTRUCTION:
		return MXG_DNS_CANCELLED;
	default:
		return MXG_DNS_LOCAL;
	}
}

static void on_reply(void *argument, int status, int timeouts, unsigned char *reply, int len)
{
	struct mxg_call *call = argument;
	mxg_calls_remove(&call->channel->calls, call);
	call->silent = FORGETS_SERVERS && timeouts > 0 ? (unsigned)timeouts : 0;
	uint8_t *own = call->reply; /* the call may be sent again, or be gone, when it is told */
	call->reply = NULL;
	if (status == ARES_SUCCESS && own != NULL)
		call->done(call, own, call->reply_len, MXG_DNS_OK);
	else if (status == ARES_SUCCESS && call->masked)
		call->done(call, NULL, 0, MXG_DNS_BROKEN); /* a reply about the name that c-ares was told */
	else if (status == ARES_SUCCESS && reply != NULL && len > 0)
		call->done(call, reply, (size_t)len, MXG_DNS_OK);
	else
		call->done(call, NULL, 0, failure_of(call->channel, status));
	free(own);
}

void mxg_channel_send(struct mxg_channel *c, const uint8_t *query, size_t len, struct mxg_call *call)
{
	call->channel = c;
	call->query = query;
	call->query_len = len;
	call->id = -1;
	call->reply = NULL;
	uint8_t told[MESSAGE_MAX]; /* copied by c-ares */
	memcpy(told, query, len < sizeof(told) ? len : 0);
	call->masked = READS_RECORDS && len < sizeof(told) && mxg_question_mask(query, len, told);
	mxg_calls_add(&c->calls, call);
	c->sent++;
	ares_send(c->ares, call->masked ? told : query, (int)len, on_reply, call);
}

/* ---- polling ----------------------------------------------------------------------------- */

size_t mxg_channel_pollfds(const struct mxg_channel *c, struct pollfd *fds, size_t count)
{
	for (size_t i = 0; i < c->fd_count && i < count; i++)
		fds[i] = c->fds[i];
	return c->fd_count;
}

int mxg_channel_timeout(const struct mxg_channel *c)
{
	struct timeval tv;
	if (ares_timeout(c->ares, NULL, &tv) == NULL)
		return -1;
	int64_t ms = (int64_t)tv.tv_sec * 1000 + (tv.tv_usec + 999) / 1000;
	return ms < 0 ? 0 : ms > 3600000 ? 3600000 : (int)ms;
}

static bool watches(const struct mxg_channel *c, int fd)
{
	for (size_t i = 0; i < c->fd_count; i++)
		if (c->fds[i].fd == fd)
			return true;
	return false; /* another's, or closed while one before it was worked on */
}

void mxg_channel_process(struct mxg_channel *c, const struct pollfd *fds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		bool in = (fds[i].revents & (POLLIN | POLLERR | POLLHUP)) != 0;
		bool out = (fds[i].revents & (POLLOUT | POLLERR)) != 0;
		if ((in || out) && watches(c, fds[i].fd))
			ares_process_fd(c->ares, in ? fds[i].fd : ARES_SOCKET_BAD, out ? fds[i].fd : ARES_SOCKET_BAD);
	}
}

void mxg_channel_expire(struct mxg_channel *c)
{
	ares_process_fd(c->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}
