#include "under.h"

#include "proxy.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORT_VARIABLE "UNDER_PROXY_PORT"

bool under_is_second_run(void)
{
	return getenv(PORT_VARIABLE) != NULL;
}

uint16_t under_proxy_port(void)
{
	return (uint16_t)atoi(getenv(PORT_VARIABLE));
}

/* The proxy ends with the test: its parent's death is its signal. */
static int start_proxy(enum under_family family)
{
	int port, fd = proxy_listen(family == UNDER_IPV6 ? AF_INET6 : AF_INET, &port);
	pid_t parent = getpid(), pid;

	if (fd < 0) {
		perror("proxy");
		exit(77); /* meson's "skipped": no IPv6 here */
	}
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(0);
		proxy_serve(fd);
		_exit(0);
	}
	close(fd);
	return port;
}

static void run_under_library(char **argv, enum under_family family)
{
	static const char *const hosts[] = {
		[UNDER_IPV4] = "127.0.0.1",
		[UNDER_IPV6] = "[::1]",
		[UNDER_NAMED] = "localhost",
	};
	const char *scheme = getenv("UNDER_SCHEME");
	char text[64];
	int port = start_proxy(family);

	snprintf(text, sizeof(text), "%d", port);
	setenv(PORT_VARIABLE, text, 1);
	snprintf(text, sizeof(text), "%s://%s:%d", scheme ? scheme : "socks5h", hosts[family],
	         port);
	setenv("SOCKSIFY_PROXY", text, 1);
	setenv("SOCKSIFY_TIMEOUT", "2", 0);
	setenv("SOCKSIFY_LOG", "error", 0);
	setenv("LD_PRELOAD", getenv("LIBSOCKSIFY"), 1);
	/* The sanitizer's runtime comes with the program, which is early enough. */
	setenv("ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0", 1);
	execv("/proc/self/exe", argv);
	perror("exec");
	exit(99);
}

int under_main(int argc, char **argv, enum under_family family, Suite *(*make)(void))
{
	SRunner *runner;
	int failed;

	(void)argc;
	if (!getenv("LIBSOCKSIFY")) {
		fprintf(stderr, "LIBSOCKSIFY must hold the path of libsocksify.so\n");
		return 99;
	}
	if (!under_is_second_run())
		run_under_library(argv, family);
	signal(SIGPIPE, SIG_IGN);
	runner = srunner_create(make());
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}

struct sockaddr_storage under_look_up(const char *name, int family, uint16_t port, socklen_t *len)
{
	struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_STREAM }, *ai;
	struct sockaddr_storage ss = { 0 };
	char service[8];

	snprintf(service, sizeof(service), "%u", port);
	ck_assert_int_eq(getaddrinfo(name, service, &hints, &ai), 0);
	memcpy(&ss, ai->ai_addr, ai->ai_addrlen);
	*len = ai->ai_addrlen;
	freeaddrinfo(ai);
	return ss;
}

int under_connect(const char *name)
{
	socklen_t len;
	struct sockaddr_storage ss = under_look_up(name, AF_INET, 80, &len);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err;

	ck_assert_int_ge(fd, 0);
	if (connect(fd, (struct sockaddr *)&ss, len) == 0)
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
