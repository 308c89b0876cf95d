/* SPDX-License-Identifier: MIT */
#ifndef MXG_DRIVER_H
#define MXG_DRIVER_H

#include "dns/message.h"
#include "policy/policy.h"

/*
 * Questions to DNS, each out once however many wait for it, with every retry and fallback that
 * there is; the reply is checked, parsed, and made what the policy makes of it, once. Decisions,
 * `refresh` and `gateways` all ask by it. One thread; not on both sides of a fork.
 */
struct mxg_driver;
struct mxg_query;
struct pollfd;

/* Who waits for a reply; part of whatever he keeps about his question. */
struct mxg_waiter {
	/* Called once, perhaps before mxg_driver_ask() returns; may ask, forget and free its waiter,
	 * but not wait or process. Takes records.data over by setting it to NULL. */
	void (*done)(struct mxg_waiter *waiter, struct mxg_reply *reply);
	struct mxg_query *query; /* the driver's, as are the next two; NULL: done */
	struct mxg_waiter *next, **at;
};

enum mxg_driver_manner {
	MXG_DRIVER_DEADLINES, /* each question is for a decision, which ends by dns.timeout */
	MXG_DRIVER_PATIENT /* nobody waits at the door: a slow server gets its time */
};

/* To the policy's dns.servers or the system's; the policy must outlive it. NULL: out of memory. */
struct mxg_driver *mxg_driver_new(const struct mxguard_policy *policy, enum mxg_driver_manner manner);
void mxg_driver_free(struct mxg_driver *driver); /* MXG_DNS_CANCELLED to all who wait; NULL is allowed */

/* Out of memory, or no socket to be had, is a reply, too: MXG_DNS_LOCAL. */
void mxg_driver_ask(struct mxg_driver *driver, const struct mxg_question *question, struct mxg_waiter *waiter);
void mxg_driver_forget(struct mxg_waiter *waiter); /* it is not called any more */

/* Whether some server is not on loopback: what it says can be forged on its way. */
bool mxg_driver_asks_outside(struct mxg_driver *driver);
/* What was asked, and what came of it. */
#define MXG_DNS_FAILURES (MXG_DNS_NOT_RECORDED + 1)
struct mxg_dns_counts {
	uint64_t sent; /* questions, those that were asked again included */
	uint64_t failed[MXG_DNS_FAILURES]; /* by enum mxg_dns_failure */
};
/* A session's, over all its configurations (session.c); it lives as long as the session. */
struct mxguard_session;
const struct mxg_dns_counts *mxg_session_dns_counts(const struct mxguard_session *session);
/* From now on counted there as well; it must outlive the driver. */
void mxg_driver_count(struct mxg_driver *driver, struct mxg_dns_counts *counts);
uint64_t mxg_driver_sent(const struct mxg_driver *driver); /* questions, those that were asked again included */

/* Fills up to `count` entries, returns how many there are. */
size_t mxg_driver_pollfds(const struct mxg_driver *driver, struct pollfd *fds, size_t count);
int mxg_driver_timeout(const struct mxg_driver *driver); /* milliseconds; -1: nothing is out */
void mxg_driver_process(struct mxg_driver *driver, const struct pollfd *fds, size_t count);
/* All of them, once: until something comes in or times out, at most timeout_ms (-1: no limit). */
void mxg_driver_wait(struct mxg_driver *driver, int timeout_ms);

#endif
