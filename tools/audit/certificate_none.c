/* SPDX-License-Identifier: MIT */
#include "audit/certificate.h"

#include <stdio.h>

bool mxg_certificate_names(const char *path, void (*name)(void *to, const char *text), void *to, char *why, size_t size)
{
	(void)path;
	(void)name;
	(void)to;
	snprintf(why, size, "this mxguard was built without OpenSSL");
	return false;
}
