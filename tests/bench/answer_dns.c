/* SPDX-License-Identifier: MIT */
/*
 * A DNS server for as many domains as a benchmark wants, since none of them is kept: answer_dns HOSTS prints its port
 * on 127.0.0.1, and at its end, by SIGTERM, how many questions came. dN.test has an MX host of its own, or one of HOSTS
 * that all share, with an A and an AAAA record. Every hundredth domain's answers expire at once, until SIGUSR1 makes a
 * day of it; each SIGUSR2 gives every hundredth domain another MX host.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD = 12, ROOM = 512, TYPE_A = 1, TYPE_MX = 15, TYPE_AAAA = 28, DAY = 86400, SOON = 1 };

static volatile sig_atomic_t ended, long_lived, turn;

static void on_signal(int number)
{
	if (number == SIGUSR1)
		long_lived = 1;
	else if (number == SIGUSR2)
		turn++;
	else
		ended = 1;
}

struct reply {
	uint8_t bytes[ROOM];
	size_t len;
};

static void put(struct reply *r, unsigned value, size_t octets)
{
	for (size_t i = octets; i-- > 0;)
		r->bytes[r->len++] = (uint8_t)(value >> 8 * i);
}

static void put_label(struct reply *r, const char *text)
{
	size_t len = strlen(text);
	put(r, (unsigned)len, 1);
	memcpy(r->bytes + r->len, text, len);
	r->len += len;
}

/* The number in `dN`, or -1. */
static long number_of(const uint8_t *label)
{
	long n = 0;
	if (label[0] < 2 || label[0] > 9 || (label[1] | 32) != 'd')
		return -1;
	for (unsigned i = 2; i <= label[0]; i++) {
		if (label[i] < '0' || label[i] > '9')
			return -1;
		n = n * 10 + label[i] - '0';
	}
	return n;
}

static bool ends_in_test(const uint8_t *label)
{
	return label[0] == 4 && strncasecmp((const char *)label + 1, "test", 4) == 0 && label[5] == 0;
}

static void begin_record(struct reply *r, unsigned type, long domain)
{
	put(r, 0xc000 | HEAD, 2); /* the name that was asked for */
	put(r, type, 2);
	put(r, 1, 2);
	put(r, domain % 100 == 0 && !long_lived ? SOON : DAY, 4);
	r->bytes[7] = 1;
}

static void answer_mx(struct reply *r, long domain, long hosts)
{
	char host[32], owner[32];
	begin_record(r, TYPE_MX, domain);
	snprintf(host, sizeof(host), "mx%d", domain % 100 == 0 ? (int)turn : 0);
	snprintf(owner, sizeof(owner), "d%ld", domain % hosts);
	put(r, (unsigned)(2 + 1 + strlen(host) + 1 + strlen(owner) + 6), 2);
	put(r, 10, 2);
	put_label(r, host);
	put_label(r, owner);
	put_label(r, "test");
	put(r, 0, 1);
}

static void answer_address(struct reply *r, unsigned type, long domain)
{
	begin_record(r, type, domain);
	put(r, type == TYPE_A ? 4 : 16, 2);
	if (type == TYPE_AAAA) {
		put(r, 0x20010db8, 4);
		put(r, 0, 4);
		put(r, (unsigned)turn, 4);
		put(r, (unsigned)domain, 4);
	} else {
		put(r, 0xc6120000u | ((unsigned)domain & 0x1ffff), 4);
	}
}

/* Whether there is something to say; what is not asked for by this benchmark does not exist. */
static bool answer(struct reply *r, const uint8_t *question, size_t len, long hosts)
{
	const uint8_t *label = question + HEAD, *end = question + len;
	bool host =
		end - label > 4 && label[0] >= 3 && label[0] <= 9 && strncasecmp((const char *)label + 1, "mx", 2) == 0;
	const uint8_t *owner = host ? label + 1 + label[0] : label;
	if (end - owner < 11)
		return false;
	long domain = number_of(owner);
	const uint8_t *zone = owner + 1 + owner[0];
	if (domain < 0 || end - zone < 10 || !ends_in_test(zone))
		return false;
	unsigned type = (unsigned)(zone[6] << 8 | zone[7]);
	memcpy(r->bytes, question, r->len = (size_t)(zone + 10 - question));
	memset(r->bytes + 6, 0, 6);
	r->bytes[2] = 0x85;
	r->bytes[3] = 0x80;
	if (type == TYPE_MX && !host)
		answer_mx(r, domain, hosts);
	else if (host && (type == TYPE_A || type == TYPE_AAAA))
		answer_address(r, type, domain);
	else
		return false;
	return true;
}

static int open_socket(void)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(here);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), room = 4 << 20;
	if (fd < 0 || bind(fd, (struct sockaddr *)&here, size) != 0 ||
	    getsockname(fd, (struct sockaddr *)&here, &size) != 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	printf("%u\n", ntohs(here.sin_port));
	fflush(stdout);
	return fd;
}

static unsigned long serve(int fd, long hosts)
{
	unsigned long questions = 0;
	while (!ended) {
		uint8_t question[ROOM];
		struct sockaddr_in from;
		struct reply r = { .len = 0 };
		socklen_t size = sizeof(from);
		ssize_t n = recvfrom(fd, question, sizeof(question), 0, (struct sockaddr *)&from, &size);
		if (n < 0 && errno != EINTR)
			break;
		if (n <= HEAD || !answer(&r, question, (size_t)n, hosts))
			continue;
		questions++;
		if (sendto(fd, r.bytes, r.len, 0, (struct sockaddr *)&from, size) < 0)
			perror("answer-dns");
	}
	return questions;
}

int main(int argc, char **argv)
{
	static const int numbers[] = { SIGUSR1, SIGUSR2, SIGTERM, SIGINT };
	struct sigaction action = { .sa_handler = on_signal };
	long hosts = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
	if (hosts <= 0) {
		fputs("usage: answer-dns HOSTS\n", stderr);
		return 64;
	}
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		sigaction(numbers[i], &action, NULL);
	int fd = open_socket();
	if (fd < 0) {
		perror("answer-dns");
		return 71;
	}
	printf("%lu\n", serve(fd, hosts));
	return 0;
}
