/* What libc does by itself, past every hook: refused; and gethostid(), which asks nobody. */
#include "alone.h"
#include "routes.h"

#include <stdio.h>
#include <string.h>

/* The port of rshd, which libc would connect to, from one below 1024. */
#define RSH_PORT 514

#define ID_PATH "/etc/hostid"

static int call(int which)
{
	char name[] = "192.0.2.1", *host = name;
	struct in_addr ip = { htonl(INADDR_LOOPBACK) };
	int err_fd = -1;

	switch (which) {
	case 0:
		return rcmd(&host, htons(RSH_PORT), "root", "root", "true", &err_fd);
	case 1:
		return rcmd_af(&host, htons(RSH_PORT), "root", "root", "true", NULL, AF_INET);
	case 2:
		return rexec(&host, htons(PORT), "root", "secret", "true", &err_fd);
	case 3:
		return rexec_af(&host, htons(PORT), "root", "secret", "true", NULL, AF_INET);
	case 4:
		return ruserok("localhost", 0, "root", "root");
	case 5:
		return ruserok_af("localhost", 0, "root", "root", AF_INET);
	case 6:
		return iruserok(ip.s_addr, 0, "root", "root");
	default:
		return iruserok_af(&ip, 0, "root", "root", AF_INET);
	}
}

START_TEST(calls_that_connect_by_themselves_are_refused)
{
	int asked = alone_questions();

	errno = 0;
	ck_assert_int_eq(call(_i), -1);
	ck_assert_int_eq(errno, EACCES);
	errno = 0;
	ck_assert_int_eq(call(_i), -1);
	ck_assert_int_eq(errno, EACCES);
	ck_assert_int_eq(alone_questions(), asked);
}
END_TEST

START_TEST(a_reserved_port_is_libcs_to_find)
{
	int port = 1023, fd = rresvport(&port);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_lt(port, 1024);
	close(fd);
}
END_TEST

/* This network has no other machine; the own name is the hosts file's, or loopback. */
START_TEST(the_hosts_id_asks_nobody)
{
	int asked = alone_questions();
	long id;

	errno = 77;
	id = gethostid();
	ck_assert_int_eq(errno, 77);
	ck_assert_int_eq(id, gethostid());
	if (access(ID_PATH, F_OK) < 0)
		ck_assert_int_eq(id, 0x007f0100); /* of 127.0.0.1 */
	ck_assert_int_eq(alone_questions(), asked);
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("rcmd");
	TCase *tc = tcase_create("rcmd");

	tcase_add_loop_test(tc, calls_that_connect_by_themselves_are_refused, 0, 8);
	if (geteuid() == 0)
		tcase_add_test(tc, a_reserved_port_is_libcs_to_find);
	tcase_add_test(tc, the_hosts_id_asks_nobody);
	suite_add_tcase(s, tc);
	return s;
}

int main(int argc, char **argv)
{
	if (!under_is_second_run() && !alone_begin()) {
		fprintf(stderr, "no namespaces of one's own here\n");
		return 77; /* meson's "skipped" */
	}
	return under_main(argc, argv, UNDER_IPV4, make);
}
