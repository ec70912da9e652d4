/* Options of sockets that would send a packet, or open a door beside connect(). */
#include "alone.h"
#include "under.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOOPBACK_INDEX 1
#define FLOWLABEL_MGR  32 /* glibc's headers don't have it */

enum how { BY_ROUTE, BY_LOOPBACK, N_HOWS };

static const struct way {
	int family, level, name;
} ways[] = {
	{ AF_INET, IPPROTO_IP, IP_ADD_MEMBERSHIP },
	{ AF_INET, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP },
	{ AF_INET, IPPROTO_IP, MCAST_JOIN_GROUP },
	{ AF_INET, IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP },
	{ AF_INET6, IPPROTO_IP, IP_ADD_MEMBERSHIP },
	{ AF_INET6, IPPROTO_IPV6, IPV6_JOIN_GROUP },
	{ AF_INET6, IPPROTO_IPV6, MCAST_JOIN_GROUP },
	{ AF_INET6, IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP },
};

#define N_WAYS ((int)(sizeof(ways) / sizeof(ways[0])))

static void put_address(struct sockaddr_storage *ss, int level, const char *v4, const char *v6)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;
	struct sockaddr_in *in = (struct sockaddr_in *)ss;

	ss->ss_family = level == IPPROTO_IP ? AF_INET : AF_INET6;
	if (level == IPPROTO_IP)
		inet_pton(AF_INET, v4, &in->sin_addr);
	else
		inet_pton(AF_INET6, v6, &in6->sin6_addr);
}

/* 0 or errno. */
static int join(int fd, const struct way *w, enum how how, const char *v4, const char *v6)
{
	struct sockaddr_storage group = { 0 }, source = { 0 };
	struct in_addr local = { htonl(how == BY_LOOPBACK ? INADDR_LOOPBACK : INADDR_ANY) };
	uint32_t index = how == BY_LOOPBACK ? LOOPBACK_INDEX : 0;
	union {
		struct ip_mreqn mreq;
		struct ip_mreq_source source;
		struct ipv6_mreq ipv6;
		struct group_req group;
		struct group_source_req both;
	} u;
	socklen_t len;

	memset(&u, 0, sizeof(u));
	put_address(&group, w->level, v4, v6);
	put_address(&source, w->level, "127.0.0.1", "::1");
	if (w->level == IPPROTO_IP && w->name == IP_ADD_MEMBERSHIP) {
		u.mreq.imr_multiaddr = ((struct sockaddr_in *)&group)->sin_addr;
		u.mreq.imr_address = local;
		len = sizeof(struct ip_mreq);
	} else if (w->level == IPPROTO_IP && w->name == IP_ADD_SOURCE_MEMBERSHIP) {
		u.source.imr_multiaddr = ((struct sockaddr_in *)&group)->sin_addr;
		u.source.imr_interface = local;
		u.source.imr_sourceaddr.s_addr = htonl(INADDR_LOOPBACK);
		len = sizeof(u.source);
	} else if (w->level == IPPROTO_IPV6 && w->name == IPV6_JOIN_GROUP) {
		u.ipv6.ipv6mr_multiaddr = ((struct sockaddr_in6 *)&group)->sin6_addr;
		u.ipv6.ipv6mr_interface = index;
		len = sizeof(u.ipv6);
	} else {
		u.both.gsr_interface = index;
		u.both.gsr_group = group;
		u.both.gsr_source = source;
		len = w->name == MCAST_JOIN_GROUP ? sizeof(u.group) : sizeof(u.both);
	}
	errno = 0;
	return setsockopt(fd, w->level, w->name, &u, len) == 0 ? 0 : errno;
}

static int times_told(const char *text)
{
	FILE *f = fopen(getenv("SOCKSIFY_LOG_FILE"), "re");
	char line[512];
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += strstr(line, text) != NULL;
	if (f)
		fclose(f);
	return n;
}

START_TEST(a_group_is_joined_where_a_rule_says_so)
{
	const struct way *w = &ways[_i];
	int fd = socket(w->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return; /* a kernel without IPv6 */
	ck_assert_int_eq(join(fd, w, BY_ROUTE, "239.1.2.3", "ff15::3"), EACCES);
	ck_assert_int_ne(join(fd, w, BY_ROUTE, "239.7.2.3", "ff15::7"), EACCES);
	ck_assert_int_eq(times_told(w->level == IPPROTO_IP ? "239.1.2.3" : "ff15::3"), 1);
	close(fd);
}
END_TEST

START_TEST(on_loopback_any_group_is_joined)
{
	const struct way *w = &ways[_i];
	int fd = socket(w->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	ck_assert_int_ne(join(fd, w, BY_LOOPBACK, "239.1.2.3", "ff15::3"), EACCES);
	close(fd);
}
END_TEST

/* The kernel says what is wrong with them. */
START_TEST(what_is_no_join_is_the_kernels)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(join(fd, &ways[0], BY_ROUTE, "239.1.2.3", ""), EOPNOTSUPP);
	ck_assert_int_eq(join(-1, &ways[0], BY_ROUTE, "239.1.2.3", ""), EBADF);
	close(fd);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &(int){ 0 }, 4), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, NULL, 8), -1);
	ck_assert_int_eq(errno, EFAULT);
	close(fd);
}
END_TEST

