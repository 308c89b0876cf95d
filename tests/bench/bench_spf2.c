/* SPDX-License-Identifier: MIT */
/* bench-spf2 resolv|cache DOMAIN PEER SECONDS: the same evaluation by libspf2, once a turn, with the
 * system's resolver; "cache" is libspf2's own, in the process. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <time.h>

#include <spf2/spf.h>

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static SPF_result_t evaluate(SPF_server_t *server, const char *sender, const char *peer)
{
	SPF_response_t *response = NULL;
	SPF_request_t *request = SPF_request_new(server);
	SPF_request_set_ipv4_str(request, peer);
	SPF_request_set_env_from(request, sender);
	SPF_request_query_mailfrom(request, &response);
	SPF_result_t result = SPF_response_result(response);
	SPF_response_free(response);
	SPF_request_free(request);
	return result;
}

int main(int argc, char **argv)
{
	char sender[300];
	if (argc != 5)
		return 64;
	SPF_server_t *server = SPF_server_new(strcmp(argv[1], "cache") == 0 ? SPF_DNS_CACHE : SPF_DNS_RESOLV, 0);
	snprintf(sender, sizeof(sender), "a@%.250s", argv[2]);
	double begin = seconds(), end = begin + atof(argv[4]);
	long done = 0;
	for (; seconds() < end; done++) {
		SPF_result_t result = evaluate(server, sender, argv[3]);
		if (result != SPF_RESULT_PASS) {
			fprintf(stderr, "libspf2: %s\n", SPF_strresult(result));
			return 1;
		}
	}
	printf("%.0f\n", (double)done / (seconds() - begin));
	SPF_server_free(server);
	return 0;
}
