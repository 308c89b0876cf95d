/* SPDX-License-Identifier: MIT */
/* Fetches MTA-STS policies (RFC 8461 §3.3): by HTTPS with a certificate that is vouched for, from the
 * addresses that our own questions gave, following nothing. */
#define CURL_DISABLE_TYPECHECK /* its macros know no other way to call a function than by its name */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "audit/sts.h"
#include "late_library.h"

#define POLICY_MOST 65536 /* bytes */
#define SECONDS 15L
#define AT_A_TIME 16L
#define ADDRESSES_MOST 8

#define FUNCTIONS(F) \
	F(curl_global_init) \
	F(curl_global_cleanup) \
	F(curl_easy_init) \
	F(curl_easy_cleanup) \
	F(curl_easy_setopt) \
	F(curl_easy_getinfo) \
	F(curl_easy_strerror) \
	F(curl_multi_init) \
	F(curl_multi_cleanup) \
	F(curl_multi_setopt) \
	F(curl_multi_add_handle) \
	F(curl_multi_remove_handle) \
	F(curl_multi_poll) \
	F(curl_multi_perform) \
	F(curl_multi_info_read) \
	F(curl_slist_append) \
	F(curl_slist_free_all)

static struct {
	FUNCTIONS(MXG_LATE_POINTER)
} lib;

struct policy {
	struct mxg_asking asking; /* first: the one is the other */
	struct mxg_policies *all;
	struct mxg_audit_job *job;
	struct mxg_name host;
	struct mxg_address addresses[ADDRESSES_MOST];
	size_t count;
	CURL *curl;
	struct curl_slist *resolve;
	size_t len;
	char text[POLICY_MOST];
};

struct mxg_policies {
	struct mxg_audit *audit;
	CURLM *curl; /* NULL: there is no libcurl */
	size_t open;
};

static void finish(struct policy *p, const char *trouble)
{
	if (trouble != NULL)
		mxg_audit_failed_text(p->job->audit, "the MTA-STS policy of %s: %s", p->job->domain, trouble);
	if (p->curl != NULL) {
		lib.curl_multi_remove_handle(p->all->curl, p->curl);
		lib.curl_easy_cleanup(p->curl);
		p->all->open--;
	}
	lib.curl_slist_free_all(p->resolve);
	mxg_audit_names_ask(p->job);
	p->job->pending--;
	free(p);
}

/* ---- by HTTPS --------------------------------------------------------------------------------------- */

static size_t take_bytes(char *bytes, size_t one, size_t count, void *to)
{
	struct policy *p = to;
	if (count > sizeof(p->text) - p->len)
		return 0;
	memcpy(p->text + p->len, bytes, count);
	p->len += count;
	return one * count;
}

/* "mta-sts.example.com:443:192.0.2.1,[2001:db8::1]" */
static bool set_addresses(struct policy *p, const char *host)
{
	char line[MXG_NAME_TEXT_MAX + 16 + ADDRESSES_MOST * (MXG_ADDRESS_TEXT_MAX + 3)], text[MXG_ADDRESS_TEXT_MAX];
	int at = snprintf(line, sizeof(line), "%s:443:", host);
	for (size_t i = 0; i < p->count; i++)
		at += snprintf(line + at, sizeof(line) - (size_t)at, p->addresses[i].family == 6 ? "%s[%s]" : "%s%s",
			       i == 0 ? "" : ",", mxg_address_format(&p->addresses[i], text));
	p->resolve = lib.curl_slist_append(NULL, line);
	return p->resolve != NULL && lib.curl_easy_setopt(p->curl, CURLOPT_RESOLVE, p->resolve) == CURLE_OK;
}

