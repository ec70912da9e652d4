#include "swap.h"

#include "epolls.h"
#include "fds.h"
#include "lock.h"
#include "options.h"
#include "sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define PLACES_MAX 64 /* numbers of one socket that are followed */

/* The system's default may be another one than the program's choice. IPv4 has no such choice. */
static void copy_v6only(const struct sys *sys, int from, int to)
{
	int v6only = 0;

	sys->getsockopt(from, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, &(socklen_t){ sizeof(v6only) });
	sys->setsockopt(to, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only));
}

void swap_dress(const struct sys *sys, int fd, int to, int which)
{
	int family = AF_INET;

	sys->getsockopt(to, SOL_SOCKET, SO_DOMAIN, &family, &(socklen_t){ sizeof(family) });
	if (family == AF_INET6)
		copy_v6only(sys, fd, to);
	options_copy_to_new(sys, fd, to, which);
}

int swap_prepare(const struct sys *sys, int fd, int family, int protocol)
{
	int to = sys->socket(family, SOCK_STREAM | SOCK_CLOEXEC, protocol);

	if (to < 0)
		return -errno;
	swap_dress(sys, fd, to, OPTIONS_ALL);
	return to;
}

/* F_SETOWN and its kin, O_NONBLOCK. Returns the flags. */
static int copy_flags(const struct sys *sys, int from, int to)
{
	int flags = sys->fcntl(from, F_GETFL, 0);
	int sig = sys->fcntl(from, F_GETSIG, 0);
	struct f_owner_ex owner;

	if (sys->fcntl(from, F_GETOWN_EX, (long)&owner) == 0 && owner.pid != 0)
		sys->fcntl(to, F_SETOWN_EX, (long)&owner);
	if (sig > 0)
		sys->fcntl(to, F_SETSIG, sig);
	if (flags >= 0)
		sys->fcntl(to, F_SETFL, flags & ~O_ASYNC);
	return flags;
}

struct finding {
	uint64_t cookie;
	int fd, *fds;
	size_t n, max;
};

static bool find_one(int fd, void *arg)
{
	struct finding *f = arg;

	if (fd != f->fd && !fds_has(fds_find(fd), FD_OURS) && sockets_cookie(fd) == f->cookie)
		f->fds[f->n++] = fd;
	return f->n < f->max;
}

size_t swap_find(int fd, uint64_t cookie, int *fds, size_t max)
{
	struct finding f = { cookie, fd, fds, 1, max };
	struct fd_entry *e = fds_find(fd);

	fds[0] = fd;
	/* Most sockets were never duplicated, and nobody pays for a look at every descriptor. */
	if (fds_has(e, FD_DUPED) && fds_scan(find_one, &f) && f.n == 1)
		fds_clear(e, FD_DUPED);
	return f.n;
}

static int place_one(const struct sys *sys, int fd, int with)
{
	int flags = sys->fcntl(fd, F_GETFD, 0), r;

	if (flags < 0)
		return -errno;
	do {
		r = sys->dup3(with, fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0);
	} while (r < 0 && (errno == EBUSY || errno == EINTR));
	return r < 0 ? -errno : 0;
}

/* dup3() goes no further than today's limit, though what is open above it goes on. */
static int dup_past_limit(const struct sys *sys, int fd, int to)
{
	struct rlimit was, now;
	int r;

	if (getrlimit(RLIMIT_NOFILE, &was) < 0 || was.rlim_max <= (rlim_t)to)
		return -1;
	now = was;
	now.rlim_cur = (rlim_t)to + 1;
	if (setrlimit(RLIMIT_NOFILE, &now) < 0)
		return -1;
	r = sys->dup3(fd, to, O_CLOEXEC);
	setrlimit(RLIMIT_NOFILE, &was);
	return r;
}

/*
 * Another number for the socket that goes, so that it can be shut down when it has gone: @spare,
 * where the program has not lowered its limit below that, or a new one. Where there is neither nor,
 * it is shut down now, which others can see for a moment.
 */
static int keep(const struct sys *sys, int fd, int spare)
{
	int old = sys->dup3(fd, spare, O_CLOEXEC);

	if (old < 0)
		old = sys->fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (old < 0)
		old = dup_past_limit(sys, fd, spare);
	if (old < 0)
		shutdown(fd, SHUT_RDWR);
	return old;
}

int swap_place(const struct sys *sys, const int *fds, size_t n, int with, int spare)
{
	struct epoll_seats seats = { .n = 0 };
	struct stat st = { .st_ino = 0 };
	int err = 0, old = -1, flags;

	fstat(fds[0], &st);
	flags = copy_flags(sys, fds[0], with);
	if (spare >= 0)
		old = keep(sys, fds[0], spare);
	for (size_t i = 0; i < n; i++)
		epolls_take(fds[i], st.st_ino, &seats);
	/* The last that is replaced closes the former socket, unless there is a spare. */
	for (size_t i = 0; i < n && (err == 0 || i > 0); i++)
		err = place_one(sys, fds[i], with);
	/* Signals tell the number by which they were asked for. */
	if (flags >= 0 && (flags & O_ASYNC))
		sys->fcntl(fds[0], F_SETFL, flags);
	epolls_give(&seats);
	if (old >= 0)
		shutdown(old, SHUT_RDWR);
	if (old >= 0 && old != spare)
		sys->close(old);
	return err;
}

int swap_replace(const struct sys *sys, int fd, int with)
{
	int fds[PLACES_MAX], err;
	struct lock_guard g;
	size_t n;

	lock_take(&g, LOCK_PARKING);
	n = swap_find(fd, sockets_cookie(fd), fds, PLACES_MAX);
	err = swap_place(sys, fds, n, with, -1);
	lock_release(&g);
	return err;
}
