/* SPDX-License-Identifier: MIT */
#include "signals.h"

#include <signal.h>
#include <stddef.h>

/* Trouble with writing must come as an errno, and SIGCHLD, ignored by whoever started us, would take the status of
 * children away. */
static struct {
	int number;
	void (*ours)(int);
	struct sigaction inherited;
} kept[] = { { .number = SIGCHLD, .ours = SIG_DFL },
	     { .number = SIGPIPE, .ours = SIG_IGN },
	     { .number = SIGXFSZ, .ours = SIG_IGN } };
#define KEPT (sizeof(kept) / sizeof(kept[0]))

void mxg_lda_signals_set(void)
{
	struct sigaction action = { .sa_flags = 0 };
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < KEPT; i++) {
		action.sa_handler = kept[i].ours;
		sigaction(kept[i].number, &action, &kept[i].inherited);
	}
}

void mxg_lda_signals_restore(void)
{
	for (size_t i = 0; i < KEPT; i++)
		sigaction(kept[i].number, &kept[i].inherited, NULL);
}
