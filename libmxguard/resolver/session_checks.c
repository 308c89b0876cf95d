/* SPDX-License-Identifier: MIT */
/* Checks of a session: given out, decided, given back. */
#include <poll.h>
#include <time.h>

#include "check/internal.h"
#include "base/clock.h"
#include "resolver/resolver.h"
#include "resolver/session.h"

int mxguard_session_is_internal(const struct mxguard_session *s, const uint8_t *address, size_t length)
{
	struct mxg_address peer = { 0 };
	if (length != 0 && (address == NULL || (length != 4 && length != 16)))
		return MXGUARD_ERROR_INVALID;
	if (length != 0)
		mxg_address_from_bytes(&peer, length == 4 ? 4 : 6, address);
	return s->current != NULL && mxg_peer_is_internal(s->current->policy, &peer);
}

int mxguard_session_check(struct mxguard_session *s, struct mxguard_check **check, unsigned flags)
{
	*check = NULL;
	mxg_session_follow(s);
	return s->current == NULL ? MXGUARD_ERROR_CONFIG : mxg_era_check(s->current, check, flags);
}

void mxguard_session_release(struct mxguard_session *s, struct mxguard_check *check)
{
	if (check == NULL)
		return;
	mxguard_session_cancel(s, check);
	bool current = check->kept.era == s->current;
	mxg_era_take_back(check, current);
	if (!current)
		mxg_session_retire(s);
}

/* ---- blocking ------------------------------------------------------------------------------ */

/* As far as it comes, with DNS within what is left of both limits. *dns_ms: of the policy's. */
static int run(struct mxguard_check *check, const struct mxg_deciding *d, int *dns_ms, int64_t until)
{
	int progress = mxguard_check_run(check, (int64_t)time(NULL));
	if (progress == MXGUARD_PROGRESS_NEED_DNS && d->before_dns != NULL) {
		int known = d->before_dns(d->context, check);
		progress = known < 0 ? known : progress;
	}
	if (progress != MXGUARD_PROGRESS_NEED_DNS)
		return progress;
	struct mxguard_resolver *resolver = mxg_era_resolver(check->kept.era);
	int64_t begun = mxg_monotonic_ms(), left = until - begun;
	if (resolver == NULL)
		return MXGUARD_ERROR_NOMEM;
	progress = mxguard_resolver_run(resolver, check, left < *dns_ms ? (left < 0 ? 0 : (int)left) : *dns_ms);
	int64_t took = mxg_monotonic_ms() - begun;
	*dns_ms = took < *dns_ms ? *dns_ms - (int)took : 0;
	return progress;
}

int mxg_session_decide(struct mxguard_session *s, struct mxguard_check *check, const struct mxg_deciding *d)
{
	if (s == NULL || check == NULL || check->kept.era == NULL || d->timeout_ms < -1)
		return MXGUARD_ERROR_INVALID;
	int64_t until = d->timeout_ms < 0 ? INT64_MAX : mxg_monotonic_ms() + d->timeout_ms;
	int dns_ms = check->policy->timeout_ms;
	int progress = run(check, d, &dns_ms, until);
	bool more = progress == MXGUARD_PROGRESS_NEED_HEADER ||
		    (progress == MXGUARD_PROGRESS_DONE && mxguard_check_wants_header(check) == 1);
	if (more && d->read_header != NULL) {
		progress = d->read_header(d->context, check);
		if (progress == MXGUARD_ERROR_NONE)
			progress = mxguard_check_header_end(check);
		if (progress == MXGUARD_ERROR_NONE)
			progress = run(check, d, &dns_ms, until);
	}
	if (progress > 0 && progress != MXGUARD_PROGRESS_DONE)
		progress = mxguard_check_give_up(check, (int64_t)time(NULL));
	return progress;
}

int mxguard_session_decide(struct mxguard_session *s, struct mxguard_check *check, mxguard_read_header read_header,
			   void *context, int timeout_ms)
{
	const struct mxg_deciding deciding = { read_header, NULL, context, timeout_ms };
	return mxg_session_decide(s, check, &deciding);
}

/* ---- polled ----------------------------------------------------------------------------------- */

int mxguard_session_start(struct mxguard_session *s, struct mxguard_check *check, int timeout_ms, void *user)
{
	if (s == NULL || check == NULL || check->kept.era == NULL || timeout_ms < -1)
		return MXGUARD_ERROR_INVALID;
	struct mxguard_resolver *resolver = mxg_era_resolver(check->kept.era);
	if (resolver == NULL)
		return MXGUARD_ERROR_NOMEM;
	int progress = mxg_resolver_start(resolver, check, timeout_ms);
	check->kept.under_way = progress == MXGUARD_PROGRESS_NEED_DNS;
	check->kept.user = user;
	return progress;
}

void mxguard_session_cancel(struct mxguard_session *s, struct mxguard_check *check)
{
	(void)s;
	if (check == NULL || !check->kept.under_way)
		return;
	check->kept.under_way = false;
	mxg_resolver_cancel(check->kept.era->resolver, check);
}

struct mxguard_check *mxguard_session_next(struct mxguard_session *s, void **user)
{
	for (struct mxg_era *era = s->eras; era != NULL; era = era->older) {
		struct mxguard_check *check = era->resolver == NULL ? NULL : mxg_resolver_next(era->resolver);
		if (check == NULL)
			continue;
		check->kept.under_way = false;
		if (user != NULL)
			*user = check->kept.user;
		return check;
	}
	return NULL;
}

size_t mxguard_session_pollfds(const struct mxguard_session *s, struct pollfd *fds, size_t count)
{
	size_t used = 0;
	for (const struct mxg_era *era = s->eras; era != NULL; era = era->older) {
		size_t at = used < count ? used : count;
		if (era->resolver != NULL)
			used += mxg_resolver_pollfds(era->resolver, fds == NULL ? NULL : fds + at, count - at);
	}
	return used;
}

int mxguard_session_timeout(const struct mxguard_session *s)
{
	int least = -1;
	for (const struct mxg_era *era = s->eras; era != NULL; era = era->older) {
		int own = era->resolver == NULL ? -1 : mxg_resolver_timeout(era->resolver);
		if (own >= 0 && (least < 0 || own < least))
			least = own;
	}
	return least;
}

/* Each resolver knows its own sockets and passes over the others'. One that waits for nothing
 * still has to take late replies off its sockets. */
int mxguard_session_process(struct mxguard_session *s, const struct pollfd *fds, size_t count)
{
	int result = MXGUARD_ERROR_NONE;
	for (const struct mxg_era *era = s->eras; era != NULL; era = era->older)
		if (era->resolver != NULL && result == MXGUARD_ERROR_NONE)
			result = mxg_resolver_process(era->resolver, fds, count);
	return result;
}

int mxguard_session_limit(const struct mxguard_session *s)
{
	int most = 0;
	for (const struct mxg_era *era = s->eras; era != NULL; era = era->older)
		most = era->policy->timeout_ms > most ? era->policy->timeout_ms : most;
	return most;
}
