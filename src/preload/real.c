#include "real.h"

#include "next.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#undef real /* this file says "struct real" */

static struct real table;
static atomic_bool ready, complete;

/*
 * Stands in for what this libc does not have. Only functions that return a number are younger than
 * the oldest glibc that we serve, so -1 is right for all that can be missing.
 */
static long missing(void)
{
	errno = ENOSYS;
	return -1;
}

static void *look_up(const char *name)
{
	void *at = next_dlsym_at()(RTLD_NEXT, name);

	return at ? at : (void *)(uintptr_t)missing;
}

/* Object and function pointers are one size wherever dlsym() exists (POSIX says so). */
#define MEMBER(name) (*(void **)&table.name)

/*
 * Several threads may do this at once: they all write the same. What is looked for here is in every
 * libc that we serve: a dlsym() that fails allocates, and the first hook may be called by an
 * allocator that is not ready, with its lock held (jemalloc's, by syscall()).
 */
static void resolve(void)
{
	int saved = errno;

#define HOOK(type, name, params, args) MEMBER(name) = look_up(#name);
#define HOOK_YOUNG(type, name, params, args) \
	if (!MEMBER(name))                   \
		MEMBER(name) = (void *)(uintptr_t)missing;
#define HOOK_OWN(type, name, params, args)
#define HOOK_ALIAS(type, name, of, params, args)
#define HOOK_JUMP(type, name, params) MEMBER(name) = look_up(#name);
#define REAL(type, name, params)      MEMBER(name) = look_up(#name);
#include "hooks.def"
#undef HOOK
#undef HOOK_YOUNG
#undef HOOK_OWN
#undef HOOK_ALIAS
#undef HOOK_JUMP
#undef REAL
	atomic_store_explicit(&ready, true, memory_order_release);
	errno = saved;
}

void real_complete(void)
{
	int saved = errno;

	real_get();
	if (atomic_exchange(&complete, true))
		return;
#define HOOK(type, name, params, args)
#define HOOK_YOUNG(type, name, params, args) MEMBER(name) = look_up(#name);
#define HOOK_OWN(type, name, params, args)
#define HOOK_ALIAS(type, name, of, params, args)
#define HOOK_JUMP(type, name, params)
#define REAL(type, name, params)
#include "hooks.def"
#undef HOOK
#undef HOOK_YOUNG
#undef HOOK_OWN
#undef HOOK_ALIAS
#undef HOOK_JUMP
#undef REAL
	errno = saved;
}

const struct real *real_get(void)
{
	if (!atomic_load_explicit(&ready, memory_order_acquire))
		resolve();
	return &table;
}

/* Resolved at each call: one of them may be the first that this library makes. */
static int sys_socket(int family, int type, int protocol)
{
	return real_get()->socket(family, type, protocol);
}

static int sys_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	return real_get()->connect(fd, sa, len);
}

static int sys_close(int fd)
{
	return real_get()->close(fd);
}

static int sys_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	return real_get()->poll(fds, n, timeout_ms);
}

static ssize_t sys_send(int fd, const void *buf, size_t n, int flags)
{
	return real_get()->send(fd, buf, n, flags);
}

static ssize_t sys_recv(int fd, void *buf, size_t n, int flags)
{
	return real_get()->recv(fd, buf, n, flags);
}

static int sys_getsockopt(int fd, int level, int name, void *val, socklen_t *len)
{
	return real_get()->getsockopt(fd, level, name, val, len);
}

static int sys_setsockopt(int fd, int level, int name, const void *val, socklen_t len)
{
	return real_get()->setsockopt(fd, level, name, val, len);
}

static int sys_fcntl(int fd, int cmd, long arg)
{
	return real_get()->fcntl(fd, cmd, arg);
}

static int sys_dup3(int from, int to, int flags)
{
	return real_get()->dup3(from, to, flags);
}

static int sys_bind(int fd, const struct sockaddr *sa, socklen_t len)
{
	return real_get()->bind(fd, sa, len);
}

static int sys_listen(int fd, int backlog)
{
	return real_get()->listen(fd, backlog);
}

static int sys_getsockname(int fd, struct sockaddr *sa, socklen_t *len)
{
	return real_get()->getsockname(fd, sa, len);
}

static int sys_epoll_create1(int flags)
{
	return real_get()->epoll_create1(flags);
}

static int sys_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *ev)
{
	return real_get()->epoll_ctl(epoll_fd, op, fd, ev);
}

static int sys_epoll_wait(int epoll_fd, struct epoll_event *evs, int n, int timeout_ms)
{
	return real_get()->epoll_wait(epoll_fd, evs, n, timeout_ms);
}

static int sys_eventfd(unsigned count, int flags)
{
	return real_get()->eventfd(count, flags);
}

static ssize_t sys_read(int fd, void *buf, size_t n)
{
	return real_get()->read(fd, buf, n);
}

static ssize_t sys_write(int fd, const void *buf, size_t n)
{
	return real_get()->write(fd, buf, n);
}

const struct sys real_sys = {
	.socket = sys_socket,
	.connect = sys_connect,
	.close = sys_close,
	.poll = sys_poll,
	.send = sys_send,
	.recv = sys_recv,
	.getsockopt = sys_getsockopt,
	.setsockopt = sys_setsockopt,
	.fcntl = sys_fcntl,
	.dup3 = sys_dup3,
	.bind = sys_bind,
	.listen = sys_listen,
	.getsockname = sys_getsockname,
	.epoll_create1 = sys_epoll_create1,
	.epoll_ctl = sys_epoll_ctl,
	.epoll_wait = sys_epoll_wait,
	.eventfd = sys_eventfd,
	.read = sys_read,
	.write = sys_write,
};
