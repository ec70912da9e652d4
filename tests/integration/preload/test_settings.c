/*
 * Settings that say who goes where: loopback by the proxy, a password from a file, other
 * placeholders. The first argument chooses.
 */
#include "alone.h"
#include "routes.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

START_TEST(loopback_goes_to_the_proxy)
{
	static const char *const ips[] = { "127.0.0.1", "127.9.9.9", "0.0.0.0" };
	struct sockaddr_in sa = at(ips[_i], PORT);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	check_proxied(&sa);
	ck_assert_int_eq(sendto(fd, "x", 1, 0, (struct sockaddr *)&sa, sizeof(sa)), -1);
	ck_assert_int_eq(errno, EACCES);
	close(fd);
}
END_TEST

START_TEST(local_names_stay_local_and_are_proxied_then)
{
	struct sockaddr_in sa = look_up("localhost", PORT);

	ck_assert_str_eq(text_of(&sa), "127.0.0.1");
	check_proxied(&sa);
}
END_TEST

START_TEST(the_proxy_itself_stays_direct)
{
	struct sockaddr_in sa = at("127.0.0.1", under_proxy_port());
	int fd = stream(0);
	char reply[2];

	ck_assert_int_eq(join(fd, &sa), 0);
	/* It takes our own greeting for a greeting. */
	ck_assert_int_eq(send(fd, "\5\1\0", 3, MSG_NOSIGNAL), 3);
	ck_assert_int_eq(recv(fd, reply, 2, MSG_WAITALL), 2);
	ck_assert_mem_eq(reply, "\5\0", 2);
	close(fd);
}
END_TEST

START_TEST(unix_sockets_are_left_alone)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int here = socket(AF_UNIX, SOCK_STREAM, 0), fd = socket(AF_UNIX, SOCK_STREAM, 0);
	socklen_t len;

	snprintf(sa.sun_path + 1, sizeof(sa.sun_path) - 1, "socksify-test-%d", (int)getpid());
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(sa.sun_path + 1));
	ck_assert_int_eq(bind(here, (struct sockaddr *)&sa, len), 0);
	ck_assert_int_eq(listen(here, 1), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, len), 0);
	close(fd);
	close(here);
}
END_TEST

/* socks5:// has libc resolve all names: a rule with a port holds for the addresses there. */
START_TEST(names_that_libc_resolves_go_direct_at_their_port)
{
	struct sockaddr_in sa = look_up("a95.port.test", PORT), other = sa;
	struct hostent *he = gethostbyname("a96.port.test");

	ck_assert_str_eq(text_of(&sa), "192.0.2.95");
	check_direct(&sa);
	other.sin_port = htons(80);
	check_proxied(&other);
	ck_assert_ptr_nonnull(he);
	memcpy(&sa.sin_addr, he->h_addr_list[0], 4);
	check_direct(&sa);
	sa = look_up("a97.other.test", PORT);
	ck_assert_str_eq(text_of(&sa), "192.0.2.97");
	check_proxied(&sa);
}
END_TEST

/* A connection that has no need of the proxy: to its own port. */
static void check_without_password(void)
{
	struct sockaddr_in sa = at("127.0.0.1", under_proxy_port());
	int fd = stream(0);

	ck_assert_int_eq(join(fd, &sa), 0);
	close(fd);
}

static void write_password(const char *text)
{
	int fd = open(getenv("SOCKSIFY_PASSWORD_FILE"), O_WRONLY | O_TRUNC | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void *connect_and_close(void *barrier)
{
	int fd;

	pthread_barrier_wait(barrier);
	fd = under_connect("ok.password.test");
	if (fd >= 0)
		close(fd);
	return fd >= 0 ? barrier : NULL;
}

/*
 * A child that is forked in the midst of it reads for itself. The malloc() of the sanitizers is not
 * to be had in such a child.
 */
static pid_t fork_reader(void)
{
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__) || defined(__clang__)
	return 0;
#else
	pid_t pid = fork();

	if (pid == 0)
		_exit(under_connect("ok.password.test") >= 0 ? 0 : 1);
	return pid;
#endif
}

START_TEST(threads_share_the_reading_of_the_password)
{
	pthread_t threads[16];
	pthread_barrier_t barrier;
	int status = 0;
	void *ok;
	pid_t pid;

	write_password("secret\n");
	pthread_barrier_init(&barrier, NULL, 17);
	for (size_t i = 0; i < 16; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, connect_and_close, &barrier), 0);
	pthread_barrier_wait(&barrier);
	pid = fork_reader();
	if (pid != 0)
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	for (size_t i = 0; i < 16; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &ok), 0);
		ck_assert_ptr_nonnull(ok);
	}
	pthread_barrier_destroy(&barrier);
	unlink(getenv("SOCKSIFY_PASSWORD_FILE"));
}
END_TEST

/* The file is empty until now: neither the constructor nor what goes direct has read it. */
START_TEST(a_password_is_read_at_the_first_connect_and_once)
{
	int fd;

	check_without_password();
	write_password("secret\n");
	for (int i = 0; i < 3; i++) {
		fd = under_connect("ok.password.test");
		ck_assert_int_ge(fd, 0);
		under_echo(fd);
		close(fd);
		write_password("another\n");
	}
	unlink(getenv("SOCKSIFY_PASSWORD_FILE"));
}
END_TEST

START_TEST(a_password_that_is_not_there_closes_the_way_through_the_proxy)
{
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(under_connect("ok.password.test"), -1);
		ck_assert_int_eq(errno, EACCES);
		check_without_password();
	}
}
END_TEST

