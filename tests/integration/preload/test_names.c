/* Names under the library: nobody is asked, and every look-up gives what a program expects. */
#include "under.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int look_up(const char *node, const char *service, const struct addrinfo *hints,
                   struct addrinfo **res)
{
	*res = NULL;
	return getaddrinfo(node, service, hints, res);
}

static bool is_placeholder(const struct sockaddr *sa)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)sa;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)sa;

	if (sa->sa_family == AF_INET)
		return (ntohl(v4->sin_addr.s_addr) & 0xfffe0000) == 0xc6120000;
	return (v6->sin6_addr.s6_addr[0] & 0xfe) == 0xfc;
}

START_TEST(hints_null_give_one_ipv4_placeholder)
{
	struct addrinfo *ai, *at;

	ck_assert_int_eq(look_up("example.test", "443", NULL, &ai), 0);
	for (at = ai; at; at = at->ai_next) {
		ck_assert_int_eq(at->ai_family, AF_INET);
		ck_assert(is_placeholder(at->ai_addr));
		ck_assert_int_eq(((struct sockaddr_in *)at->ai_addr)->sin_port, htons(443));
	}
	freeaddrinfo(ai);
}
END_TEST

START_TEST(a_name_keeps_its_placeholder)
{
	struct addrinfo *a, *b, *c;

	ck_assert_int_eq(look_up("same.test", NULL, NULL, &a), 0);
	ck_assert_int_eq(look_up("same.test", NULL, NULL, &b), 0);
	ck_assert_int_eq(look_up("other.test", NULL, NULL, &c), 0);
	ck_assert_mem_eq(a->ai_addr, b->ai_addr, a->ai_addrlen);
	ck_assert_mem_ne(a->ai_addr, c->ai_addr, a->ai_addrlen);
	freeaddrinfo(a);
	freeaddrinfo(b);
	freeaddrinfo(c);
}
END_TEST

START_TEST(every_hint_is_honoured)
{
	static const struct {
		int flags, family, socktype;
		const char *service;
		int err;
	} rows[] = {
		{ 0, AF_UNSPEC, 0, NULL, 0 },
		{ 0, AF_INET, SOCK_STREAM, "http", 0 },
		{ 0, AF_INET6, SOCK_STREAM, "443", 0 },
		{ AI_ADDRCONFIG, AF_INET6, SOCK_STREAM, "443", 0 },
		{ AI_V4MAPPED | AI_ADDRCONFIG, AF_INET6, SOCK_STREAM, NULL, 0 },
		{ AI_CANONNAME, AF_UNSPEC, SOCK_DGRAM, "53", 0 },
		{ AI_PASSIVE, AF_UNSPEC, SOCK_STREAM, "80", 0 },
		{ AI_NUMERICSERV, AF_UNSPEC, SOCK_STREAM, "80", 0 },
		{ AI_NUMERICSERV, AF_UNSPEC, SOCK_STREAM, "http", EAI_NONAME },
		{ AI_NUMERICHOST, AF_UNSPEC, SOCK_STREAM, "80", EAI_NONAME },
		{ 0, AF_UNSPEC, SOCK_STREAM, "no-such-service", EAI_SERVICE },
		{ 0, AF_UNIX, SOCK_STREAM, NULL, EAI_FAMILY },
		{ 1 << 20, AF_UNSPEC, SOCK_STREAM, NULL, EAI_BADFLAGS },
	};
	struct addrinfo hints = { .ai_flags = rows[_i].flags,
		                  .ai_family = rows[_i].family,
		                  .ai_socktype = rows[_i].socktype },
			*ai;
	int err = look_up("hints.test", rows[_i].service, &hints, &ai);

	if (rows[_i].service && strcmp(rows[_i].service, "http") == 0 &&
	    !getservbyname("http", "tcp"))
		return; /* a machine without /etc/services */
	ck_assert_msg(err == rows[_i].err, "%s, wanted %s", gai_strerror(err),
	              gai_strerror(rows[_i].err));
	if (err != 0)
		return;
	ck_assert(is_placeholder(ai->ai_addr));
	ck_assert_int_eq(ai->ai_family, rows[_i].family ? rows[_i].family : AF_INET);
	ck_assert_int_eq(ai->ai_flags, rows[_i].flags);
	if (rows[_i].socktype)
		ck_assert_int_eq(ai->ai_socktype, rows[_i].socktype);
	if (rows[_i].flags & AI_CANONNAME)
		ck_assert_str_eq(ai->ai_canonname, "hints.test");
	else
		ck_assert_ptr_null(ai->ai_canonname);
	freeaddrinfo(ai);
}
END_TEST
#define N_HINTS 13

