/* SPDX-License-Identifier: MIT */
#ifndef MXG_DESK_H
#define MXG_DESK_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mxg_metrics;
struct mxguard_check;
struct mxguard_session;

/* Where a service decides: a session of the library whose notices go to the log. One thread at a
 * time. */
struct mxg_desk;

/* `who` stands in the log lines: "policy"; a constant. NULL with a message on the log, and *status for
 * exit(3). */
struct mxg_desk *mxg_desk_new(const char *config, const char *who, int *status);
void mxg_desk_free(struct mxg_desk *desk);
/* Reads the configuration again. Where it is wrong, the old one stays, and the log says so. */
void mxg_desk_reload(struct mxg_desk *desk);
/* A new check, or a negative enum mxguard_error. */
int mxg_desk_check(struct mxg_desk *desk, struct mxguard_check **check, unsigned flags);

/* Tells at `spec` what is counted, as long as the desk lives; NULL: nothing is. 0, or an exit status after
 * a message on the log. */
int mxg_desk_open_metrics(struct mxg_desk *desk, const char *spec);
struct mxg_metrics *mxg_desk_metrics(const struct mxg_desk *desk); /* NULL: nothing is counted */
/* A recipient is decided: it is logged and counted. began: mxg_monotonic_us() when it was asked. */
void mxg_desk_decided(const struct mxg_desk *desk, const struct mxguard_check *check, size_t index, int64_t began);

/* Secrets of shared gateways stay in the header, for a plugin or wrapper that decides by them behind us. */
void mxg_desk_keep_secrets(struct mxg_desk *desk, bool keep);
bool mxg_desk_keeps_secrets(const struct mxg_desk *desk);

struct mxguard_session *mxg_desk_session(const struct mxg_desk *desk);
const char *mxg_desk_who(const struct mxg_desk *desk);

#endif
