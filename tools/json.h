/* SPDX-License-Identifier: MIT */
#ifndef MXG_JSON_H
#define MXG_JSON_H

#include <jansson.h>
#include <stdint.h>

/* jansson refuses strings that are not UTF-8 and then loses the whole object; what comes
 * from outside goes through these. */
json_t *mxg_json_text(const char *text); /* NULL or "": null; broken bytes as \xHH */
json_t *mxg_json_time(int64_t time); /* RFC 3339; 0: null */
json_t *mxg_json_alarms(unsigned alarms); /* an array of names */
/* One object a line on stdout; takes the reference. 0, or -1. */
int mxg_json_print(json_t *object);

#endif
