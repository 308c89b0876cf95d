/* SPDX-License-Identifier: MIT */
#ifndef MXG_EXPORT_DOMAINS_H
#define MXG_EXPORT_DOMAINS_H

#include "export_format.h"

/* The forms that keep domains apart; each is a write() of an export format. */
bool mxg_export_postfix_domains(const struct mxg_export *what, FILE *to);
bool mxg_export_exim_domains(const struct mxg_export *what, FILE *to);
bool mxg_export_exim_cdb(const struct mxg_export *what, FILE *to);

#endif
