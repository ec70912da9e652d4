#include "under.h"

#include "proxy.h"
#include "tally.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORT_VARIABLE    "UNDER_PROXY_PORT"
#define CONTROL_VARIABLE "UNDER_CONTROL_PORT"
#define DIRECT_VARIABLE  "UNDER_DIRECT"
#define HOST_VARIABLE    "UNDER_HOST"
#define NETWORK_VARIABLE "UNDER_NETWORK"

#ifdef __SANITIZE_THREAD__
const char *__tsan_default_options(void);
const char *__tsan_default_suppressions(void);

/* Children of the test connect too. */
const char *__tsan_default_options(void)
{
	return "die_after_fork=0";
}

/*
 * Descriptors are memory to it. What orders the helper's dup3() before the program's close() of the
 * same number is that poll() saw the new socket, which it doesn't know; that an epoll is closed is
 * seen late, and meant to be; and a child's descriptors are not its parent's.
 */
const char *__tsan_default_suppressions(void)
{
	return "race:place_one\nrace:take_noted\nrace:take_seat\nrace:epolls_give\n"
	       "race:parked_close_dialled\nrace:helper_raise\nrace:move_core\nrace:move_job\n"
	       "race:refuse_in_place\nrace:leave_to_parent\n";
}
#endif

bool under_is_second_run(void)
{
	return getenv(PORT_VARIABLE) != NULL;
}

const char *under_self(void)
{
	static char path[4096];

	return readlink("/proc/self/exe", path, sizeof(path) - 1) > 0 ? path : "/proc/self/exe";
}

uint16_t under_proxy_port(void)
{
	return (uint16_t)atoi(getenv(PORT_VARIABLE));
}

bool under_is_direct(void)
{
	return getenv(DIRECT_VARIABLE) != NULL;
}

static void set_number(const char *variable, int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", n);
	setenv(variable, text, 1);
}

/* A socket stays in the network that it was made in. Returns the way back, or -1. */
static int enter_network(void)
{
	const char *number = getenv(NETWORK_VARIABLE);
	int home;

	if (!number)
		return -1;
	home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (home < 0 || setns(atoi(number), CLONE_NEWNET) < 0) {
		perror("the proxy's network");
		exit(99);
	}
	return home;
}

/* The proxy ends with the test: its parent's death is its signal. */
static void start_proxy(enum under_family family)
{
	const char *host = getenv(HOST_VARIABLE);
	int port, control_port, fd, control, home = enter_network();
	pid_t parent = getpid(), pid;

	fd = proxy_listen(family == UNDER_IPV6 ? AF_INET6 : AF_INET, host, &port);
	control = proxy_control(host, &control_port);
	if (home >= 0) {
		setns(home, CLONE_NEWNET);
		close(home);
	}
	if (fd < 0 || control < 0) {
		perror("proxy");
		exit(77); /* meson's "skipped": no IPv6 here */
	}
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(0);
		proxy_serve(fd, control);
		_exit(0);
	}
	close(fd);
	close(control);
	set_number(PORT_VARIABLE, port);
	set_number(CONTROL_VARIABLE, control_port);
}

static void set_library(enum under_family family)
{
	static const char *const hosts[] = {
		[UNDER_IPV4] = "127.0.0.1",
		[UNDER_IPV6] = "[::1]",
		[UNDER_NAMED] = "localhost",
	};
	const char *scheme = getenv("UNDER_SCHEME"), *host = getenv(HOST_VARIABLE);
	char text[64];

	snprintf(text, sizeof(text), "%s://%s:%d", scheme ? scheme : "socks5h",
	         host ? host : hosts[family], under_proxy_port());
	setenv("SOCKSIFY_PROXY", text, 1);
	setenv("SOCKSIFY_TIMEOUT", "2", 0);
	setenv("SOCKSIFY_LOG", "error", 0);
	setenv("LD_PRELOAD", getenv("LIBSOCKSIFY"), 1);
	/* The sanitizer's runtime comes with the program, which is early enough. */
	setenv("ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0", 1);
}