START_TEST(placeholders_are_of_the_ranges_that_were_named)
{
	char name[32];
	struct addrinfo *ai;
	socklen_t len;
	struct sockaddr_storage v6;
	uint8_t want[16] = { 0xfd, 0, 0, 0x77 };
	int fd;

	for (int i = 0; i < 15; i++) {
		struct sockaddr_in sa;

		snprintf(name, sizeof(name), "ok%d.pool.test", i);
		sa = look_up(name, 80);
		ck_assert_uint_eq(ntohl(sa.sin_addr.s_addr) & ~15u, 0x0a4d0000);
		fd = stream(0);
		ck_assert_int_eq(join(fd, &sa), 0);
		under_echo(fd);
		close(fd);
	}
	v6 = under_look_up(name, AF_INET6, 80, &len);
	ck_assert_mem_eq(&((struct sockaddr_in6 *)&v6)->sin6_addr, want, 15);
	/* All are given; who has one keeps it. */
	ck_assert_int_eq(getaddrinfo("more.pool.test", "80", NULL, &ai), EAI_AGAIN);
	look_up(name, 80);
	h_errno = 0;
	ck_assert_ptr_null(gethostbyname("more.pool.test"));
	ck_assert_int_eq(h_errno, TRY_AGAIN);
	/* The default's are addresses like any other. */
	ck_assert_int_eq(run("connect-to", "198.18.0.1"), 0);
}
END_TEST

START_TEST(a_program_with_another_pool_has_names_of_its_own)
{
	ck_assert_int_eq(run("pool", "10.78.0.0/28,fd00:77::/64"), 0);
	ck_assert_int_eq(run("pool", "10.78.0.0/16,fd00:77::/64"), 0);
}
END_TEST

static void add_loopback(TCase *tc)
{
	tcase_add_loop_test(tc, loopback_goes_to_the_proxy, 0, 3);
	tcase_add_test(tc, local_names_stay_local_and_are_proxied_then);
	tcase_add_test(tc, the_proxy_itself_stays_direct);
	tcase_add_test(tc, unix_sockets_are_left_alone);
}

static void add_by_libc(TCase *tc)
{
	tcase_add_test(tc, names_that_libc_resolves_go_direct_at_their_port);
}

static void add_password(TCase *tc)
{
	tcase_add_test(tc, a_password_is_read_at_the_first_connect_and_once);
}

static void add_threads(TCase *tc)
{
	tcase_add_test(tc, threads_share_the_reading_of_the_password);
}

static void add_no_password(TCase *tc)
{
	tcase_add_test(tc, a_password_that_is_not_there_closes_the_way_through_the_proxy);
}

static void add_pool(TCase *tc)
{
	tcase_add_test(tc, placeholders_are_of_the_ranges_that_were_named);
	tcase_add_test(tc, a_program_with_another_pool_has_names_of_its_own);
}

static const struct mode {
	const char *name;
	bool alone;               /* in a network of its own, with a listener */
	const char *variables[4]; /* name and value */
	void (*add)(TCase *tc);
} modes[] = {
	{ "loopback", true, { "SOCKSIFY_LOOPBACK", "proxy" }, add_loopback },
	{ "by-libc",
	  true,
	  { "UNDER_SCHEME", "socks5", "NO_PROXY", ".port.test:7001" },
	  add_by_libc },
	{ "password",
	  false,
	  { "SOCKSIFY_USER", "user", "SOCKSIFY_PASSWORD_FILE", "" },
	  add_password },
	{ "threads",
	  false,
	  { "SOCKSIFY_USER", "user", "SOCKSIFY_PASSWORD_FILE", "" },
	  add_threads },
	{ "no-password",
	  false,
	  { "SOCKSIFY_USER", "user", "SOCKSIFY_PASSWORD_FILE", "/nonexistent/password" },
	  add_no_password },
	{ "pool", false, { "SOCKSIFY_POOL", "10.77.0.0/28,fd00:77::/64" }, add_pool },
};

static const struct mode *mode;

static Suite *make(void)
{
	Suite *s = suite_create("settings");
	TCase *tc = tcase_create(mode->name);

	if (mode->alone)
		tcase_add_unchecked_fixture(tc, open_listener, NULL);
	tcase_set_timeout(tc, 60);
	mode->add(tc);
	suite_add_tcase(s, tc);
	return s;
}

/* Before the library is there. Returns 0, or 77 for "skipped". */
static int prepare(void)
{
	static char file[] = "/tmp/socksify-password.XXXXXX";

	if (mode->alone && !alone_begin()) {
		fprintf(stderr, "no namespaces of one's own here\n");
		return 77;
	}
	for (int i = 0; i < 4 && mode->variables[i]; i += 2) {
		const char *value = mode->variables[i + 1];

		if (!value[0]) {
			close(mkstemp(file));
			value = file;
		}
		setenv(mode->variables[i], value, 1);
	}
	return 0;
}

/* The halves of tests that are executed anew. */
static int executed(const char *verb, char *argument)
{
	struct hostent *he;

	if (strcmp(verb, "pool") == 0) {
		setenv("SOCKSIFY_POOL", argument, 1);
		execl("/proc/self/exe", "test", "look-up", "ok.another.test", (char *)NULL);
	} else if (strcmp(verb, "look-up") == 0) {
		he = gethostbyname(argument);
		return he && memcmp(he->h_addr_list[0], "\12\116", 2) == 0 ? 0 : 1;
	}
	return connect_to(argument);
}

int main(int argc, char **argv)
{
	if (argc == 3)
		return executed(argv[1], argv[2]);
	for (size_t i = 0; argc == 2 && i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(argv[1], modes[i].name) == 0)
			mode = &modes[i];
	if (!mode) {
		fprintf(stderr, "usage: test MODE\n");
		return 99;
	}
	if (!under_is_second_run()) {
		int err = prepare();

		if (err)
			return err;
	}
	return under_main(argc, argv, UNDER_IPV4, make);
}
