/* SPDX-License-Identifier: MIT */
/*
 * The shortest use of libmxguard(3): one peer, one recipient, DNS asked by the library while
 * we wait. Prints the log line.
 *
 * Usage: blocking CONFIG PEER RECIPIENT
 * Exit status: 0 accept or tag, 1 reject or quarantine, 75 anything else.
 */
#include <mxguard.h>
#include <stdio.h>
#include <sysexits.h>

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

/* A message we do not have: where its header is wanted, the answer is `unknown`. What a setter
 * has to complain of comes back from the decision. */
static int decide(struct mxguard_session *session, const char *peer, const char *recipient)
{
	struct mxguard_check *check;
	char line[4096];
	if (mxguard_session_check(session, &check, 0) != MXGUARD_ERROR_NONE)
		return EX_TEMPFAIL;
	mxguard_check_set_peer_text(check, peer);
	mxguard_check_add_recipient(check, recipient, NULL);
	if (mxguard_session_decide(session, check, NULL, NULL, -1) != MXGUARD_PROGRESS_DONE)
		return EX_TEMPFAIL;
	mxguard_check_log_line(check, 0, line, sizeof(line));
	puts(line);
	return exit_status(mxguard_check_action(check, 0));
}

int main(int argc, char **argv)
{
	struct mxguard_session *session;
	char message[512];
	if (argc != 4) {
		fputs("Usage: blocking CONFIG PEER RECIPIENT\n", stderr);
		return EX_TEMPFAIL;
	}
	if (mxguard_session_open(&session, argv[1], 0, message, sizeof(message)) != MXGUARD_ERROR_NONE) {
		fprintf(stderr, "%s\n", message);
		return EX_TEMPFAIL;
	}
	int status = decide(session, argv[2], argv[3]);
	mxguard_session_free(session); /* and its checks */
	return status;
}
