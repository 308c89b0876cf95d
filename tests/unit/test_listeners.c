/* SPDX-License-Identifier: MIT */
/* What listens on this host, by the kernel's list (KERNEL) or by trying. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "audit/listeners.h"

static struct mxg_address loopback = { 4, { 127, 0, 0, 1 } };
static const struct mxg_address loopback6 = { 6, { [15] = 1 } };
static struct mxg_prefix_list nothing;

static struct mxg_self this_host(void)
{
	return (struct mxg_self){ .interfaces = &loopback, .count = 1, .configured = &nothing };
}

static int listen_on(int family, unsigned port, bool v6only)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	int fd = socket(family, SOCK_STREAM, 0), only = v6only, again = 1;
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &again, sizeof(again));
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
	const void *address = family == AF_INET ? (const void *)&in : &in6;
	if (bind(fd, address, family == AF_INET ? sizeof(in) : sizeof(in6)) == 0 && listen(fd, 5) == 0)
		return fd;
	close(fd);
	return -1;
}

static const struct mxg_listener *find(const struct mxg_listeners *l, unsigned port)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->items[i].port == port)
			return &l->items[i];
	return NULL;
}

/* The first port of those that mail comes to that nobody has. */
static int open_one(unsigned *port)
{
	static const unsigned ports[] = { 2525, 24, 587, 465, 25 };
	int fd = -1;
	for (size_t i = 0; fd < 0 && i < sizeof(ports) / sizeof(ports[0]); i++)
		fd = listen_on(AF_INET, *port = ports[i], false);
	return fd;
}

static void test_one(void **unused)
{
	struct mxg_self self = this_host();
	struct mxg_listeners found;
	unsigned port;
	int fd = open_one(&port);
	(void)unused;
	if (fd < 0)
		skip();
	assert_true(mxg_listeners_read(&found, &self));
	const struct mxg_listener *l = find(&found, port);
	assert_non_null(l);
	assert_true(mxg_listener_answers(l, &self, &loopback));
	assert_false(mxg_listener_answers(l, &self, &loopback6));
	mxg_listeners_clear(&found);
	close(fd);
	assert_true(mxg_listeners_read(&found, &self));
	assert_null(find(&found, port));
	mxg_listeners_clear(&found);
}

#ifdef KERNEL
static unsigned port_of(int fd)
{
	struct sockaddr_in6 in6;
	socklen_t len = sizeof(in6);
	assert_int_equal(getsockname(fd, (struct sockaddr *)(void *)&in6, &len), 0);
	return ntohs(in6.sin6_port);
}

static void test_any(void **unused)
{
	struct mxg_self self = this_host();
	(void)unused;
	for (int only = 0; only <= 1; only++) {
		struct mxg_listeners found;
		int fd = listen_on(AF_INET6, 0, only);
		if (fd < 0)
			skip();
		assert_true(mxg_listeners_read(&found, &self));
		const struct mxg_listener *l = find(&found, port_of(fd));
		assert_non_null(l);
		assert_int_equal(l->address.family, 0);
		assert_int_equal(mxg_listener_answers(l, &self, &loopback), !only);
		assert_true(mxg_listener_answers(l, &self, &loopback6));
		mxg_listeners_clear(&found);
		close(fd);
	}
}

static void test_owner(void **unused)
{
	struct mxg_self self = this_host();
	struct mxg_listeners found;
	char path[512];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	unsigned port;
	int fd = open_one(&port);
	(void)unused;
	if (fd < 0 || n <= 0)
		skip();
	path[n] = '\0';
	assert_true(mxg_listeners_read(&found, &self));
	assert_string_equal(find(&found, port)->program, strrchr(path, '/') + 1);
	mxg_listeners_clear(&found);
	close(fd);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one),
#ifdef KERNEL
		cmocka_unit_test(test_any),
		cmocka_unit_test(test_owner),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
