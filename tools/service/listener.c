/* SPDX-License-Identifier: MIT */
/* Sockets to be asked on: our own, and those that systemd holds for us. */
#include "listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#if __has_include(<linux/filter.h>) && !defined(MXG_PORTABLE)
#include <linux/filter.h>
#endif

#define BACKLOG 1024
#define FIRST_INHERITED 3 /* SD_LISTEN_FDS_START */

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local;
};

static int fail(char *message, size_t size, const char *spec, const char *what)
{
	snprintf(message, size, "--listen %s: %s", spec, what);
	return -1;
}

static int fail_errno(char *message, size_t size, const char *spec, const char *what)
{
	snprintf(message, size, "--listen %s: %s: %s", spec, what, strerror(errno));
	return -1;
}

/* ---- TCP -------------------------------------------------------------------------- */

static bool parse_port(const char *text, in_port_t *port)
{
	char *end;
	if (text[0] < '0' || text[0] > '9')
		return false;
	unsigned long number = strtoul(text, &end, 10);
	*port = htons((in_port_t)number);
	return *end == '\0' && number > 0 && number < 65536;
}

/* "127.0.0.1:10033" or "[::1]:10033", the latter behind "inet:", too. The protocol proves nobody's
 * identity: other hosts must not ask. */
static const char *parse_inet(const char *text, union address *address, socklen_t *len)
{
	char host[64];
	const char *colon = strrchr(text, ':');
	size_t host_len = colon == NULL ? 0 : (size_t)(colon - text);
	in_port_t port;
	if (colon == NULL || !parse_port(colon + 1, &port))
		return "the port is missing or not a number from 1 to 65535";
	if (host_len > 2 && text[0] == '[' && colon[-1] == ']') {
		text++;
		host_len -= 2;
	}
	if (host_len == 0 || host_len >= sizeof(host))
		return "write inet:127.0.0.1:port or inet6:[::1]:port";
	memcpy(host, text, host_len);
	host[host_len] = '\0';
	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, host, &address->v4.sin_addr) == 1) {
		address->v4.sin_family = AF_INET;
		address->v4.sin_port = port;
		*len = sizeof(address->v4);
		return ntohl(address->v4.sin_addr.s_addr) >> 24 == 127 ? NULL : "only loopback addresses are allowed";
	}
	if (inet_pton(AF_INET6, host, &address->v6.sin6_addr) != 1)
		return "write inet:127.0.0.1:port or inet6:[::1]:port";
	address->v6.sin6_family = AF_INET6;
	address->v6.sin6_port = port;
	*len = sizeof(address->v6);
	return IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr) ? NULL : "only loopback addresses are allowed";
}

