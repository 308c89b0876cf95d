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
#include <time.h>

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

/* A message we do not have: where its header is wanted, the answer is `unknown`. */
static int decide(struct mxguard_resolver *resolver, struct mxguard_check *check)
{
	char line[4096];
	int progress = mxguard_resolver_run(resolver, check, -1);
	if (progress == MXGUARD_PROGRESS_NEED_HEADER)
		progress = mxguard_check_give_up(check, (int64_t)time(NULL));
	if (progress != MXGUARD_PROGRESS_DONE)
		return EX_TEMPFAIL;
	mxguard_check_log_line(check, 0, line, sizeof(line));
	puts(line);
	return exit_status(mxguard_check_action(check, 0));
}

static int run(struct mxguard_policy *policy, const char *peer, const char *recipient)
{
	struct mxguard_resolver *resolver = NULL;
	mxguard_resolver_new(&resolver, policy);
	struct mxguard_check *check = NULL;
	mxguard_check_new(&check, policy, NULL, 0);
	int status = EX_TEMPFAIL;
	if (resolver != NULL && check != NULL) {
		/* an address that cannot be read makes the answer `unknown`: nothing to do here */
		mxguard_check_set_peer_text(check, peer);
		if (mxguard_check_add_recipient(check, recipient, NULL) == 0)
			status = decide(resolver, check);
	}
	mxguard_check_free(check);
	mxguard_resolver_free(resolver);
	return status;
}

int main(int argc, char **argv)
{
	struct mxguard_policy *policy;
	char message[512];
	if (argc != 4) {
		fputs("Usage: blocking CONFIG PEER RECIPIENT\n", stderr);
		return EX_TEMPFAIL;
	}
	if (mxguard_policy_load(&policy, argv[1], 0, message, sizeof(message)) != MXGUARD_ERROR_NONE) {
		fprintf(stderr, "%s\n", message);
		return EX_TEMPFAIL;
	}
	int status = run(policy, argv[2], argv[3]);
	mxguard_policy_unref(policy);
	return status;
}
