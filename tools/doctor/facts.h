/* SPDX-License-Identifier: MIT */
#ifndef MXG_FACTS_H
#define MXG_FACTS_H

#include <jansson.h>

#include "doctor.h"

/* What hosts of a fleet should have in common. */
enum mxg_fact {
	MXG_FACT_GATEWAYS, /* who is one: terms and conditions */
	MXG_FACT_CONFIGURATION, /* what a snapshot must hold */
	MXG_FACT_SETTINGS, /* what else decides */
	MXG_FACT_GENERATION, /* of the snapshot */
	MXG_FACT_VERSION,
	MXG_FACT_DOVECOT,
	MXG_FACT_POSTFIX,
	MXG_FACT_EXIM,
	MXG_FACT_COUNT
};

extern const char *const mxg_fact_keys[MXG_FACT_COUNT]; /* in JSON */

/* Adds what this host would say in a fleet: a finding that is well, with the object that `doctor --fleet` reads. */
void mxg_doctor_facts(struct mxg_doctor *doctor);

#endif
