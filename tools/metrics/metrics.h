/* SPDX-License-Identifier: MIT */
#ifndef MXG_METRICS_H
#define MXG_METRICS_H

#include <stddef.h>
#include <stdint.h>

struct mxguard_check;
struct mxguard_session;

/*
 * What a service counts, and a thread that tells it to whoever scrapes (OpenMetrics over HTTP). No
 * client of that thread can make a decision wait. Everything here takes NULL: nothing is counted.
 */
struct mxg_metrics;

/* Listens at `spec` ("unix:/path", "inet:127.0.0.1:port", "inet:[::1]:port"), whose text must live as
 * long. service: "policy" or the like, a constant. NULL with a message of what is wrong. */
struct mxg_metrics *mxg_metrics_open(const char *service, const char *spec, char *message, size_t size);
/* Ends the thread. */
void mxg_metrics_close(struct mxg_metrics *metrics);

/* From any thread: a recipient that is decided, and how long that took. */
void mxg_metrics_decided(struct mxg_metrics *metrics, const struct mxguard_check *check, size_t index,
			 int64_t microseconds);
/* … one that is left to whoever reads the header, or decides behind us */
void mxg_metrics_left(struct mxg_metrics *metrics);
/* … trouble of our own: no answer, or "try again later" */
void mxg_metrics_trouble(struct mxg_metrics *metrics);

/* From the session's thread, often: its snapshot, and what it has asked of DNS. */
void mxg_metrics_observe(struct mxg_metrics *metrics, const struct mxguard_session *session);

#endif
