/* SPDX-License-Identifier: MIT */
#ifndef MXG_TRAP_TEACHER_H
#define MXG_TRAP_TEACHER_H

#include "entry.h"

/* Hands one copy to the program that learns from it. */
struct mxg_trap_teacher {
	const char *const *argv;
	bool forgives; /* it knows what it has learned already: twice is no harm */
	long timeout; /* seconds */
};

/* to: rspamc, sa-learn, bogofilter, or a line for sh(1), which `line` then holds. */
void mxg_trap_teacher_choose(struct mxg_trap_teacher *teacher, const char *to, const char *line[4]);

enum mxg_trap_taught {
	MXG_TRAP_FED,
	MXG_TRAP_FAILED, /* the program says that it has not learned it: it is new again */
	MXG_TRAP_DOUBTFUL, /* handed over once, and nobody knows what became of it */
	MXG_TRAP_ELSEWHERE, /* another run has it in its hands */
	MXG_TRAP_UNREADABLE
};

/*
 * fd: the open copy, locked, standing where the message begins. It is marked busy on disk before the
 * program begins, and what came of it is noted by a process of its own: so whoever is killed, no copy
 * that is not known to be unlearned is handed out again.
 */
enum mxg_trap_taught mxg_trap_teach(const struct mxg_trap_teacher *teacher, const struct mxg_trap_folder *folder,
				    const struct mxg_trap_entry *entry, int fd);

#endif
