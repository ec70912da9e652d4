/*
 * getnameinfo() and gethostbyaddr() held to libc's own, in a network of the test's own: every
 * result, buffer and error that asks nobody is the same.
 */
#include "alone.h"
#include "libc.h"
#include "routes.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define CAP 64

typedef int name_info(const struct sockaddr *sa, socklen_t len, char *host, socklen_t host_cap,
                      char *serv, socklen_t serv_cap, int flags);
typedef int by_addr_r(const void *ip, socklen_t ip_len, int family, struct hostent *ret, char *buf,
                      size_t len, struct hostent **res, int *herr);
typedef struct hostent *by_addr(const void *ip, socklen_t ip_len, int family);

static name_info *libc_name_info;
static by_addr_r *libc_by_addr_r;
static by_addr *libc_by_addr;

static void find_libc(void)
{
	libc_name_info = LIBC(getnameinfo);
	libc_by_addr_r = LIBC(gethostbyaddr_r);
	libc_by_addr = LIBC(gethostbyaddr);
}

/* Those that have a name are in the hosts file. libc does not look for v4-mapped ones there. */
static const struct {
	int family;
	const char *ip;
	unsigned scope;
} addresses[] = {
	{ AF_INET, "127.0.0.1", 0 },      { AF_INET, "192.0.2.90", 0 }, { AF_INET6, "::1", 0 },
	{ AF_INET, "198.19.255.254", 0 }, { AF_INET6, "::", 0 },        { AF_INET6, "fe80::1", 1 },
	{ AF_INET6, "fe80::1", 77 },      { AF_INET6, "ff02::1", 1 },   { AF_INET, "0.0.0.0", 0 },
};

#define ADDRESSES ((int)(sizeof(addresses) / sizeof(addresses[0])))

static socklen_t fill(int i, uint16_t port, struct sockaddr_storage *ss)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ss;
	struct sockaddr_in *v4 = (struct sockaddr_in *)ss;

	memset(ss, 0, sizeof(*ss));
	ss->ss_family = (sa_family_t)addresses[i].family;
	v4->sin_port = htons(port); /* in the same place for IPv6 */
	if (addresses[i].family == AF_INET) {
		inet_pton(AF_INET, addresses[i].ip, &v4->sin_addr);
		return sizeof(*v4);
	}
	inet_pton(AF_INET6, addresses[i].ip, &v6->sin6_addr);
	v6->sin6_scope_id = addresses[i].scope;
	return sizeof(*v6);
}

static void check_same(const struct sockaddr *sa, socklen_t len, socklen_t host_cap,
                       socklen_t serv_cap, int flags)
{
	char host[CAP], serv[CAP], libc_host[CAP], libc_serv[CAP];
	char *h = host_cap > CAP ? NULL : host, *s = serv_cap > CAP ? NULL : serv;
	int err, libc_err;

	memset(host, '#', CAP);
	memset(serv, '#', CAP);
	memset(libc_host, '#', CAP);
	memset(libc_serv, '#', CAP);
	errno = 0;
	err = getnameinfo(sa, len, h, host_cap, s, serv_cap, flags);
	libc_err = libc_name_info(sa, len, h ? libc_host : NULL, host_cap, s ? libc_serv : NULL,
	                          serv_cap, flags);
	ck_assert_msg(err == libc_err, "%d, libc %d: flags %x, lengths %u %u %u", err, libc_err,
	              flags, len, host_cap, serv_cap);
	if (err != 0)
		return;
	ck_assert_mem_eq(host, libc_host, CAP);
	ck_assert_mem_eq(serv, libc_serv, CAP);
}

static const int flag_rows[] = {
	0,
	NI_NUMERICHOST,
	NI_NUMERICSERV,
	NI_NAMEREQD,
	NI_NOFQDN,
	NI_DGRAM,
	NI_NUMERICHOST | NI_NUMERICSERV,
	NI_NUMERICHOST | NI_NAMEREQD,
	NI_NAMEREQD | NI_NOFQDN | NI_DGRAM,
	NI_IDN,
	NI_IDN | NI_NAMEREQD,
	64 | 128, /* flags of old that are ignored */
	1 << 8,
	1 << 20,
	-1,
};

#define FLAGS (sizeof(flag_rows) / sizeof(flag_rows[0]))

/* libc asks this network's name server for what has no name, and is told that there is none. */
START_TEST(flags_and_services_are_libcs)
{
	static const uint16_t ports[] = { 0, 22, 80, 514, 65000 };
	struct sockaddr_storage ss;
	socklen_t len;

	for (size_t f = 0; f < FLAGS; f++)
		for (size_t p = 0; p < sizeof(ports) / sizeof(ports[0]); p++) {
			len = fill(_i, ports[p], &ss);
			check_same((struct sockaddr *)&ss, len, CAP, CAP, flag_rows[f]);
			check_same((struct sockaddr *)&ss, len, CAP, 0, flag_rows[f]);
			check_same((struct sockaddr *)&ss, len, 0, CAP, flag_rows[f]);
			check_same((struct sockaddr *)&ss, len, CAP + 1, CAP, flag_rows[f]);
			check_same((struct sockaddr *)&ss, len, CAP, CAP + 1, flag_rows[f]);
			check_same((struct sockaddr *)&ss, len, CAP + 1, CAP + 1, flag_rows[f]);
			check_same((struct sockaddr *)&ss, len, 0, 0, flag_rows[f]);
		}
}
END_TEST