static int listen_on(const union address *address, socklen_t len)
{
	int one = 1;
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (address->any.sa_family != AF_UNIX)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, &address->any, len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static int open_inet(struct mxg_listener *listener, const char *spec, char *message, size_t size)
{
	union address address;
	socklen_t len;
	const char *wrong = parse_inet(strchr(spec, ':') + 1, &address, &len);
	if (wrong != NULL)
		return fail(message, size, spec, wrong);
	listener->fd = listen_on(&address, len);
	return listener->fd < 0 ? fail_errno(message, size, spec, "cannot listen") : 0;
}

/* ---- unix --------------------------------------------------------------------------- */

/* A socket that a service before us left behind answers to nobody: it may go. */
static bool is_abandoned(const union address *address)
{
	struct stat st;
	if (lstat(address->local.sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return false;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	bool refused = connect(fd, &address->any, sizeof(address->local)) != 0 && errno == ECONNREFUSED;
	close(fd);
	return refused;
}

static int open_unix(struct mxg_listener *listener, const char *spec, char *message, size_t size)
{
	union address address = { .local = { .sun_family = AF_UNIX } };
	const char *path = spec + strlen("unix:");
	struct stat st;
	if (path[0] != '/')
		return fail(message, size, spec, "the path must begin with /");
	if (strlen(path) >= sizeof(address.local.sun_path))
		return fail(message, size, spec, "the path is longer than a unix socket's may be");
	memcpy(address.local.sun_path, path, strlen(path) + 1);
	if (is_abandoned(&address))
		unlink(path);
	listener->fd = listen_on(&address, sizeof(address.local));
	if (listener->fd < 0)
		return fail_errno(message, size, spec, "cannot listen");
	/* who may ask is for the folder to say, as with Postfix's own private/ */
	if (chmod(path, 0666) != 0 || lstat(path, &st) != 0) {
		fail_errno(message, size, spec, "cannot set its mode");
		close(listener->fd);
		return -1;
	}
	listener->path = path;
	listener->device = st.st_dev;
	listener->inode = st.st_ino;
	return 0;
}

int mxg_listener_open(struct mxg_listener *listener, const char *spec, char *message, size_t size)
{
	*listener = (struct mxg_listener){ .fd = -1 };
	if (strncmp(spec, "unix:", 5) == 0)
		return open_unix(listener, spec, message, size);
	if (strncmp(spec, "inet:", 5) == 0 || strncmp(spec, "inet6:[", 7) == 0)
		return open_inet(listener, spec, message, size);
	return fail(message, size, spec, "write unix:/path, inet:127.0.0.1:port or inet6:[::1]:port");
}

/* ---- systemd ------------------------------------------------------------------------- */

static int inherit_one(struct mxg_listener *listener, int fd, char *message, size_t size)
{
	int listening = 0;
	socklen_t len = sizeof(listening);
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) != 0 || !listening) {
		snprintf(message, size,
			 "descriptor %d from systemd is not a listening stream socket: is it "
			 "ListenStream= with Accept=no?",
			 fd);
		return -1;
	}
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
		snprintf(message, size, "descriptor %d from systemd: %s", fd, strerror(errno));
		return -1;
	}
	*listener = (struct mxg_listener){ .fd = fd, .inherited = true };
	return 0;
}

int mxg_listener_inherit(struct mxg_listener *listeners, size_t count, char *message, size_t size)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	int number = 0;
	if (pid != NULL && fds != NULL && strtol(pid, NULL, 10) == (long)getpid())
		number = atoi(fds);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (number < 0 || (size_t)number > count) {
		snprintf(message, size, "systemd passes %d sockets; up to %zu are possible", number, count);
		return -1;
	}
	for (int i = 0; i < number; i++)
		if (inherit_one(&listeners[i], FIRST_INHERITED + i, message, size) != 0)
			return -1;
	return number;
}

/* ---- their ends ----------------------------------------------------------------------- */

/* Another service may have put its own there meanwhile. */
static void remove_path(struct mxg_listener *listener)
{
	struct stat st;
	if (listener->path != NULL && lstat(listener->path, &st) == 0 && st.st_dev == listener->device &&
	    st.st_ino == listener->inode)
		unlink(listener->path);
	listener->path = NULL;
}

/* TCP has no word for it: shutdown(2) would reset those who wait. A SYN that nobody sees is sent
 * again a second later. */
static void drop_syns(int fd)
{
#ifdef BPF_STMT
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13), /* RFC 9293 §3.1: the flags */
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x02, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };
	setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
#else
	(void)fd; /* who comes in this moment is reset, and comes again */
#endif
}

void mxg_listener_refuse(struct mxg_listener *listener)
{
	if (listener->fd < 0)
		return;
	if (listener->inherited) {
		mxg_listener_close(listener);
	} else if (listener->path != NULL) {
		remove_path(listener);
		shutdown(listener->fd, SHUT_RD);
	} else {
		drop_syns(listener->fd);
	}
}

void mxg_listener_close(struct mxg_listener *listener)
{
	if (listener->fd < 0)
		return;
	remove_path(listener);
	close(listener->fd);
	listener->fd = -1;
}
