/* What tests of who goes where share: a listener that direct connections reach, and short ways. */
#ifndef TEST_ROUTES_H
#define TEST_ROUTES_H

#include "under.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

/* Ports are free in a network of one's own. */
#define PORT 7001

static int listener = -1;

static inline struct sockaddr_in at(const char *ip, uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };

	ck_assert_int_eq(inet_pton(AF_INET, ip, &sa.sin_addr), 1);
	return sa;
}

static inline struct sockaddr_in in_of(const struct sockaddr_storage *ss)
{
	struct sockaddr_in sa;

	memcpy(&sa, ss, sizeof(sa));
	return sa;
}

static inline const char *text_of(const struct sockaddr_in *sa)
{
	static char text[INET_ADDRSTRLEN];

	return inet_ntop(AF_INET, &sa->sin_addr, text, sizeof(text));
}

static inline bool is_placeholder(const struct sockaddr_in *sa)
{
	return (ntohl(sa->sin_addr.s_addr) & 0xfffe0000) == 0xc6120000;
}

static inline struct sockaddr_in look_up(const char *name, uint16_t port)
{
	socklen_t len;
	struct sockaddr_storage ss = under_look_up(name, AF_INET, port, &len);

	return in_of(&ss);
}

static inline int stream(int flags)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	ck_assert_int_ge(fd, 0);
	return fd;
}

/* Returns 0 or errno. */
static inline int join(int fd, const struct sockaddr_in *sa)
{
	return connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 ? 0 : errno;
}

/* Whoever connects to it past the proxy arrives here. */
static inline void open_listener(void)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };

	listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&any, sizeof(any)), 0);
	ck_assert_int_eq(listen(listener, 64), 0);
}

/* Was there a direct connection? */
static inline bool arrived(void)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static inline void check_direct(const struct sockaddr_in *sa)
{
	int fd = stream(0);

	ck_assert_int_eq(join(fd, sa), 0);
	ck_assert(arrived());
	close(fd);
}

static inline void check_proxied(const struct sockaddr_in *sa)
{
	int fd = stream(0);

	ck_assert_int_eq(join(fd, sa), 0);
	under_echo(fd);
	ck_assert(!arrived());
	close(fd);
}

/* Run this program again, as "test VERB ADDRESS". */
static inline int run(const char *verb, const char *address)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execl("/proc/self/exe", "test", verb, address, (char *)NULL);
		_exit(99);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The executed half of run("connect-to", …), where no test runs that could be failed. */
static inline int connect_to(const char *address)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(PORT) };

	inet_pton(AF_INET, address, &sa.sin_addr);
	return join(socket(AF_INET, SOCK_STREAM, 0), &sa);
}

#endif
