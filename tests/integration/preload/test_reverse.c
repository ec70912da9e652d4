/* Names of addresses: the session's, the hosts file's, the proxy's; in a network of its own. */
#include "alone.h"
#include "proxy.h"
#include "routes.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NONE EAI_NONAME

static struct sockaddr_storage address(const char *ip, socklen_t *len)
{
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ss;
	struct sockaddr_in *v4 = (struct sockaddr_in *)&ss;

	ss.ss_family = strchr(ip, ':') ? AF_INET6 : AF_INET;
	ck_assert_int_eq(inet_pton(ss.ss_family, ip,
	                           ss.ss_family == AF_INET6 ? (void *)&v6->sin6_addr
	                                                    : (void *)&v4->sin_addr),
	                 1);
	*len = ss.ss_family == AF_INET6 ? sizeof(*v6) : sizeof(*v4);
	return ss;
}

static int name_of(const char *ip, char name[256])
{
	socklen_t len;
	struct sockaddr_storage ss = address(ip, &len);

	return getnameinfo((struct sockaddr *)&ss, len, name, 256, NULL, 0, NI_NAMEREQD);
}

static int descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static const char *ip_in(const struct sockaddr_storage *ss, socklen_t *len)
{
	*len = ss->ss_family == AF_INET6 ? 16 : 4;
	return ss->ss_family == AF_INET6
	               ? (const char *)&((const struct sockaddr_in6 *)ss)->sin6_addr
	               : (const char *)&((const struct sockaddr_in *)ss)->sin_addr;
}

/* By all three entry points. */
static void check_named(const struct sockaddr_storage *ss, const char *want)
{
	socklen_t len = ss->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
	                                          : sizeof(struct sockaddr_in);
	char name[256], buf[512];
	struct hostent ret, *he;
	socklen_t ip_len;
	const char *ip = ip_in(ss, &ip_len);
	int herr;

	ck_assert_int_eq(getnameinfo((const struct sockaddr *)ss, len, name, sizeof(name), NULL, 0,
	                             NI_NAMEREQD),
	                 0);
	ck_assert_str_eq(name, want);
	he = gethostbyaddr(ip, ip_len, ss->ss_family);
	ck_assert_ptr_nonnull(he);
	ck_assert_str_eq(he->h_name, want);
	ck_assert_int_eq(
		gethostbyaddr_r(ip, ip_len, ss->ss_family, &ret, buf, sizeof(buf), &he, &herr), 0);
	ck_assert_ptr_eq(he, &ret);
	ck_assert_str_eq(he->h_name, want);
	ck_assert_int_eq(he->h_addrtype, ss->ss_family);
	ck_assert_int_eq(he->h_length, (int)ip_len);
	ck_assert_mem_eq(he->h_addr_list[0], ip, ip_len);
	ck_assert_ptr_null(he->h_addr_list[1]);
}

START_TEST(a_placeholder_gives_its_name_back)
{
	static const struct {
		const char *name;
		int family;
	} rows[] = {
		{ "round.test", AF_INET },     { "round.test", AF_INET6 },
		{ "CaSe.Kept.test", AF_INET }, { "CaSe.Kept.test", AF_INET6 },
		{ "single", AF_INET },         { "hidden.onion", AF_INET6 },
		{ "x--1._tcp.test", AF_INET }, { "dot.test.", AF_INET },
	};
	socklen_t len;
	struct sockaddr_storage ss = under_look_up(rows[_i].name, rows[_i].family, 0, &len);
	int asked = alone_questions(), ptr = under_requests("ptr.");

	check_named(&ss, rows[_i].name);
	ck_assert_int_eq(alone_questions(), asked);
	ck_assert_int_eq(under_requests("ptr."), ptr);
}
END_TEST

START_TEST(a_mapped_placeholder_has_the_same_name)
{
	socklen_t len;
	struct sockaddr_storage ss = under_look_up("mapped.test", AF_INET, 0, &len), mapped;
	struct sockaddr_in v4 = in_of(&ss);
	char text[64];

	snprintf(text, sizeof(text), "::ffff:%s", text_of(&v4));
	mapped = address(text, &len);
	check_named(&mapped, "mapped.test");
}
END_TEST