START_TEST(buffers_that_are_too_small_are_told)
{
	struct sockaddr_storage ss;
	socklen_t len = fill(_i, 80, &ss);

	for (socklen_t cap = 0; cap < 32; cap++) {
		check_same((struct sockaddr *)&ss, len, cap, CAP, 0);
		check_same((struct sockaddr *)&ss, len, CAP, cap, 0);
		check_same((struct sockaddr *)&ss, len, cap, cap, NI_NUMERICHOST);
		check_same((struct sockaddr *)&ss, len, cap, cap, NI_NAMEREQD);
	}
}
END_TEST

START_TEST(lengths_and_families_are_judged_as_by_libc)
{
	static const int families[] = { AF_UNSPEC, AF_INET, AF_INET6, AF_UNIX, AF_NETLINK, 99 };
	struct sockaddr_storage ss;

	check_same(NULL, 0, CAP, CAP, 0);
	check_same(NULL, sizeof(ss), CAP, CAP, NI_NAMEREQD);
	for (size_t f = 0; f < sizeof(families) / sizeof(families[0]); f++)
		for (socklen_t len = 0; len <= sizeof(struct sockaddr_in6) + 1; len++) {
			memset(&ss, 0, sizeof(ss));
			ss.ss_family = (sa_family_t)families[f];
			check_same((struct sockaddr *)&ss, len, CAP, CAP, 0);
			check_same((struct sockaddr *)&ss, len, CAP, CAP, NI_NAMEREQD);
			check_same((struct sockaddr *)&ss, len, CAP + 1, CAP + 1, NI_NAMEREQD);
			check_same((struct sockaddr *)&ss, len, CAP, CAP, 1 << 20);
		}
}
END_TEST

START_TEST(a_path_is_libcs)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/run/some.sock" };

	for (size_t f = 0; f < FLAGS; f++)
		check_same((struct sockaddr *)&un, sizeof(un), CAP, CAP, flag_rows[f]);
	check_same((struct sockaddr *)&un, sizeof(un), CAP, 3, 0);
}
END_TEST

/* Of the machine's own domain alone. */
START_TEST(only_the_own_domain_is_left_out)
{
	static const struct {
		const char *name, *shown;
	} rows[] = {
		{ "host.own.domain", "host" },
		{ "a.b.own.domain", "a.b" },
		{ "own.domain", "own.domain" },
		{ "host.own.domain.other", "host.own.domain.other" },
		{ "hostown.domain", "hostown.domain" },
		{ "host.other.test", "host.other.test" },
	};
	struct sockaddr_in sa = look_up(rows[_i].name, 80);
	char host[CAP], serv[CAP];

	ck_assert_int_eq(
		getnameinfo((struct sockaddr *)&sa, sizeof(sa), host, CAP, serv, CAP, NI_NOFQDN),
		0);
	ck_assert_str_eq(host, rows[_i].shown);
	ck_assert_str_eq(serv, "http");
	ck_assert_int_eq(getnameinfo((struct sockaddr *)&sa, sizeof(sa), host, CAP, NULL, 0, 0), 0);
	ck_assert_str_eq(host, rows[_i].name);
}
END_TEST

START_TEST(a_placeholders_name_that_does_not_fit_is_told)
{
	struct sockaddr_in sa = look_up("fitting.test", 80);
	char host[CAP];

	for (socklen_t cap = 1; cap <= strlen("fitting.test"); cap++) {
		memset(host, '#', CAP);
		ck_assert_int_eq(
			getnameinfo((struct sockaddr *)&sa, sizeof(sa), host, cap, NULL, 0, 0),
			EAI_OVERFLOW);
		ck_assert_int_eq(host[cap], '#');
	}
	ck_assert_int_eq(getnameinfo((struct sockaddr *)&sa, sizeof(sa), host,
	                             sizeof("fitting.test"), NULL, 0, 0),
	                 0);
}
END_TEST

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void check_hosts(const struct hostent *a, const struct hostent *b)
{
	ck_assert_int_eq(a != NULL, b != NULL);
	if (!a || !b)
		return;
	ck_assert(same_text(a->h_name, b->h_name));
	ck_assert_int_eq(a->h_addrtype, b->h_addrtype);
	ck_assert_int_eq(a->h_length, b->h_length);
	ck_assert_mem_eq(a->h_addr_list[0], b->h_addr_list[0], (size_t)b->h_length);
	ck_assert_ptr_null(a->h_addr_list[1]);
	for (int i = 0; a->h_aliases[i] || b->h_aliases[i]; i++)
		ck_assert(same_text(a->h_aliases[i], b->h_aliases[i]));
}

