/* SPDX-License-Identifier: MIT */
#ifndef MXG_ASKER_H
#define MXG_ASKER_H

#include "resolver/driver.h"

/*
 * Many questions to DNS, each asked once however many want its answer and whenever they come, at no
 * more than so many a second. What is kept costs memory: names that were only guessed are forgotten
 * where they are not there.
 */
struct mxg_asker;

enum mxg_asker_keep {
	MXG_ASKER_DROP, /* nobody else will ask */
	MXG_ASKER_KEEP_RECORDS, /* others may ask, if it is there */
	MXG_ASKER_KEEP
};

/* Who waits; part of whatever he keeps about his question. */
struct mxg_asking {
	/* Called once, perhaps before mxg_asker_ask() returns. The reply stays the asker's. */
	void (*done)(struct mxg_asking *asking, const struct mxg_question *question, const struct mxg_reply *reply);
	struct mxg_asking *next; /* the asker's */
};

/* The policy must outlive it. NULL: out of memory. */
struct mxg_asker *mxg_asker_new(const struct mxguard_policy *policy, unsigned rate, unsigned concurrency);
void mxg_asker_free(struct mxg_asker *asker); /* nobody is told any more; NULL is allowed */
void mxg_asker_ask(struct mxg_asker *asker, const struct mxg_question *question, enum mxg_asker_keep keep,
		   struct mxg_asking *asking);
size_t mxg_asker_waiting(const struct mxg_asker *asker); /* questions that are not out yet */
/* Sends what may be sent and waits for something to happen, at most timeout_ms. False: nothing is out,
 * and nothing waits. */
bool mxg_asker_step(struct mxg_asker *asker, int timeout_ms);
/* Nobody says anything, not even that it is a server's fault. */
bool mxg_asker_is_silence(enum mxg_dns_failure failure);
/* There was nothing but silence, or there has been nothing else for so long that the rest was not asked. */
bool mxg_asker_is_deaf(const struct mxg_asker *asker);
uint64_t mxg_asker_sent(const struct mxg_asker *asker);

#endif