static void run_again(char **argv, enum under_family family)
{
	bool direct = argv[1] && strcmp(argv[1], "direct") == 0;

	/* Without it the names would be asked of this machine's resolver. */
	if (!direct && (!getenv("LIBSOCKSIFY") || access(getenv("LIBSOCKSIFY"), R_OK) < 0)) {
		fprintf(stderr, "LIBSOCKSIFY must hold the path of libsocksify.so\n");
		exit(99);
	}
	start_proxy(family);
	if (direct)
		setenv(DIRECT_VARIABLE, "1", 1);
	else
		set_library(family);
	execv(under_self(), argv);
	perror("exec");
	exit(99);
}

int under_main(int argc, char **argv, enum under_family family, Suite *(*make)(void))
{
	SRunner *runner;
	int failed;

	(void)argc;
	if (!under_is_second_run())
		run_again(argv, family);
	signal(SIGPIPE, SIG_IGN);
	runner = srunner_create(make());
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}

static int order(enum tally_verb verb, int n, const char *name)
{
	const char *host = getenv(HOST_VARIABLE);
	struct tally_order what = { .verb = verb, .n = n };
	struct sockaddr_in sa = { .sin_family = AF_INET,
		                  .sin_port = htons((uint16_t)atoi(getenv(CONTROL_VARIABLE))) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), value = 0;
	ssize_t len;

	inet_pton(AF_INET, host ? host : "127.0.0.1", &sa.sin_addr);
	strncpy(what.name, name, sizeof(what.name) - 1);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(send(fd, &what, sizeof(what), 0), sizeof(what));
	do
		len = recv(fd, &value, sizeof(value), 0);
	while (len < 0 && errno == EINTR);
	ck_assert_int_eq(len, sizeof(value));
	close(fd);
	return value;
}

void under_release(const char *name)
{
	order(TALLY_RELEASE, 0, name);
}

void under_await_requests(const char *name, int n)
{
	if (!under_is_direct())
		order(TALLY_REQUESTS, n, name);
}

void under_await_ended(const char *name, int n)
{
	if (!under_is_direct())
		order(TALLY_ENDED, n, name);
}

int under_requests(const char *name)
{
	return order(TALLY_COUNT, 0, name);
}

uint16_t under_port_seen(const char *name)
{
	return (uint16_t)order(TALLY_PORT, 0, name);
}

void under_stop_proxy(void)
{
	order(TALLY_STOP, 0, "");
}

static struct sockaddr_storage look_up_direct(const char *name, int family, socklen_t *len)
{
	uint16_t port = htons((uint16_t)order(TALLY_DIRECT, 0, name));
	struct sockaddr_storage ss = { .ss_family = (sa_family_t)family };
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ss;
	struct sockaddr_in *v4 = (struct sockaddr_in *)&ss;

	v4->sin_port = port; /* in the same place for IPv6 */
	*len = family == AF_INET6 ? sizeof(*v6) : sizeof(*v4);
	if (family == AF_INET6)
		inet_pton(AF_INET6, "::ffff:127.0.0.1", &v6->sin6_addr);
	else
		v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return ss;
}

/* Returns what getaddrinfo() returned. */
static int look_up(const char *name, int family, uint16_t port, struct sockaddr_storage *ss,
                   socklen_t *len)
{
	struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_STREAM }, *ai;
	char service[8];
	int err;

	*ss = (struct sockaddr_storage){ 0 };
	if (under_is_direct()) {
		*ss = look_up_direct(name, family, len);
		return 0;
	}
	snprintf(service, sizeof(service), "%u", port);
	err = getaddrinfo(name, service, &hints, &ai);
	if (err != 0)
		return err;
	memcpy(ss, ai->ai_addr, ai->ai_addrlen);
	*len = ai->ai_addrlen;
	freeaddrinfo(ai);
	return 0;
}

struct sockaddr_storage under_look_up(const char *name, int family, uint16_t port, socklen_t *len)
{
	struct sockaddr_storage ss;

	ck_assert_int_eq(look_up(name, family, port, &ss, len), 0);
	return ss;
}

int under_connect(const char *name)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int fd, err;

	if (look_up(name, AF_INET, 80, &ss, &len) != 0) {
		errno = EHOSTUNREACH;
		return -1;
	}
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&ss, len) == 0)
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

void under_echo(int fd)
{
	char buf[16] = "";

	ck_assert_int_eq(send(fd, "hello", 5, MSG_NOSIGNAL), 5);
	ck_assert_int_eq(recv(fd, buf, 5, MSG_WAITALL), 5);
	ck_assert_str_eq(buf, "hello");
}