START_TEST(addresses_in_text_stay_libcs)
{
	static const struct {
		const char *node;
		int family, err;
		const char *is;
	} rows[] = {
		{ NULL, AF_INET, 0, "127.0.0.1" },
		{ "*", AF_INET, 0, "127.0.0.1" },
		{ "192.0.2.7", AF_UNSPEC, 0, "192.0.2.7" },
		{ "127.1", AF_UNSPEC, 0, "127.0.0.1" },
		{ "0x7f000001", AF_UNSPEC, 0, "127.0.0.1" },
		{ "2001:db8::7", AF_UNSPEC, 0, "2001:db8::7" },
		{ "fe80::1%lo", AF_INET6, 0, "fe80::1" },
		{ "192.0.2.7", AF_INET6, EAI_ADDRFAMILY, NULL },
		{ "half:an:address", AF_UNSPEC, EAI_NONAME, NULL },
	};
	struct addrinfo hints = { .ai_family = rows[_i].family, .ai_socktype = SOCK_STREAM }, *ai;
	int err = look_up(rows[_i].node, "80", &hints, &ai);
	char text[INET6_ADDRSTRLEN];

	ck_assert_msg(err == rows[_i].err, "%s", gai_strerror(err));
	if (err != 0)
		return;
	inet_ntop(ai->ai_family,
	          ai->ai_family == AF_INET
	                  ? (void *)&((struct sockaddr_in *)ai->ai_addr)->sin_addr
	                  : (void *)&((struct sockaddr_in6 *)ai->ai_addr)->sin6_addr,
	          text, sizeof(text));
	ck_assert_str_eq(text, rows[_i].is);
	freeaddrinfo(ai);
}
END_TEST
#define N_TEXTS 9

START_TEST(local_names_stay_local)
{
	char own[256];
	const char *const names[] = { "localhost", "LocalHost", "anything.localhost", own };
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *ai;

	gethostname(own, sizeof(own));
	ck_assert_int_eq(look_up(names[_i], "80", &hints, &ai), 0);
	ck_assert(!is_placeholder(ai->ai_addr));
	freeaddrinfo(ai);
}
END_TEST

START_TEST(what_can_be_no_name_is_none)
{
	char long_label[70], long_name[300];
	const char *const names[] = {
		"", ".", "a..b", "192.0.2.1 ", "a\tb", long_label, long_name
	};
	struct addrinfo *ai;

	memset(long_label, 'a', 64);
	strcpy(long_label + 64, ".org");
	for (size_t i = 0; i < 260; i++)
		long_name[i] = i % 10 == 9 ? '.' : 'b';
	long_name[260] = '\0';
	ck_assert_int_eq(look_up(names[_i], NULL, NULL, &ai), EAI_NONAME);
}
END_TEST

START_TEST(gethostbyname_and_its_relatives_agree)
{
	struct hostent *he = gethostbyname("host.test"), ret, *res;
	struct addrinfo *ai;
	char buf[512];
	int herr = 77;

	ck_assert_ptr_nonnull(he);
	ck_assert_str_eq(he->h_name, "host.test");
	ck_assert_int_eq(he->h_length, 4);
	ck_assert_ptr_null(he->h_addr_list[1]);
	ck_assert_ptr_null(he->h_aliases[0]);
	ck_assert_int_eq(look_up("host.test", NULL, NULL, &ai), 0);
	ck_assert_mem_eq(he->h_addr_list[0], &((struct sockaddr_in *)ai->ai_addr)->sin_addr, 4);
	freeaddrinfo(ai);

	ck_assert_int_eq(gethostbyname_r("host.test", &ret, buf, sizeof(buf), &res, &herr), 0);
	ck_assert_ptr_eq(res, &ret);
	ck_assert_mem_eq(ret.h_addr_list[0], he->h_addr_list[0], 4);
	he = gethostbyname2("host.test", AF_INET6);
	ck_assert_ptr_nonnull(he);
	ck_assert_int_eq(he->h_length, 16);
	ck_assert_int_eq(
		gethostbyname2_r("host.test", AF_INET6, &ret, buf, sizeof(buf), &res, &herr), 0);
	ck_assert_mem_eq(ret.h_addr_list[0], he->h_addr_list[0], 16);
	ck_assert_int_eq(herr, NETDB_SUCCESS);
	/* libc itself would ask a name server for this one. */
	he = gethostbyname("0x7f.1");
	ck_assert_ptr_nonnull(he);
	ck_assert_mem_eq(he->h_addr_list[0], "\177\0\0\1", 4);
	ck_assert_ptr_null(gethostbyname2("192.0.2.44", AF_INET6));
	he = gethostbyname("192.0.2.44");
	ck_assert_ptr_nonnull(he);
	ck_assert_mem_eq(he->h_addr_list[0], "\300\0\2\54", 4);
}
END_TEST

