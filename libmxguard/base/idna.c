/* SPDX-License-Identifier: MIT */
#include "base/idna.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"

/* idn2.h: IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL */
#define FLAGS (1 | 16)
#define SONAME "libidn2.so.0"

typedef int lookup_function(const char *input, char **output, int flags);
typedef void free_function(void *pointer);

static bool convert(void *library, char out[256], const char *name)
{
	lookup_function *lookup = NULL;
	free_function *release = NULL;
	char *ascii = NULL;
	/* POSIX's own way to get a function from dlsym() */
	*(void **)&lookup = dlsym(library, "idn2_to_ascii_8z");
	*(void **)&release = dlsym(library, "idn2_free");
	if (lookup == NULL || release == NULL || lookup(name, &ascii, FLAGS) != 0)
		return false;
	bool fits = strlen(ascii) < 256;
	if (fits)
		memcpy(out, ascii, strlen(ascii) + 1);
	release(ascii);
	return fits;
}

bool mxg_idna_to_ascii(char out[256], const char *name, size_t len)
{
	char copy[1024];
	if (mxg_ascii_is_all(name, len) || len >= sizeof(copy) || memchr(name, '\0', len) != NULL)
		return false;
	memcpy(copy, name, len);
	copy[len] = '\0';
	void *library = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);
	if (library == NULL)
		return false;
	bool done = convert(library, out, copy);
	dlclose(library);
	return done;
}

bool mxg_idna_present(void)
{
	void *library = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);
	if (library == NULL)
		return false;
	dlclose(library);
	return true;
}
