/* Everything in libc that asks for a name, and questions written by hand. */
#include "doors.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define ASKED WEB_NAME

static unsigned char answer[2048];

static int of_list(int err, struct addrinfo *list)
{
	if (err == 0)
		freeaddrinfo(list);
	return DOOR_ANSWERED;
}

static int gai(char **args)
{
	struct addrinfo *list = NULL;

	(void)args;
	return of_list(getaddrinfo(ASKED, "80", NULL, &list), list);
}

static int gai6(char **args)
{
	struct addrinfo hints = { .ai_family = AF_INET6, .ai_flags = AI_ALL | AI_V4MAPPED };
	struct addrinfo *list = NULL;

	(void)args;
	return of_list(getaddrinfo(ASKED, NULL, &hints, &list), list);
}

static int gai_unknown(char **args)
{
	struct addrinfo *list = NULL;

	(void)args;
	return of_list(getaddrinfo("no-such-name.test", NULL, NULL, &list), list);
}

static int gai_later(char **args)
{
	struct gaicb cb = { .ar_name = ASKED };
	struct gaicb *all[] = { &cb };
	int err = getaddrinfo_a(GAI_WAIT, all, 1, NULL);

	(void)args;
	return of_list(err ? err : gai_error(&cb), cb.ar_result);
}

static int by_name(char **args)
{
	(void)args;
	gethostbyname(ASKED);
	return DOOR_ANSWERED;
}

static int by_name2(char **args)
{
	(void)args;
	gethostbyname2(ASKED, AF_INET6);
	return DOOR_ANSWERED;
}

static int by_name_r(char **args)
{
	struct hostent host, *res;
	char buf[1024];
	int herr;

	(void)args;
	gethostbyname_r(ASKED, &host, buf, sizeof(buf), &res, &herr);
	return DOOR_ANSWERED;
}

static int by_name2_r(char **args)
{
	struct hostent host, *res;
	char buf[1024];
	int herr;

	(void)args;
	gethostbyname2_r(ASKED, AF_INET, &host, buf, sizeof(buf), &res, &herr);
	return DOOR_ANSWERED;
}

static int by_addr(char **args)
{
	struct in_addr ip = { inet_addr(NOBODY4) };

	(void)args;
	gethostbyaddr(&ip, sizeof(ip), AF_INET);
	return DOOR_ANSWERED;
}

static int by_addr_r(char **args)
{
	struct hostent host, *res;
	struct in6_addr ip;
	char buf[1024];
	int herr;

	(void)args;
	inet_pton(AF_INET6, NOBODY6, &ip);
	gethostbyaddr_r(&ip, sizeof(ip), AF_INET6, &host, buf, sizeof(buf), &res, &herr);
	return DOOR_ANSWERED;
}

static int name_info(char **args)
{
	struct sockaddr_storage sa;
	socklen_t len = door_address(&sa, NOBODY4, 80);
	char host[256];

	(void)args;
	getnameinfo((struct sockaddr *)&sa, len, host, sizeof(host), NULL, 0, 0);
	return DOOR_ANSWERED;
}

static int net_by_name(char **args)
{
	(void)args;
	getnetbyname("no-such-net.test");
	return DOOR_ANSWERED;
}

static int net_by_addr(char **args)
{
	(void)args;
	getnetbyaddr(0xcb0071, AF_INET);
	return DOOR_ANSWERED;
}

static int query(char **args)
{
	(void)args;
	res_query(ASKED, C_IN, T_MX, answer, sizeof(answer));
	return DOOR_ANSWERED;
}

static int search(char **args)
{
	(void)args;
	res_search(ASKED, C_IN, T_TXT, answer, sizeof(answer));
	return DOOR_ANSWERED;
}

static int query_domain(char **args)
{
	(void)args;
	res_querydomain("web", "test", C_IN, T_A, answer, sizeof(answer));
	return DOOR_ANSWERED;
}

static int nquery(char **args)
{
	struct __res_state state = { 0 };

	(void)args;
	res_ninit(&state);
	res_nquery(&state, ASKED, C_IN, T_A, answer, sizeof(answer));
	res_nclose(&state);
	return DOOR_ANSWERED;
}

static int nsearch(char **args)
{
	struct __res_state state = { 0 };

	(void)args;
	res_ninit(&state);
	res_nsearch(&state, ASKED, C_IN, T_AAAA, answer, sizeof(answer));
	res_nclose(&state);
	return DOOR_ANSWERED;
}

/* A question in octets; returns its length. */
static int question(unsigned char *out, size_t cap)
{
	return res_mkquery(QUERY, ASKED, C_IN, T_A, NULL, 0, NULL, out, (int)cap);
}

static int send_made(char **args)
{
	unsigned char q[512];

	(void)args;
	res_send(q, question(q, sizeof(q)), answer, sizeof(answer));
	return DOOR_ANSWERED;
}

static int nsend_made(char **args)
{
	struct __res_state state = { 0 };
	unsigned char q[512];

	(void)args;
	res_ninit(&state);
	/* By streams, as after an answer that was cut. */
	state.options |= RES_USEVC;
	res_nsend(&state, q, question(q, sizeof(q)), answer, sizeof(answer));
	res_nclose(&state);
	return DOOR_ANSWERED;
}

static int by_hand(const char *server, int type)
{
	struct timeval patience = { .tv_sec = 2 };
	struct sockaddr_storage sa;
	socklen_t len = door_address(&sa, server, 53);
	int fd = socket(AF_INET, type, 0), n;
	unsigned char q[514];

	n = question(q + 2, sizeof(q) - 2);
	q[0] = (unsigned char)(n >> 8);
	q[1] = (unsigned char)n;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (type == SOCK_STREAM) {
		if (connect(fd, (struct sockaddr *)&sa, len) < 0 || write(fd, q, (size_t)n + 2) < 0)
			return -errno;
	} else if (sendto(fd, q + 2, (size_t)n, 0, (struct sockaddr *)&sa, len) < 0) {
		return -errno;
	}
	return door_end(recv(fd, answer, sizeof(answer), 0), DOOR_ANSWERED);
}

