/* SPDX-License-Identifier: MIT */
#ifndef TEST_DNS_SITE_H
#define TEST_DNS_SITE_H

/*
 * A resolver, its policy, and DNS servers on loopback that live in the same thread: they do
 * something only in site_turn(), so that every stage of a lookup can be stood still at.
 * The gateway of every domain is its MX, gw.<domain>, 192.0.2.10.
 */
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mxguard.h"

#define SITE_SERVERS 8
#define SITE_QUERIES 64
#define SITE_CONNECTIONS 8

enum site_manner {
	SITE_WAITS, /* keeps queries until site_answer_all() */
	SITE_ANSWERS,
	SITE_SILENT,
	SITE_SERVFAIL,
	SITE_REFUSED,
	SITE_BROKEN, /* NOERROR, and an A record of three bytes */
	SITE_REFERRAL, /* knows other servers, and nothing else */
	SITE_NOISY, /* all that is not an answer to the question, then one that is */
	SITE_TRUNCATES, /* answers over TCP only */
	SITE_TRUNCATES_SILENT, /* … and there accepts, and says nothing */
	SITE_TRUNCATES_CLOSES, /* … or closes at once */
	SITE_KNOWS_NO_EDNS
};

struct site_query {
	struct sockaddr_in from;
	size_t len;
	uint8_t bytes[600];
};

struct site_server {
	enum site_manner manner;
	int udp, tcp;
	unsigned port;
	int connections[SITE_CONNECTIONS];
	size_t connection_count;
	size_t count; /* queries that wait */
	size_t seen, seen_tcp; /* ever */
	struct site_query queries[SITE_QUERIES];
};

struct site {
	struct site_server servers[SITE_SERVERS];
	size_t server_count;
	struct mxguard_policy *policy;
	struct mxguard_resolver *resolver;
};

/* As many servers as there are manners, in this order. */
void site_open(struct site *site, const char *timeout, const enum site_manner *manners, size_t count);
void site_close(struct site *site);

void site_server_stop(struct site_server *server); /* its port answers with ICMP then */
void site_server_start(struct site_server *server); /* at the same port again */

struct mxguard_check *site_check(struct site *site, const char *peer, const char *recipient);
void site_turn(struct site *site); /* of an event loop; at most 50 ms */
void site_wait_for_queries(struct site *site, size_t count); /* at the first server */
struct mxguard_check *site_wait_for_check(struct site *site);
void site_answer_all(struct site_server *server, unsigned rcode);

/* Starts a check of alice@DOMAIN, lets it come to its end, and gives back its verdict. */
enum mxguard_verdict site_decide(struct site *site, const char *domain, int timeout_ms, char reason[64]);

double site_seconds(void); /* monotonic */

#endif
