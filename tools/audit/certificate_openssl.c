/* SPDX-License-Identifier: MIT */
#include "audit/certificate.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/text_file.h"
#include "late_library.h"

#define NAMES_MOST 1000

#define FUNCTIONS(F) \
	F(ASN1_STRING_get0_data) \
	F(ASN1_STRING_length) \
	F(BIO_free) \
	F(BIO_new_mem_buf) \
	F(GENERAL_NAMES_free) \
	F(OPENSSL_sk_num) \
	F(OPENSSL_sk_value) \
	F(PEM_read_bio_X509) \
	F(X509_NAME_ENTRY_get_data) \
	F(X509_NAME_get_entry) \
	F(X509_NAME_get_index_by_NID) \
	F(X509_free) \
	F(X509_get_ext_d2i) \
	F(X509_get_subject_name)

static struct {
	FUNCTIONS(MXG_LATE_POINTER)
} lib;

#define STRING(text) STRING_OF(text)
#define STRING_OF(text) #text

static bool load(void)
{
	static const char *const sonames[] = { "libcrypto.so." STRING(OPENSSL_SHLIB_VERSION), NULL };
	static const char *const names[] = { FUNCTIONS(MXG_LATE_NAME) NULL };
	return lib.X509_free != NULL || mxg_late_library(sonames, names, &lib);
}

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
	const X509_NAME *subject = lib.X509_get_subject_name(certificate);
	for (int at = -1; (at = lib.X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;) {
		const ASN1_STRING *value = lib.X509_NAME_ENTRY_get_data(lib.X509_NAME_get_entry(subject, at));
		tell(telling, lib.ASN1_STRING_get0_data(value), lib.ASN1_STRING_length(value));
	}
}

static void tell_alternative_names(const struct telling *telling, const X509 *certificate)
{
	GENERAL_NAMES *names = lib.X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; i < lib.OPENSSL_sk_num((const OPENSSL_STACK *)names) && i < NAMES_MOST; i++) {
		const GENERAL_NAME *name = lib.OPENSSL_sk_value((const OPENSSL_STACK *)names, i);
		if (name->type == GEN_DNS)
			tell(telling, lib.ASN1_STRING_get0_data(name->d.dNSName),
			     lib.ASN1_STRING_length(name->d.dNSName));
	}
	lib.GENERAL_NAMES_free(names);
}

bool mxg_certificate_names(const char *path, void (*name)(void *to, const char *text), void *to, char *why, size_t size)
{
	struct telling telling = { name, to };
	char *text = load() ? mxg_text_file(path) : NULL;
	if (lib.X509_free == NULL) {
		snprintf(why, size, "libcrypto of OpenSSL is not installed");
		return false;
	}
	if (text == NULL) {
		snprintf(why, size, "%s", strerror(errno));
		return false;
	}
	BIO *bio = lib.BIO_new_mem_buf(text, (int)strlen(text));
	X509 *certificate = bio == NULL ? NULL : lib.PEM_read_bio_X509(bio, NULL, NULL, NULL);
	if (certificate != NULL) {
		tell_common_name(&telling, certificate);
		tell_alternative_names(&telling, certificate);
	} else {
		snprintf(why, size, "there is no certificate in it");
	}
	bool ok = certificate != NULL;
	lib.X509_free(certificate);
	lib.BIO_free(bio);
	free(text);
	return ok;
}
