/* SPDX-License-Identifier: MIT */
#ifndef MXG_LDA_FEEDER_H
#define MXG_LDA_FEEDER_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Who feeds us the message. Its end of the pipe closes in the same way when the message is over
 * and when it has died, at whatever moment, also before our first instruction: only where it
 * still lives when the end comes is the message whole.
 */
#define MXG_LDA_FELLOWS_MAX 16
#define MXG_LDA_CHILDREN_MAX 1024

/* Whether the init process (PID 1, or what adopts orphans in its place) is the feeder itself. */
enum mxg_lda_init { MXG_LDA_INIT_TELL, MXG_LDA_INIT_FEEDS, MXG_LDA_INIT_ADOPTS };

struct mxg_lda_feeder {
	pid_t parent; /* or, behind a shell that it has started, whoever did */
	pid_t behind; /* whoever has started the parent, if that may be a program in between; 0: nobody is watched */
	int pidfd; /* the parent's; -1: the kernel has none */
	bool lost; /* it had died before we could look */
	bool guarded; /* our own parent is the guard, which outlives it */
	bool between; /* a shell or the like stands between it and us */
	bool far; /* there are too many of them to be followed */
	bool adopted; /* that shell may have lost whoever had started it */
	bool outside; /* it is of another PID namespace */
	bool opensmtpd; /* its first process has started us, and another one writes */
	pid_t fellows[MXG_LDA_FELLOWS_MAX]; /* OpenSMTPD's other processes, one of which holds the pipe */
	size_t fellow_count;
	pid_t self, children[MXG_LDA_CHILDREN_MAX]; /* whoever has become us had started them; they may feed */
	size_t child_count;
	bool short_handed; /* the one that wrote may have died before we looked: its parent then ends, too */
};

/* As early as the descriptors are in order, and before a fork of our own. */
void mxg_lda_feeder_open(struct mxg_lda_feeder *feeder);
/* What the administrator, or else what can be seen, says of an init process that is our parent. */
void mxg_lda_feeder_judge(struct mxg_lda_feeder *feeder, enum mxg_lda_init init);
/* After the end of the input was read. */
bool mxg_lda_feeder_lives(const struct mxg_lda_feeder *feeder);

#endif