START_TEST(the_hosts_file_is_read)
{
	static const struct {
		const char *ip, *name;
	} rows[] = {
		{ "192.0.2.90", "listed.port.test" },
		{ "::ffff:192.0.2.90", "listed.port.test" },
		{ "127.0.0.1", "localhost" },
		{ "::1", "localhost" },
	};
	socklen_t len;
	struct sockaddr_storage ss = address(rows[_i].ip, &len);

	check_named(&ss, rows[_i].name);
}
END_TEST

/* Nor is anybody asked for the name of what is nobody's. */
START_TEST(some_have_no_name)
{
	static const char *const rows[] = { "198.19.255.254", "::",        "0.0.0.0",
		                            "169.254.1.1",    "fe80::1",   "224.0.0.1",
		                            "ff02::1",        "239.1.2.3", "255.255.255.255" };
	int asked = alone_questions(), ptr = under_requests("ptr.");
	socklen_t len, ip_len;
	struct sockaddr_storage ss = address(rows[_i], &len);
	const char *ip = ip_in(&ss, &ip_len);
	struct hostent ret, *he = &ret;
	int herr = 0;
	char name[256];

	ck_assert_int_eq(name_of(rows[_i], name), NONE);
	ck_assert_int_eq(getnameinfo((struct sockaddr *)&ss, len, name, sizeof(name), NULL, 0, 0),
	                 0);
	ck_assert_str_eq(name, rows[_i]);
	h_errno = 0;
	ck_assert_ptr_null(gethostbyaddr(ip, ip_len, ss.ss_family));
	ck_assert_int_eq(h_errno, HOST_NOT_FOUND);
	h_errno = 0;
	ck_assert_int_eq(
		gethostbyaddr_r(ip, ip_len, ss.ss_family, &ret, name, sizeof(name), &he, &herr),
		ss.ss_family == AF_INET6 && _i == 1 ? ENOENT : 0);
	ck_assert_ptr_null(he);
	ck_assert_int_eq(herr, HOST_NOT_FOUND);
	if (_i != 1) /* of :: libc leaves it alone */
		ck_assert_int_eq(h_errno, HOST_NOT_FOUND);
	ck_assert_int_eq(alone_questions(), asked);
	ck_assert_int_eq(under_requests("ptr."), ptr);
}
END_TEST

START_TEST(the_proxy_is_asked_once)
{
	static const struct {
		const char *ip, *mapped, *name;
	} rows[] = {
		{ "203.0.113.1", "::ffff:203.0.113.1", "h1.test" },
		{ "2001:db8::200", "2001:db8::200", "h0.test" },
		{ "10.0.0.111", "::ffff:10.0.0.111", "h111.test" }, /* PROXY_PTR_DOT */
	};
	int asked = alone_questions(), ptr = under_requests("ptr."), fds = descriptors();
	socklen_t len;
	struct sockaddr_storage ss = address(rows[_i].ip, &len);

	errno = 77;
	check_named(&ss, rows[_i].name);
	ck_assert_int_eq(errno, 77);
	ss = address(rows[_i].mapped, &len);
	check_named(&ss, rows[_i].name);
	ck_assert_int_eq(under_requests("ptr."), ptr + 1);
	ck_assert_int_eq(alone_questions(), asked);
	ck_assert_int_eq(descriptors(), fds);
}
END_TEST

START_TEST(an_answer_that_is_no_name_is_none)
{
	static const int rows[] = { PROXY_PTR_UNKNOWN, PROXY_PTR_ODD,     PROXY_PTR_OPTION,
		                    PROXY_PTR_NUMBER,  PROXY_PTR_ADDRESS, PROXY_PTR_LONG };
	int ptr = under_requests("ptr."), fds = descriptors();
	char ip[32], name[256];

	snprintf(ip, sizeof(ip), "203.0.113.%d", rows[_i]);
	ck_assert_int_eq(name_of(ip, name), NONE);
	ck_assert_int_eq(under_requests("ptr."), ptr + 1);
	ck_assert_int_eq(name_of(ip, name), NONE); /* which is kept, too */
	ck_assert_int_eq(under_requests("ptr."), ptr + 1);
	ck_assert_int_eq(name_of("203.0.113.2", name), 0); /* others are still asked for */
	ck_assert_int_eq(descriptors(), fds);
}
END_TEST

