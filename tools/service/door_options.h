/* SPDX-License-Identifier: MIT */
#ifndef MXG_DOOR_OPTIONS_H
#define MXG_DOOR_OPTIONS_H

#include "../option_table.h"

/* Options that services at the door have in common: one row each, for all of them. */

enum mxg_log_place { MXG_LOG_BY_ITSELF, MXG_LOG_STDERR, MXG_LOG_SYSLOG };
enum mxg_secrets { MXG_SECRETS_REMOVE, MXG_SECRETS_KEEP };

extern const struct mxg_option_word mxg_option_logs[]; /* enum mxg_log_place */
extern const struct mxg_option_word mxg_option_relays[]; /* enum mxguard_place */
extern const struct mxg_option_word mxg_option_secrets[]; /* enum mxg_secrets */

/* clang-format off */
#define MXG_OPTION_RELAYS(TYPE) \
	{ 0, "relays", "WHAT", \
	  "what internal relays do while we decide: wait (and pass a refusal\n" \
	  "on) or queue (they have taken the message: on_direct_queued holds)", \
	  .kind = MXG_OPTION_WORD, .field = offsetof(TYPE, relays), .words = mxg_option_relays }

#define MXG_OPTION_SECRETS(TYPE) \
	{ 0, "secrets", "WHAT", \
	  "what becomes of the secrets of shared gateways: remove, or keep (for a\n" \
	  "plugin or wrapper behind us, which needs them to decide, and removes them)", \
	  .kind = MXG_OPTION_WORD, .field = offsetof(TYPE, secrets), .words = mxg_option_secrets }

#define MXG_OPTION_METRICS(TYPE) \
	{ 0, "metrics", "ADDRESS", \
	  "OpenMetrics for whoever scrapes, at /metrics: unix:/path,\n" \
	  "inet:127.0.0.1:port or inet:[::1]:port", \
	  .kind = MXG_OPTION_TEXT, .field = offsetof(TYPE, metrics) }

#define MXG_OPTION_LOG(TYPE, HELP) \
	{ 0, "log", "WHERE", HELP, \
	  .kind = MXG_OPTION_WORD, .field = offsetof(TYPE, log), .words = mxg_option_logs }
/* clang-format on */

#endif
