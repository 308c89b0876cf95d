/* SPDX-License-Identifier: MIT */
/*
 * Many decisions at once from one poll(2) loop, as a server makes them. Every peer is a
 * transaction of its own; libmxguard(3) asks DNS for all of them together, and a finished
 * check is told as soon as it is there, in whatever order.
 *
 * Usage: polled CONFIG PEER RECIPIENT [PEER RECIPIENT]…
 * Exit status, the worst of all: 0 accept or tag, 1 reject or quarantine, 75 anything else.
 */
#include <mxguard.h>
#include <poll.h>
#include <stdio.h>
#include <sysexits.h>
#include <time.h>

#define FDS_MAX 64

static int exit_status(enum mxguard_action action)
{
	switch (action) {
	case MXGUARD_ACTION_ACCEPT:
	case MXGUARD_ACTION_TAG:
		return 0;
	case MXGUARD_ACTION_QUARANTINE:
	case MXGUARD_ACTION_REJECT:
		return 1;
	case MXGUARD_ACTION_DEFER:
		break;
	}
	return EX_TEMPFAIL;
}

/* Takes a check that has come to an end, or as far as it can without the message. */
static int finish(struct mxguard_session *session, struct mxguard_check *check, int progress)
{
	char line[4096];
	int status = EX_TEMPFAIL;
	if (progress == MXGUARD_PROGRESS_NEED_HEADER)
		progress = mxguard_check_give_up(check, (int64_t)time(NULL));
	if (progress == MXGUARD_PROGRESS_DONE) {
		mxguard_check_log_line(check, 0, line, sizeof(line));
		puts(line);
		status = exit_status(mxguard_check_action(check, 0));
	}
	mxguard_session_release(session, check);
	return status;
}

static void keep_worst(int *worst, int status)
{
	if (status > *worst)
		*worst = status;
}

/* Starts one transaction. True where it is now under way; else `worst` knows its end. */
static int start(struct mxguard_session *session, char **pair, int *worst)
{
	struct mxguard_check *check;
	if (mxguard_session_check(session, &check, 0) != MXGUARD_ERROR_NONE) {
		keep_worst(worst, EX_TEMPFAIL);
		return 0;
	}
	/* what a setter has to complain of comes back from the start */
	mxguard_check_set_peer_text(check, pair[0]);
	mxguard_check_add_recipient(check, pair[1], NULL);
	int progress = mxguard_session_start(session, check, -1, NULL);
	if (progress == MXGUARD_PROGRESS_NEED_DNS)
		return 1;
	keep_worst(worst, finish(session, check, progress));
	return 0;
}

/* One turn: wait for the session's sockets, here the only ones, and let it work. */
static void turn(struct mxguard_session *session)
{
	struct pollfd fds[FDS_MAX];
	size_t count = mxguard_session_pollfds(session, fds, FDS_MAX);
	if (count > FDS_MAX)
		count = FDS_MAX;
	if (poll(fds, (nfds_t)count, mxguard_session_timeout(session)) <= 0)
		count = 0; /* a timeout, or a signal: no events to hand on */
	mxguard_session_process(session, fds, count);
}

static int decide_all(struct mxguard_session *session, char **pairs, int count)
{
	struct mxguard_check *check;
	int worst = 0, open = 0;
	for (int i = 0; i + 1 < count; i += 2)
		open += start(session, pairs + i, &worst);
	while (open > 0) {
		turn(session);
		while ((check = mxguard_session_next(session, NULL)) != NULL) {
			open--;
			keep_worst(&worst, finish(session, check, mxguard_check_run(check, (int64_t)time(NULL))));
		}
	}
	return worst;
}

int main(int argc, char **argv)
{
	struct mxguard_session *session;
	char message[512];
	if (argc < 4 || argc % 2 != 0) {
		fputs("Usage: polled CONFIG PEER RECIPIENT [PEER RECIPIENT]...\n", stderr);
		return EX_TEMPFAIL;
	}
	if (mxguard_session_open(&session, argv[1], 0, message, sizeof(message)) != MXGUARD_ERROR_NONE) {
		fprintf(stderr, "%s\n", message);
		return EX_TEMPFAIL;
	}
	int status = decide_all(session, argv + 2, argc - 2);
	mxguard_session_free(session);
	return status;
}