/* In a child: this process still wants to ask. */
START_TEST(a_proxy_that_lacks_the_command_is_left_alone)
{
	static const int rows[] = { PROXY_PTR_LACKS, PROXY_PTR_GONE, PROXY_PTR_GARBAGE,
		                    PROXY_PTR_SILENT };
	int ptr = under_requests("ptr."), status;
	char ip[32], name[256];
	pid_t pid = fork();

	if (pid == 0) {
		snprintf(ip, sizeof(ip), "203.0.113.%d", rows[_i]);
		if (name_of(ip, name) != NONE || name_of(ip, name) != NONE)
			_exit(1);
		_exit(name_of("203.0.113.3", name) == NONE ? 0 : 2);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(under_requests("ptr."), ptr + 1);
}
END_TEST

START_TEST(what_a_rule_sends_direct_is_asked_of_libc)
{
	int asked, ptr = under_requests("ptr.");
	struct sockaddr_in sa = look_up("a60.direct.test", 0);
	char name[256];

	ck_assert_str_eq(text_of(&sa), "192.0.2.60");
	asked = alone_questions();
	name_of("192.0.2.60", name);
	ck_assert_int_eq(alone_questions(), asked + 1);
	name_of("192.0.2.20", name);
	ck_assert_int_eq(alone_questions(), asked + 2);
	ck_assert_int_eq(under_requests("ptr."), ptr);
	ck_assert_int_eq(name_of("192.0.2.21", name), 0);
	ck_assert_int_eq(alone_questions(), asked + 2);
	ck_assert_int_eq(under_requests("ptr."), ptr + 1);
}
END_TEST

static void *ask_silence(void *arg)
{
	char name[256];

	name_of("203.0.113.105", name);
	return arg;
}

START_TEST(a_cancelled_thread_leaves_nothing)
{
	int ptr = under_requests("ptr."), fds = descriptors();
	pthread_t thread;
	char name[256];
	void *end;

	ck_assert_int_eq(pthread_create(&thread, NULL, ask_silence, NULL), 0);
	under_await_requests("ptr.", ptr + 1);
	pthread_cancel(thread);
	ck_assert_int_eq(pthread_join(thread, &end), 0);
	ck_assert_ptr_eq(end, PTHREAD_CANCELED);
	ck_assert_int_eq(descriptors(), fds);
	ck_assert_int_eq(name_of("203.0.113.4", name), 0);
}
END_TEST

static void *ask_some(void *arg)
{
	char ip[32], name[256], want[32];

	for (int i = 0; i < 60; i++) {
		int host = 1 + (i * 7 + (int)(intptr_t)arg) % 90;

		snprintf(ip, sizeof(ip), "203.0.114.%d", host);
		snprintf(want, sizeof(want), "h%d.test", host);
		if (name_of(ip, name) != 0 || strcmp(name, want) != 0)
			return (void *)1;
	}
	return NULL;
}

START_TEST(threads_ask_at_once)
{
	pthread_t threads[16];
	void *failed;

	for (int i = 0; i < 16; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_some, (void *)(intptr_t)i),
		                 0);
	for (int i = 0; i < 16; i++) {
		pthread_join(threads[i], &failed);
		ck_assert_ptr_null(failed);
	}
}
END_TEST

START_TEST(a_buffer_that_is_too_small_is_erange)
{
	struct hostent ret, *he = &ret;
	struct in_addr ip = { htonl(0xcb007105) }; /* 203.0.113.5 */
	size_t len = 0;
	char buf[256];
	int herr, err;

	/* At every length: it is exactly one at which it begins to fit. */
	for (; len <= sizeof(buf); len++) {
		memset(buf, '#', sizeof(buf));
		herr = 0;
		err = gethostbyaddr_r(&ip, sizeof(ip), AF_INET, &ret, buf + 1, len, &he, &herr);
		for (size_t i = len + 1; i < sizeof(buf); i++)
			ck_assert_int_eq(buf[i], '#');
		if (err == 0)
			break;
		ck_assert_int_eq(err, ERANGE);
		ck_assert_int_eq(errno, ERANGE);
		ck_assert_int_eq(herr, NETDB_INTERNAL);
		ck_assert_ptr_null(he);
	}
	ck_assert_uint_gt(len, 8);
	ck_assert_uint_lt(len, 100);
	ck_assert_str_eq(he->h_name, "h5.test");
	ck_assert_ptr_null(he->h_aliases[0]);
}
END_TEST