START_TEST(a_buffer_too_small_is_erange_at_every_size)
{
	struct hostent ret, *res;
	char buf[256] __attribute__((aligned(16)));
	bool fits = false;
	int herr;

	for (size_t n = 0; n < sizeof(buf); n++) {
		int err = gethostbyname_r("small.test", &ret, buf, n, &res, &herr);

		if (err == ERANGE) {
			ck_assert(!fits);
			ck_assert_int_eq(herr, NETDB_INTERNAL);
			ck_assert_ptr_null(res);
			continue;
		}
		ck_assert_int_eq(err, 0);
		ck_assert(ret.h_name >= buf && ret.h_name + strlen(ret.h_name) < buf + n);
		fits = true;
	}
	ck_assert(fits);
}
END_TEST

START_TEST(not_found_is_told_by_h_errno)
{
	struct hostent ret, *res = &ret;
	char buf[256];
	int herr = 0;

	h_errno = 0;
	ck_assert_ptr_null(gethostbyname("bad..name"));
	ck_assert_int_eq(h_errno, HOST_NOT_FOUND);
	ck_assert_int_eq(gethostbyname_r("bad..name", &ret, buf, sizeof(buf), &res, &herr), 0);
	ck_assert_ptr_null(res);
	ck_assert_int_eq(herr, HOST_NOT_FOUND);
}
END_TEST

/* What the parent resolved, a child and what it executes can connect to. */
START_TEST(names_travel_by_fork_and_exec)
{
	socklen_t len;
	struct sockaddr_storage ss = under_look_up("ok.travel.test", AF_INET, 80, &len);
	char text[INET_ADDRSTRLEN];
	int status;
	pid_t pid;

	inet_ntop(AF_INET, &((struct sockaddr_in *)&ss)->sin_addr, text, sizeof(text));
	pid = fork();
	if (pid == 0) {
		if (_i)
			execl("/proc/self/exe", "test", "connect-to", text, (char *)NULL);
		_exit(connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&ss, len) == 0
		              ? 0
		              : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(every_descriptor_closed_then_resolve_and_connect)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct addrinfo *ai;
		int fd;

		for (fd = 0; fd < 256; fd++)
			close(fd);
		if (getaddrinfo("ok.closed.test", "80", NULL, &ai) != 0)
			_exit(1);
		fd = socket(AF_INET, SOCK_STREAM, 0);
		_exit(fd == 0 && connect(fd, ai->ai_addr, ai->ai_addrlen) == 0 ? 0 : 2);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(three_hundred_names_differ)
{
	struct in_addr seen[300];
	char name[32];

	for (int i = 0; i < 300; i++) {
		struct addrinfo *ai;

		snprintf(name, sizeof(name), "n%d.many.test", i);
		ck_assert_int_eq(look_up(name, NULL, NULL, &ai), 0);
		seen[i] = ((struct sockaddr_in *)ai->ai_addr)->sin_addr;
		freeaddrinfo(ai);
		for (int j = 0; j < i; j++)
			ck_assert_int_ne(seen[i].s_addr, seen[j].s_addr);
	}
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("names");
	TCase *tc = tcase_create("names");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, hints_null_give_one_ipv4_placeholder);
	tcase_add_test(tc, a_name_keeps_its_placeholder);
	tcase_add_loop_test(tc, every_hint_is_honoured, 0, N_HINTS);
	tcase_add_loop_test(tc, addresses_in_text_stay_libcs, 0, N_TEXTS);
	tcase_add_loop_test(tc, local_names_stay_local, 0, 4);
	tcase_add_loop_test(tc, what_can_be_no_name_is_none, 0, 7);
	tcase_add_test(tc, gethostbyname_and_its_relatives_agree);
	tcase_add_test(tc, a_buffer_too_small_is_erange_at_every_size);
	tcase_add_test(tc, not_found_is_told_by_h_errno);
	tcase_add_loop_test(tc, names_travel_by_fork_and_exec, 0, 2);
	tcase_add_test(tc, every_descriptor_closed_then_resolve_and_connect);
	tcase_add_test(tc, three_hundred_names_differ);
	suite_add_tcase(s, tc);
	return s;
}

/* names_travel_by_fork_and_exec: the executed half. */
static int connect_to(const char *address)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(80) };

	inet_pton(AF_INET, address, &sa.sin_addr);
	return connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&sa, sizeof(sa)) == 0
	               ? 0
	               : 1;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "connect-to") == 0)
		return connect_to(argv[2]);
	return under_main(argc, argv, UNDER_IPV4, make);
}
