/*
 * mail DOMAIN: where is its mail to be brought, as a mail server asks: MX by res_search(), and
 * where there is none the address of the domain itself, by res_nquery() and by getaddrinfo().
 */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>

static const char *told(void)
{
	switch (h_errno) {
	case HOST_NOT_FOUND:
		return "HOST_NOT_FOUND";
	case NO_DATA:
		return "NO_DATA";
	case TRY_AGAIN:
		return "TRY_AGAIN";
	case NO_RECOVERY:
		return "NO_RECOVERY";
	default:
		return "?";
	}
}

/* The records of a type, each in libc's own words. Returns how many. */
static int tell(const unsigned char *answer, int len, ns_type type)
{
	char host[NS_MAXDNAME], address[INET6_ADDRSTRLEN];
	ns_msg msg;
	ns_rr rr;
	int n = 0;

	if (len < 0 || ns_initparse(answer, len, &msg) < 0)
		return 0;
	for (int i = 0; i < ns_msg_count(msg, ns_s_an); i++) {
		if (ns_parserr(&msg, ns_s_an, i, &rr) < 0 || ns_rr_type(rr) != type)
			continue;
		n++;
		if (type == ns_t_mx &&
		    dn_expand(answer, answer + len, ns_rr_rdata(rr) + 2, host, sizeof(host)) >= 0)
			printf("mx %u %s\n", ns_get16(ns_rr_rdata(rr)), host);
		else
			printf("a %s\n",
			       inet_ntop(AF_INET, ns_rr_rdata(rr), address, sizeof(address)));
	}
	return n;
}

int main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *list;
	unsigned char answer[4096];
	struct __res_state state;
	char address[INET6_ADDRSTRLEN];
	int len, err;

	if (argc != 2)
		return 2;
	len = res_search(argv[1], ns_c_in, ns_t_mx, answer, sizeof(answer));
	if (len < 0)
		printf("mx %s\n", told());
	tell(answer, len, ns_t_mx);

	memset(&state, 0, sizeof(state));
	if (res_ninit(&state) < 0)
		return 1;
	len = res_nquery(&state, argv[1], ns_c_in, ns_t_a, answer, sizeof(answer));
	if (len < 0)
		printf("a %s\n", told());
	tell(answer, len, ns_t_a);
	res_nclose(&state);

	err = getaddrinfo(argv[1], NULL, &hints, &list);
	if (err != 0) {
		printf("address %s\n", gai_strerror(err));
		return 0;
	}
	printf("address %s\n", inet_ntop(AF_INET, &((struct sockaddr_in *)list->ai_addr)->sin_addr,
	                                 address, sizeof(address)));
	freeaddrinfo(list);
	return 0;
}
