/*
 * How it works: poll(2) tells a stream of TCP that never was connected from all others: it hangs
 * up in both directions, and has no end that was read. getpeername() would call one unconnected
 * whose both ends are closed, with octets in it that nobody has read yet.
 */
#include "inherited.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Numbers that not every libc's headers have. */
#define PROTOCOL_MPTCP   262
#define CALL_CLOSE_RANGE 436 /* the same for every machine but alpha */
#define CLOSE_ON_EXEC    4   /* close_range(2) */

#define PROBED_MAX 65536 /* descriptors, where nobody tells which there are */

struct taker {
	const struct sys *sys;
	int spare; /* a UNIX socket, or a negative errno */
	unsigned n;
	bool standard;
};

/* Failing is -1, which is no value of what is asked for. */
static int ask(const struct sys *sys, int fd, int name)
{
	int v = -1;
	socklen_t len = sizeof(v);

	return sys->getsockopt(fd, SOL_SOCKET, name, &v, &len) < 0 ? -1 : v;
}

static bool has_been_connected(const struct sys *sys, int fd, int protocol)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP };
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	/* Older kernels let fresh ones of MPTCP look as if they were connected. */
	if (protocol == PROTOCOL_MPTCP)
		return ask(sys, fd, SO_ACCEPTCONN) == 1 ||
		       getpeername(fd, (struct sockaddr *)&peer, &len) == 0;
	if (sys->poll(&p, 1, 0) < 0)
		return false;
	return !(p.revents & POLLHUP) || (p.revents & (POLLRDHUP | POLLERR)) == POLLRDHUP;
}

static bool is_harmless(const struct sys *sys, int fd)
{
	int family, protocol;

	/* ENOTSOCK; or of a kernel that has no such option, and no family that is no internet. */
	family = ask(sys, fd, SO_DOMAIN);
	if (family < 0)
		return ask(sys, fd, SO_TYPE) < 0;
	if (family == AF_UNIX || family == AF_NETLINK || family == AF_ALG)
		return true;
	if ((family != AF_INET && family != AF_INET6) || ask(sys, fd, SO_TYPE) != SOCK_STREAM)
		return false;
	protocol = ask(sys, fd, SO_PROTOCOL);
	return (protocol == IPPROTO_TCP || protocol == PROTOCOL_MPTCP) &&
	       has_been_connected(sys, fd, protocol);
}

static int make_spare(const struct sys *sys)
{
	int fd = sys->socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

/* A number that is free could become another file's, which the program takes for its socket. */
static void take(struct taker *t, int fd)
{
	const struct sys *sys = t->sys;

	t->n++;
	t->standard |= fd <= STDERR_FILENO;
	if (t->spare < 0)
		t->spare = make_spare(sys);
	/* There is room for one only where this one is. */
	if (t->spare == -EMFILE || t->spare == -ENFILE) {
		sys->close(fd);
		t->spare = make_spare(sys);
		if (t->spare < 0)
			return;
		if (t->spare == fd) {
			sys->fcntl(fd, F_SETFD, 0);
			return;
		}
	}
	if (t->spare < 0 || sys->dup3(t->spare, fd, 0) < 0)
		sys->close(fd);
}

static void judge(struct taker *t, int fd)
{
	int flags = t->sys->fcntl(fd, F_GETFD, 0);

	if (flags >= 0 && !(flags & FD_CLOEXEC) && !is_harmless(t->sys, fd))
		take(t, fd);
}

/* Where there is no /proc. */
static void probe(struct taker *t)
{
	for (int fd = 0; fd < PROBED_MAX; fd++)
		judge(t, fd);
	/* Since Linux 5.9 and 5.11; what is that high up is a rare thing. */
	syscall(CALL_CLOSE_RANGE, (unsigned)PROBED_MAX, ~0u, CLOSE_ON_EXEC);
}

unsigned inherited_disarm(const struct sys *sys, bool *standard)
{
	struct taker t = { .sys = sys, .spare = -EBADF };
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;

	if (dir) {
		while ((entry = readdir(dir)))
			if (entry->d_name[0] != '.')
				judge(&t, atoi(entry->d_name));
		closedir(dir);
	} else {
		probe(&t);
	}
	/* The spare one is close-on-exec, or has become one of those that it is there for. */
	*standard = t.standard;
	return t.n;
}