static void add_all(TCase *tc)
{
	tcase_add_loop_test(tc, a_placeholder_gives_its_name_back, 0, 8);
	tcase_add_test(tc, a_mapped_placeholder_has_the_same_name);
	tcase_add_loop_test(tc, the_hosts_file_is_read, 0, 4);
	tcase_add_loop_test(tc, some_have_no_name, 0, 9);
	tcase_add_loop_test(tc, the_proxy_is_asked_once, 0, 3);
	tcase_add_loop_test(tc, an_answer_that_is_no_name_is_none, 0, 6);
	tcase_add_loop_test(tc, a_proxy_that_lacks_the_command_is_left_alone, 0, 4);
	tcase_add_test(tc, what_a_rule_sends_direct_is_asked_of_libc);
	tcase_add_test(tc, a_cancelled_thread_leaves_nothing);
	tcase_add_test(tc, threads_ask_at_once);
	tcase_add_test(tc, a_buffer_that_is_too_small_is_erange);
}

START_TEST(every_name_is_libcs_to_ask_for)
{
	int asked = alone_questions(), ptr = under_requests("ptr.");
	char name[256];

	ck_assert_int_eq(name_of("203.0.113.1", name), NONE);
	ck_assert_int_eq(alone_questions(), asked + 1);
	ck_assert_int_eq(name_of("192.0.2.90", name), 0);
	ck_assert_str_eq(name, "listed.port.test");
	ck_assert_int_eq(alone_questions(), asked + 1);
	ck_assert_int_eq(under_requests("ptr."), ptr);
}
END_TEST

static void add_by_libc(TCase *tc)
{
	tcase_add_test(tc, every_name_is_libcs_to_ask_for);
}

/* SOCKS4 has no such command. */
START_TEST(nobody_is_asked)
{
	int asked = alone_questions(), ptr = under_requests("ptr.");
	char name[256];

	ck_assert_int_eq(name_of("203.0.113.1", name), NONE);
	ck_assert_int_eq(name_of("192.0.2.90", name), 0);
	ck_assert_str_eq(name, "listed.port.test");
	ck_assert_int_eq(alone_questions(), asked);
	ck_assert_int_eq(under_requests("ptr."), ptr);
}
END_TEST

static void add_nobody(TCase *tc)
{
	tcase_add_test(tc, nobody_is_asked);
}

/* A malformed configuration: nobody can be reached, and the hosts file is still read. */
START_TEST(only_the_hosts_file_is_left)
{
	char name[256];

	ck_assert_int_eq(name_of("203.0.113.1", name), NONE);
	ck_assert_int_eq(name_of("198.18.0.1", name), NONE);
	ck_assert_int_eq(name_of("192.0.2.20", name), NONE);
	ck_assert_int_eq(name_of("192.0.2.90", name), 0);
	ck_assert_str_eq(name, "listed.port.test");
}
END_TEST

static void add_broken(TCase *tc)
{
	tcase_add_test(tc, only_the_hosts_file_is_left);
}

static const struct mode {
	const char *name, *variable, *value;
	void (*add)(TCase *tc);
} modes[] = {
	{ "proxy", "SOCKSIFY_LOOPBACK", "direct", add_all },
	{ "by-libc", "UNDER_SCHEME", "socks5", add_by_libc },
	{ "socks4a", "UNDER_SCHEME", "socks4a", add_nobody },
	{ "broken", "SOCKSIFY_POOL", "no such word", add_broken },
};

static const struct mode *mode;

static Suite *make(void)
{
	Suite *s = suite_create("reverse");
	TCase *tc = tcase_create(mode->name);

	tcase_set_timeout(tc, 60);
	mode->add(tc);
	suite_add_tcase(s, tc);
	return s;
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(argv[1], modes[i].name) == 0)
			mode = &modes[i];
	if (!mode) {
		fprintf(stderr, "usage: test MODE\n");
		return 99;
	}
	if (!under_is_second_run()) {
		if (!alone_begin()) {
			fprintf(stderr, "no namespaces of one's own here\n");
			return 77; /* meson's "skipped" */
		}
		setenv("SOCKSIFY_NO_PROXY", ".direct.test .port.test:7001,192.0.2.20", 1);
		setenv(mode->variable, mode->value, 1);
	}
	return under_main(argc, argv, UNDER_IPV4, make);
}
