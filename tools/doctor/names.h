/* SPDX-License-Identifier: MIT */
#ifndef MXG_NAMES_H
#define MXG_NAMES_H

#include "doctor.h"

/*
 * Domains by which a host outside can reach mailboxes of the domains that are guarded, though
 * `domains` does not have them, or under a mode that is milder than a guarded domain's.
 */
struct mxg_other_names {
	struct mxg_doctor *doctor;
	char text[512]; /* those that are to be told, as far as there is room */
	size_t count, told;
};

/* Looks at one name; what is no domain name is passed over. */
void mxg_other_names_add(struct mxg_other_names *names, const char *name);
/* One finding for all of them; `where` is the setting that lets them in. */
/* domains_command is set, and no refresh has kept what it prints: nobody knows what is ours. */
bool mxg_doctor_lacks_list(const struct mxg_doctor *doctor);
void mxg_other_names_tell(const struct mxg_other_names *names, const char *check, const char *where);

/* A domain whose mode is stricter than this one, or NULL. */
const char *mxg_other_names_stricter(const struct mxguard_policy *policy, enum mxguard_mode mode);

#endif
