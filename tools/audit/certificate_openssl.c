/* SPDX-License-Identifier: MIT */
#include "audit/certificate.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/text_file.h"

#define NAMES_MOST 1000

struct telling {
	void (*name)(void *to, const char *text);
	void *to;
};

static void tell(const struct telling *telling, const unsigned char *data, int len)
{
	char text[256];
	if (len <= 0 || len >= (int)sizeof(text) || memchr(data, '\0', (size_t)len) != NULL)
		return;
	memcpy(text, data, (size_t)len);
	text[len] = '\0';
	telling->name(telling->to, text);
}

static void tell_common_name(const struct telling *telling, const X509 *certificate)
{
	const X509_NAME *subject = X509_get_subject_name(certificate);
	for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;) {
		const ASN1_STRING *value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
		tell(telling, ASN1_STRING_get0_data(value), ASN1_STRING_length(value));
	}
}

static void tell_alternative_names(const struct telling *telling, const X509 *certificate)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; i < sk_GENERAL_NAME_num(names) && i < NAMES_MOST; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		if (name->type == GEN_DNS)
			tell(telling, ASN1_STRING_get0_data(name->d.dNSName), ASN1_STRING_length(name->d.dNSName));
	}
	GENERAL_NAMES_free(names);
}

bool mxg_certificate_names(const char *path, void (*name)(void *to, const char *text), void *to, char *why, size_t size)
{
	struct telling telling = { name, to };
	char *text = mxg_text_file(path);
	if (text == NULL) {
		snprintf(why, size, "%s", strerror(errno));
		return false;
	}
	BIO *bio = BIO_new_mem_buf(text, (int)strlen(text));
	X509 *certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
	if (certificate != NULL) {
		tell_common_name(&telling, certificate);
		tell_alternative_names(&telling, certificate);
	} else {
		snprintf(why, size, "there is no certificate in it");
	}
	bool ok = certificate != NULL;
	X509_free(certificate);
	BIO_free(bio);
	free(text);
	return ok;
}