static const int types[] = { SOCK_STREAM, SOCK_DGRAM };

/* The segments for the proxy would visit 203.0.113.66 first; and a datagram for loopback, too. */
START_TEST(a_socket_takes_no_source_route)
{
	static const uint8_t loose[] = { 1, 131, 7, 4, 203, 0, 113, 66 };
	static const uint8_t strict[] = { 137, 7, 4, 203, 0, 113, 66, 0 };
	static const uint8_t record[] = { 7, 7, 4, 0, 0, 0, 0, 0 };
	uint8_t v6[24] = { 0, 2, 2, 1 }, label[56] = { 0 };
	int fd = socket(AF_INET, types[_i] | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, loose, sizeof(loose)), -1);
	ck_assert_int_eq(errno, EACCES);
	ck_assert_int_eq(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, strict, sizeof(strict)), -1);
	ck_assert_int_eq(errno, EACCES);
#ifdef SYS_setsockopt
	ck_assert_int_eq(syscall(SYS_setsockopt, fd, IPPROTO_IP, IP_OPTIONS, loose, sizeof(loose)),
	                 -1);
	ck_assert_int_eq(errno, EACCES);
#endif
	ck_assert_int_ge(times_told("source route"), 1);
	ck_assert_int_le(times_told("source route"), _i + 1);
	ck_assert_int_eq(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, record, sizeof(record)), 0);
	ck_assert_int_eq(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, NULL, 0), 0);
	close(fd);
	fd = socket(AF_INET6, types[_i] | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	ck_assert_int_eq(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, loose, sizeof(loose)), -1);
	ck_assert_int_eq(errno, EACCES);
	ck_assert_int_eq(setsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, v6, sizeof(v6)), -1);
	ck_assert_int_eq(errno, EACCES);
	ck_assert_int_eq(setsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, NULL, 0), 0);
	/* A flow label's headers follow its request; a request alone is the kernel's. */
	ck_assert_int_eq(setsockopt(fd, IPPROTO_IPV6, FLOWLABEL_MGR, label, sizeof(label)), -1);
	ck_assert_int_eq(errno, EACCES);
	ck_assert_int_eq(setsockopt(fd, IPPROTO_IPV6, FLOWLABEL_MGR, label, 32), -1);
	ck_assert_int_ne(errno, EACCES);
	close(fd);
}
END_TEST

START_TEST(a_tcp_socket_stays_one)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	errno = 0;
	ck_assert_int_eq(setsockopt(fd, IPPROTO_TCP, TCP_ULP, "smc", 4), -1);
	ck_assert_int_eq(errno, ENOENT);
	close(fd);
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("sockopt");
	TCase *tc = tcase_create("sockopt");

	tcase_add_loop_test(tc, a_group_is_joined_where_a_rule_says_so, 0, N_WAYS);
	tcase_add_loop_test(tc, on_loopback_any_group_is_joined, 0, N_WAYS);
	tcase_add_test(tc, what_is_no_join_is_the_kernels);
	tcase_add_loop_test(tc, a_socket_takes_no_source_route, 0, 2);
	tcase_add_test(tc, a_tcp_socket_stays_one);
	suite_add_tcase(s, tc);
	return s;
}

int main(int argc, char **argv)
{
	static char log[] = "/tmp/socksify-sockopt.XXXXXX";
	int r;

	if (!under_is_second_run()) {
		if (!alone_begin()) {
			fprintf(stderr, "no namespaces of one's own here\n");
			return 77; /* meson's "skipped" */
		}
		if (close(mkstemp(log)) < 0)
			return 99;
		setenv("SOCKSIFY_LOG", "warn", 1);
		setenv("SOCKSIFY_LOG_FILE", log, 1);
		setenv("SOCKSIFY_NO_PROXY", "239.7.0.0/16, ff15::7", 1);
	}
	r = under_main(argc, argv, UNDER_IPV4, make);
	if (under_is_second_run())
		unlink(getenv("SOCKSIFY_LOG_FILE"));
	return r;
}
