/* SPDX-License-Identifier: MIT */
#ifndef MXG_REPORT_JOURNAL_EXPORT_H
#define MXG_REPORT_JOURNAL_EXPORT_H

#include <stdbool.h>
#include <stdio.h>

/* What journalctl -o export writes, and what systemd-journal-remote is sent. */
#define MXG_JOURNAL_EXPORT_BEGINS "__CURSOR="

/* Writes each entry as one line, as journalctl -o json does, with those of its fields that tell of a decision. False:
 * it is cut or damaged, or cannot be written. */
bool mxg_journal_export_lines(FILE *from, FILE *to);

#endif
