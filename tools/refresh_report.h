/* SPDX-License-Identifier: MIT */
#ifndef MXG_REFRESH_REPORT_H
#define MXG_REFRESH_REPORT_H

#include <jansson.h>

#include "refresh.h"
#include "refresh_publish.h"

void mxg_refresh_count(const struct mxg_refresh *run, struct mxg_refresh_figures *figures);
/* Before anything takes effect: alarms, failures, what is asked live, what names this server. */
void mxg_refresh_print_found(const struct mxg_refresh *run, const struct mxg_refresh_figures *figures);
/* written: a snapshot was. */
void mxg_refresh_print_sum(const struct mxg_refresh *run, const struct mxg_refresh_figures *figures, bool written);
struct mxg_refresh_told {
	bool written;
	const char *error; /* NULL: none */
	const struct mxg_published *published;
};
void mxg_refresh_print_json(const struct mxg_refresh *run, const struct mxg_refresh_figures *figures,
			    const struct mxg_refresh_told *told);
json_t *mxg_alarm_json(const struct mxg_item *item);

#endif