START_TEST(hosts_by_address_are_libcs)
{
	struct hostent ours, theirs, *our_res = &ours, *their_res = &theirs;
	char our_buf[1024], their_buf[1024];
	int herr = 77, libc_herr = 77, err, libc_err;
	struct sockaddr_storage ss;
	const void *ip;
	socklen_t len;

	fill(_i, 0, &ss);
	ip = addresses[_i].family == AF_INET ? (void *)&((struct sockaddr_in *)&ss)->sin_addr
	                                     : (void *)&((struct sockaddr_in6 *)&ss)->sin6_addr;
	len = addresses[_i].family == AF_INET ? 4 : 16;
	err = gethostbyaddr_r(ip, len, addresses[_i].family, &ours, our_buf, sizeof(our_buf),
	                      &our_res, &herr);
	libc_err = libc_by_addr_r(ip, len, addresses[_i].family, &theirs, their_buf,
	                          sizeof(their_buf), &their_res, &libc_herr);
	ck_assert_int_eq(err, libc_err);
	check_hosts(our_res, their_res);
	/* libc says NO_DATA where its name server has the name, and no PTR. */
	if (!our_res)
		ck_assert_int_eq(herr, HOST_NOT_FOUND);
	our_res = gethostbyaddr(ip, len, addresses[_i].family);
	if (!our_res)
		ck_assert_int_eq(h_errno, HOST_NOT_FOUND);
	check_hosts(our_res, libc_by_addr(ip, len, addresses[_i].family));
}
END_TEST

START_TEST(families_and_lengths_that_are_none_are_libcs)
{
	static const struct {
		int family;
		socklen_t len;
	} rows[] = { { AF_INET, 0 },   { AF_INET, 3 }, { AF_INET6, 4 }, { AF_INET6, 15 },
		     { AF_UNSPEC, 4 }, { AF_UNIX, 4 }, { 99, 16 },      { AF_INET6, 0 } };
	struct hostent ours, theirs, *our_res = &ours, *their_res = &theirs;
	char ip[16] = { 127, 0, 0, 1 }, our_buf[512], their_buf[512];
	int herr = 77, libc_herr = 77, err, libc_err, libc_errno;

	errno = 0;
	libc_err = libc_by_addr_r(ip, rows[_i].len, rows[_i].family, &theirs, their_buf,
	                          sizeof(their_buf), &their_res, &libc_herr);
	libc_errno = errno;
	errno = 0;
	err = gethostbyaddr_r(ip, rows[_i].len, rows[_i].family, &ours, our_buf, sizeof(our_buf),
	                      &our_res, &herr);
	ck_assert_int_eq(errno, libc_errno);
	ck_assert_int_eq(err, libc_err);
	ck_assert_int_eq(herr, libc_herr);
	ck_assert_int_eq(our_res == NULL, their_res == NULL);
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("nameinfo");
	TCase *tc = tcase_create("nameinfo");

	tcase_add_unchecked_fixture(tc, find_libc, NULL);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, flags_and_services_are_libcs, 0, ADDRESSES);
	tcase_add_loop_test(tc, buffers_that_are_too_small_are_told, 0, ADDRESSES);
	tcase_add_test(tc, lengths_and_families_are_judged_as_by_libc);
	tcase_add_test(tc, a_path_is_libcs);
	tcase_add_loop_test(tc, only_the_own_domain_is_left_out, 0, 6);
	tcase_add_test(tc, a_placeholders_name_that_does_not_fit_is_told);
	tcase_add_loop_test(tc, hosts_by_address_are_libcs, 0, ADDRESSES);
	tcase_add_loop_test(tc, families_and_lengths_that_are_none_are_libcs, 0, 8);
	suite_add_tcase(s, tc);
	return s;
}

/* Over alone.c's file, which is nobody else's: a domain for this machine. */
static bool write_hosts(void)
{
	static const char hosts[] = "127.0.0.1 localhost.own.domain localhost more.test\n"
				    "::1 ip6.own.domain\n192.0.2.90 listed.port.test\n";
	int fd = open("/etc/hosts", O_WRONLY | O_TRUNC | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, hosts, strlen(hosts)) == (ssize_t)strlen(hosts);

	if (fd >= 0)
		close(fd);
	return ok;
}

int main(int argc, char **argv)
{
	if (!under_is_second_run() && (!alone_begin() || !write_hosts())) {
		fprintf(stderr, "no namespaces of one's own here\n");
		return 77; /* meson's "skipped" */
	}
	return under_main(argc, argv, UNDER_IPV4, make);
}
