/* SPDX-License-Identifier: MIT */
#include "late_library.h"

#include <dlfcn.h>
#include <string.h>

/* NULL: only whether all are there. */
static bool look_up(void *library, const char *const *names, char *pointers)
{
	for (size_t i = 0; names[i] != NULL; i++) {
		void *function = dlsym(library, names[i]);
		if (function == NULL)
			return false;
		if (pointers != NULL)
			memcpy(pointers + i * sizeof(function), &function, sizeof(function));
	}
	return true;
}

bool mxg_late_library(const char *const *sonames, const char *const *names, void *pointers)
{
	void *library = NULL;
	while (library == NULL && *sonames != NULL)
		library = dlopen(*sonames++, RTLD_NOW | RTLD_LOCAL);
	return library != NULL && look_up(library, names, NULL) && look_up(library, names, pointers);
}
