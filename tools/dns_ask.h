/* SPDX-License-Identifier: MIT */
#ifndef MXG_DNS_ASK_H
#define MXG_DNS_ASK_H

#include "resolver/driver.h"

/* One question, waited for. The caller frees reply->records.data. */
void mxg_dns_ask(struct mxg_driver *driver, const struct mxg_name *name, uint16_t type, struct mxg_reply *reply);

/* Why there was no answer, for people. */
const char *mxg_dns_failure_text(enum mxg_dns_failure failure);

#endif
