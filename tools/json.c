/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <stdio.h>
#include <string.h>

#include "base/neuter.h"
#include "snapshot/format.h"
#include "text.h"

json_t *mxg_json_text(const char *text)
{
	char clean[4096];
	if (text == NULL || text[0] == '\0')
		return json_null();
	json_t *s = json_string(text);
	if (s != NULL)
		return s;
	mxg_neuter(clean, sizeof(clean), text, strlen(text), "");
	return json_string(clean);
}

json_t *mxg_json_time(int64_t time)
{
	char buf[MXG_TIME_MAX];
	return time == 0 ? json_null() : json_string(mxg_time_format(time, buf));
}

int mxg_json_print(json_t *object)
{
	int result = object == NULL ? -1 : json_dumpf(object, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(object);
	putchar('\n');
	return result;
}

json_t *mxg_json_alarms(unsigned alarms)
{
	json_t *names = json_array();
	for (unsigned i = 0; i < MXG_ALARM_KINDS; i++)
		if ((alarms & 1u << i) != 0)
			json_array_append_new(names, json_string(mxg_alarm_name(1u << i)));
	return names;
}
