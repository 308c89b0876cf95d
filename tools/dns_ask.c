/* SPDX-License-Identifier: MIT */
/* For commands that ask one thing after the other. */
#include "dns_ask.h"

struct asked {
	struct mxg_waiter waiter; /* first: the one is the other */
	struct mxg_reply *reply;
	bool done;
};

static void on_reply(struct mxg_waiter *waiter, struct mxg_reply *reply)
{
	struct asked *asked = (struct asked *)waiter;
	*asked->reply = *reply;
	reply->records.data = NULL;
	asked->done = true;
}

void mxg_dns_ask(struct mxg_driver *driver, const struct mxg_name *name, uint16_t type, struct mxg_reply *reply)
{
	struct mxg_question question = { .name = *name, .type = type };
	struct asked asked = { .waiter.done = on_reply, .reply = reply };
	mxg_driver_ask(driver, &question, &asked.waiter);
	while (!asked.done)
		mxg_driver_wait(driver, -1);
}

const char *mxg_dns_failure_text(enum mxg_dns_failure failure)
{
	switch (failure) {
	case MXG_DNS_TIMEOUT:
		return "no reply";
	case MXG_DNS_SERVFAIL:
		return "SERVFAIL";
	case MXG_DNS_REFUSED:
		return "REFUSED";
	case MXG_DNS_INSECURE:
		return "not signed (require_dnssec)";
	case MXG_DNS_LOCAL:
		return "could not be asked";
	case MXG_DNS_CANCELLED:
		return "not asked";
	default:
		return "a reply that cannot be used";
	}
}