static bool set_options(struct policy *p, const char *url)
{
	return lib.curl_easy_setopt(p->curl, CURLOPT_URL, url) == CURLE_OK &&
	       lib.curl_easy_setopt(p->curl, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
	       lib.curl_easy_setopt(p->curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	       lib.curl_easy_setopt(p->curl, CURLOPT_TIMEOUT, SECONDS) == CURLE_OK &&
	       lib.curl_easy_setopt(p->curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       lib.curl_easy_setopt(p->curl, CURLOPT_WRITEFUNCTION, take_bytes) == CURLE_OK &&
	       lib.curl_easy_setopt(p->curl, CURLOPT_WRITEDATA, p) == CURLE_OK &&
	       lib.curl_easy_setopt(p->curl, CURLOPT_PRIVATE, p) == CURLE_OK;
}

static void fetch(struct policy *p)
{
	char host[MXG_NAME_TEXT_MAX], url[MXG_NAME_TEXT_MAX + 64];
	mxg_name_format(&p->host, host);
	snprintf(url, sizeof(url), "https://%s/.well-known/mta-sts.txt", host);
	p->curl = lib.curl_easy_init();
	if (p->curl == NULL) {
		finish(p, "no memory");
		return;
	}
	p->all->open++;
	if (!set_options(p, url) || !set_addresses(p, host) ||
	    lib.curl_multi_add_handle(p->all->curl, p->curl) != CURLM_OK)
		finish(p, "it cannot be asked for");
}

static void fetched(struct policy *p, CURLcode result)
{
	long status = 0;
	char trouble[64];
	lib.curl_easy_getinfo(p->curl, CURLINFO_RESPONSE_CODE, &status);
	if (result != CURLE_OK) {
		finish(p, lib.curl_easy_strerror(result));
	} else if (status != 200) {
		snprintf(trouble, sizeof(trouble), "the server answers %ld", status);
		finish(p, trouble);
	} else {
		finish(p, mxg_sts_take(p->job, p->text, p->len) ? NULL : "what the server has is no policy");
	}
}

bool mxg_policies_step(struct mxg_policies *all, int wait_ms)
{
	const CURLMsg *message;
	int running, left;
	if (all->open == 0)
		return false;
	if (wait_ms > 0)
		lib.curl_multi_poll(all->curl, NULL, 0, wait_ms, NULL);
	lib.curl_multi_perform(all->curl, &running);
	while ((message = lib.curl_multi_info_read(all->curl, &left)) != NULL) {
		struct policy *p = NULL;
		CURLcode result = message->data.result;
		if (message->msg == CURLMSG_DONE &&
		    lib.curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&p) == CURLE_OK && p != NULL)
			fetched(p, result);
	}
	return true;
}

/* ---- where it is ------------------------------------------------------------------------------------- */

static void on_address(struct mxg_asking *asking, const struct mxg_question *q, const struct mxg_reply *reply)
{
	struct policy *p = (struct policy *)asking;
	struct mxg_question next = { .name = q->name, .type = MXG_DNS_AAAA };
	const uint8_t *item;
	size_t at = 0, len;
	if (reply->kind == MXG_ANSWER_FAILED)
		mxg_audit_failed(p->job->audit, q, reply);
	while (reply->kind == MXG_ANSWER_RECORDS && p->count < ADDRESSES_MOST &&
	       mxg_rrset_next(reply->records.data, reply->records.size, &at, &item, &len))
		mxg_address_from_bytes(&p->addresses[p->count++], len == 4 ? 4 : 6, item);
	if (q->type == MXG_DNS_A)
		mxg_asker_ask(p->job->audit->asker, &next, MXG_ASKER_DROP, &p->asking);
	else if (p->count > 0)
		fetch(p);
	else
		finish(p, "mta-sts has no address");
}

void mxg_policies_want(struct mxg_policies *all, struct mxg_audit_job *job)
{
	struct policy *p = calloc(1, sizeof(*p));
	struct mxg_question q = { .type = MXG_DNS_A };
	if (all->curl == NULL) {
		free(p);
		mxg_audit_failed_text(job->audit, "the MTA-STS policy of %s: libcurl is not installed", job->domain);
		return;
	}
	if (p == NULL || !mxg_audit_name_below(&q.name, "mta-sts", &job->name)) {
		job->audit->nomem |= p == NULL;
		free(p);
		return;
	}
	*p = (struct policy){ .asking.done = on_address, .all = all, .job = job, .host = q.name };
	job->pending++;
	mxg_asker_ask(job->audit->asker, &q, MXG_ASKER_DROP, &p->asking);
}

static bool load(void)
{
	static const char *const sonames[] = { "libcurl.so.4", "libcurl-gnutls.so.4", NULL };
	static const char *const names[] = { FUNCTIONS(MXG_LATE_NAME) NULL };
	return mxg_late_library(sonames, names, &lib) && lib.curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

struct mxg_policies *mxg_policies_new(struct mxg_audit *audit)
{
	struct mxg_policies *all = calloc(1, sizeof(*all));
	if (all == NULL)
		return NULL;
	*all = (struct mxg_policies){ .audit = audit, .curl = load() ? lib.curl_multi_init() : NULL };
	if (all->curl != NULL)
		lib.curl_multi_setopt(all->curl, CURLMOPT_MAX_TOTAL_CONNECTIONS, AT_A_TIME);
	return all;
}

void mxg_policies_free(struct mxg_policies *all)
{
	if (all != NULL && all->curl != NULL) {
		lib.curl_multi_cleanup(all->curl);
		lib.curl_global_cleanup();
	}
	free(all);
}
