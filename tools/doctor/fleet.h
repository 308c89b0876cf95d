/* SPDX-License-Identifier: MIT */
#ifndef MXG_FLEET_H
#define MXG_FLEET_H

#include "finding.h"

/* What `doctor --json` said on several hosts: where they differ, and who from whom. "-" is standard input. */
void mxg_doctor_fleet(struct mxg_findings *findings, char **files, size_t count);

#endif