static int hand_udp(char **args)
{
	(void)args;
	return by_hand(NAMESERVER, SOCK_DGRAM);
}

static int hand_tcp(char **args)
{
	(void)args;
	return by_hand(NAMESERVER, SOCK_STREAM);
}

static int hand_resolved(char **args)
{
	(void)args;
	return by_hand("127.0.0.53", SOCK_DGRAM);
}

static int hand_udp_elsewhere(char **args)
{
	(void)args;
	return by_hand(NOBODY4, SOCK_DGRAM);
}

static int hand_tcp_elsewhere(char **args)
{
	(void)args;
	return by_hand(WEB4, SOCK_STREAM);
}

/* Remote shells, in libc to this day. */
static int remote_command(char **args)
{
	char name[] = ASKED, *host = name;

	(void)args;
	rcmd(&host, htons(514), "me", "you", "true", NULL);
	return DOOR_ANSWERED;
}

static int remote_exec(char **args)
{
	char name[] = ASKED, *host = name;

	(void)args;
	rexec(&host, htons(512), "me", "password", "true", NULL);
	return DOOR_ANSWERED;
}

/*
 * The name of the machine is asked for, unless /etc/hosts has it; ruserok() as a server asks about
 * its clients.
 */
static int host_id(char **args)
{
	(void)args;
	gethostid();
	return DOOR_ANSWERED;
}

static int remote_user(char **args)
{
	(void)args;
	ruserok(ASKED, 0, "you", "nobody");
	return DOOR_ANSWERED;
}

static int then_connect(char **args)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
	int fd, res;

	(void)args;
	if (getaddrinfo(ASKED, "80", &hints, &list) != 0)
		return -EHOSTUNREACH;
	fd = socket(list->ai_family, SOCK_STREAM, 0);
	res = connect(fd, list->ai_addr, list->ai_addrlen);
	freeaddrinfo(list);
	return door_fetch(fd, res);
}

const struct door doors_names[] = {
	{ "getaddrinfo", gai, ALL_ASK, DOOR_ANSWERED, NULL },
	{ "getaddrinfo-ipv6", gai6, ALL_ASK, DOOR_ANSWERED, NULL },
	{ "getaddrinfo-unknown", gai_unknown, ALL_ASK, DOOR_ANSWERED, NULL },
	{ "getaddrinfo_a", gai_later, ALL_ASK, DOOR_ANSWERED, NULL },
	{ "getaddrinfo-and-connect", then_connect, ALL_ASK, DOOR_THROUGH, NULL },
	{ "gethostbyname", by_name, ALL_ASK, DOOR_ANSWERED, NULL },
	{ "gethostbyname2", by_name2, ALL_ASK, DOOR_ANSWERED, NULL },
	{ "gethostbyname_r", by_name_r, ALL_ASK, DOOR_ANSWERED, NULL },
	{ "gethostbyname2_r", by_name2_r, ALL_ASK, DOOR_ANSWERED, NULL },
	{ "gethostbyaddr", by_addr, ALL_ASK, DOOR_ANSWERED, NULL },
	{ "gethostbyaddr_r", by_addr_r, ALL_ASK, DOOR_ANSWERED, NULL },
	{ "getnameinfo", name_info, ALL_ASK, DOOR_ANSWERED, NULL },
	/* Of networks libc asks only where nsswitch.conf says so. */
	{ "getnetbyname", net_by_name, SENDS_NOTHING, DOOR_ANSWERED, NULL },
	{ "getnetbyaddr", net_by_addr, SENDS_NOTHING, DOOR_ANSWERED, NULL },
	{ "res_query", query, ALL_ASK, DOOR_ANSWERED, NULL },
	{ "res_search", search, ALL_ASK, DOOR_ANSWERED, NULL },
	{ "res_querydomain", query_domain, ALL_ASK, DOOR_ANSWERED, NULL },
	{ "res_send", send_made, ALL_ASK, DOOR_ANSWERED, NULL },
	{ "res_nquery", nquery, ALL_ASK, DOOR_ANSWERED, NULL },
	{ "res_nsearch", nsearch, ALL_ASK, DOOR_ANSWERED, NULL },
	{ "res_nsend", nsend_made, ALL_ASK, DOOR_ANSWERED, NULL },
	{ "question-by-hand", hand_udp, ALL_ASK, DOOR_ANSWERED, NULL },
	/* systemd's stub, which would ask in turn. */
	{ "question-to-resolved", hand_resolved, SENDS_NOTHING, DOOR_ANSWERED, NULL },
	{ "question-by-hand-and-tcp", hand_tcp, ALL_ASK, DOOR_ANSWERED, NULL },
	{ "question-to-another-server", hand_udp_elsewhere, ALL_ASK, -EACCES, NULL },
	{ "question-to-another-server-and-tcp", hand_tcp_elsewhere, ALL_ASK, DOOR_ANY_ERROR, NULL },
	{ "rcmd", remote_command, ALL_ASK, DOOR_ANSWERED, NULL },
	{ "rexec", remote_exec, ALL_ASK, DOOR_ANSWERED, NULL },
	{ "ruserok", remote_user, ALL_ASK, DOOR_ANSWERED, NULL },
	{ "gethostid", host_id, ALL_ASK, DOOR_ANSWERED, "unnamed" },
	{ NULL, NULL, SENDS_NOTHING, 0, NULL },
};
