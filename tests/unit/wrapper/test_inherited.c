/* What a program without a network inherits: which sockets it gets, and which are taken from it. */
#include <arpa/inet.h>
#include <base/sys.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unit.h>
#include <wrapper/inherited.h>

#define PROTOCOL_MPTCP 262
#define SKIPPED        77

static struct sockaddr_in here = { .sin_family = AF_INET };

static int make_listener(int protocol)
{
	socklen_t len = sizeof(here);
	int fd = socket(AF_INET, SOCK_STREAM, protocol);

	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	here.sin_port = 0;
	if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0 || listen(fd, 1) < 0 ||
	    getsockname(fd, (struct sockaddr *)&here, &len) < 0)
		return -1;
	return fd;
}

/* The other side is still there, if @peer is not NULL; else it has sent "last", and is gone. */
static int make_connected(int protocol, int *peer)
{
	int listener = make_listener(protocol), fd, other;

	if (listener < 0)
		return -1;
	fd = socket(AF_INET, SOCK_STREAM, protocol);
	if (connect(fd, (struct sockaddr *)&here, sizeof(here)) < 0)
		return -1;
	other = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	if (peer) {
		*peer = other;
		return fd;
	}
	if (send(other, "last", 4, 0) != 4)
		return -1;
	close(other);
	return fd;
}

static int make_datagram(void)
{
	int to = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), fd = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t len = sizeof(here);

	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	here.sin_port = 0;
	bind(to, (struct sockaddr *)&here, sizeof(here));
	getsockname(to, (struct sockaddr *)&here, &len);
	return connect(fd, (struct sockaddr *)&here, sizeof(here)) < 0 ? -1 : fd;
}

/* Both ends are closed, and nobody has read what came. */
static int make_ended(void)
{
	struct pollfd p = { .events = POLLHUP };

	p.fd = make_connected(0, NULL);
	if (p.fd < 0 || shutdown(p.fd, SHUT_WR) < 0)
		return -1;
	poll(&p, 1, 5000);
	return p.fd;
}

static int make_reset(void)
{
	struct linger now = { .l_onoff = 1 };
	struct pollfd p = { .events = POLLHUP };
	int peer = -1;

	p.fd = make_connected(0, &peer);
	if (p.fd < 0)
		return -1;
	setsockopt(peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(peer);
	poll(&p, 1, 5000);
	return p.fd;
}

static int make_bound(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	here.sin_port = 0;
	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0 ? -1 : fd;
}

static int make(const char *what)
{
	int peer;

	switch (what[0]) {
	case 'L':
		return make_listener(what[1] ? PROTOCOL_MPTCP : 0);
	case 'C':
		return make_connected(what[1] ? PROTOCOL_MPTCP : 0, &peer);
	case 'E':
		return make_ended();
	case 'R':
		return make_reset();
	case 'B':
		return make_bound();
	case 'D':
		return make_datagram();
	case '/':
		return open(what, O_RDONLY);
	}
	return -1;
}

/* Made by make(), or of a kind. */
static const struct {
	const char *what;
	int family, type, protocol;
	bool stays;
} rows[] = {
	{ NULL, AF_INET, SOCK_STREAM, 0, false },
	{ NULL, AF_INET6, SOCK_STREAM, 0, false },
	{ NULL, AF_INET, SOCK_DGRAM, 0, false },
	{ NULL, AF_INET6, SOCK_DGRAM, 0, false },
	{ NULL, AF_INET, SOCK_STREAM, PROTOCOL_MPTCP, false },
	{ NULL, AF_INET, SOCK_RAW, IPPROTO_ICMP, false },
	{ NULL, AF_PACKET, SOCK_RAW, 0, false },
	{ NULL, AF_UNIX, SOCK_DGRAM, 0, true },
	{ NULL, AF_NETLINK, SOCK_RAW, 0, true },
	{ NULL, AF_ALG, SOCK_SEQPACKET, 0, true },
	{ "B", 0, 0, 0, false },
	{ "D", 0, 0, 0, false },
	{ "L", 0, 0, 0, true },
	{ "L MPTCP", 0, 0, 0, true },
	{ "C", 0, 0, 0, true },
	{ "C MPTCP", 0, 0, 0, true },
	{ "E", 0, 0, 0, true },
	/* Nothing can be read of it any more, but that it failed. */
	{ "R", 0, 0, 0, false },
	{ "/dev/null", 0, 0, 0, true },
	{ "/", 0, 0, 0, true },
};

static int family_of(int fd)
{
	socklen_t len = sizeof(int);
	int v;

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &v, &len) < 0 ? -errno : v;
}

/* Of a replaced one. */
static bool is_shut(int fd)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	char c;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return family_of(fd) == AF_UNIX && fcntl(fd, F_GETFD) == 0 && read(fd, &c, 1) < 0 &&
	       write(fd, "x", 1) < 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 &&
	       sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) < 0;
}

/* Which fact fails, from 1 on; 0 if all hold. */
static int live(int i, bool is_full)
{
	int fd = rows[i].what ? make(rows[i].what)
	                      : socket(rows[i].family, rows[i].type, rows[i].protocol),
	    before, again, kept;
	char text[4];
	bool standard;

	if (fd < 0)
		return SKIPPED;
	before = family_of(fd);
	kept = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	again = fcntl(fd, F_DUPFD, 100);
	if (is_full) {
		struct rlimit few = { 101, 101 };

		if (again != 100 || setrlimit(RLIMIT_NOFILE, &few) < 0)
			return SKIPPED;
		while (fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) >= 0)
			;
	}
	if (inherited_disarm(&sys_libc, &standard) != (rows[i].stays ? 0u : 2u) || standard)
		return 1;
	if (family_of(kept) != before)
		return 2;
	if (rows[i].stays && (family_of(fd) != before || family_of(again) != before))
		return 3;
	if (!rows[i].stays && (!is_shut(fd) || !is_shut(again)))
		return 4;
	if (rows[i].what && rows[i].what[0] == 'E' && recv(fd, text, 4, 0) != 4)
		return 5;
	return 0;
}

/* @_i  with and without room for another descriptor */
START_TEST(unconnected_sockets_are_taken)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		/* The test's own. */
		for (int fd = 3; fd < 64; fd++)
			close(fd);
		signal(SIGPIPE, SIG_IGN);
		_exit(live(_i / 2, _i % 2));
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	if (WEXITSTATUS(status) != SKIPPED)
		ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

START_TEST(standard_input_is_told_apart)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		bool standard = false;
		int fd;

		for (fd = 3; fd < 64; fd++)
			close(fd);
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		_exit(fd < 0 || dup2(fd, STDIN_FILENO) < 0 ||
		      inherited_disarm(&sys_libc, &standard) != 1 || !standard);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

UNIT_MAIN("wrapper/inherited", { unconnected_sockets_are_taken, 2 * ROWS(rows) },
          { standard_input_is_told_apart, 1 })
