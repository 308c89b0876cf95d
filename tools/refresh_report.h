/* SPDX-License-Identifier: MIT */
#ifndef MXG_REFRESH_REPORT_H
#define MXG_REFRESH_REPORT_H

#include <jansson.h>

#include "refresh.h"
#include "refresh_publish.h"

struct mxg_refresh_figures {
	size_t domains, questions, failures, alarms, held, changed, self;
};
void mxg_refresh_count(const struct mxg_refresh *run, struct mxg_refresh_figures *figures);
/* Before anything takes effect: alarms, failures, what is asked live, what names this server. */
void mxg_refresh_print_found(const struct mxg_refresh *run, const struct mxg_refresh_figures *figures);
void mxg_refresh_print_sum(const struct mxg_refresh *run, const struct mxg_refresh_figures *figures);
/* error NULL: the snapshot was written. */
void mxg_refresh_print_json(const struct mxg_refresh *run, const struct mxg_refresh_figures *figures,
			    const struct mxg_published *published, const char *error);
json_t *mxg_alarm_json(const struct mxg_item *item);

#endif
