#include "real.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#undef real /* this file says "struct real" */

static struct real table;
static atomic_bool ready;

/*
 * Stands in for what this libc does not have. Only functions that return a number are younger than the
 * oldest glibc that we serve, so -1 is right for all that can be missing.
 */
static long missing(void)
{
	errno = ENOSYS;
	return -1;
}

static void *look_up(const char *name)
{
	void *at = dlsym(RTLD_NEXT, name);

	return at ? at : (void *)(uintptr_t)missing;
}

/* Several threads may do this at once: they all write the same. */
static void resolve(void)
{
	int saved = errno;

	/* Object and function pointers are one size wherever dlsym() exists (POSIX says so). */
#define HOOK(type, name, params, args) *(void **)&table.name = look_up(#name);
#define HOOK_ALIAS(type, name, of, params, args)
#include "hooks.def"
#undef HOOK
#undef HOOK_ALIAS
	atomic_store_explicit(&ready, true, memory_order_release);
	errno = saved;
}

const struct real *real_get(void)
{
	if (!atomic_load_explicit(&ready, memory_order_acquire))
		resolve();
	return &table;
}

static int sys_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	return real_get()->connect(fd, sa, len);
}

static int sys_setsockopt(int fd, int level, int name, const void *val, socklen_t len)
{
	return real_get()->setsockopt(fd, level, name, val, len);
}

static int sys_getsockname(int fd, struct sockaddr *sa, socklen_t *len)
{
	return real_get()->getsockname(fd, sa, len);
}

static int sys_getpeername(int fd, struct sockaddr *sa, socklen_t *len)
{
	return real_get()->getpeername(fd, sa, len);
}

/* A function without a hook is libc's own when called by its name; one with a hook goes through real. */
const struct sys real_sys = {
	.socket = socket,
	.connect = sys_connect,
	.bind = bind,
	.close = close,
	.poll = poll,
	.send = send,
	.recv = recv,
	.getsockopt = getsockopt,
	.setsockopt = sys_setsockopt,
	.getsockname = sys_getsockname,
	.getpeername = sys_getpeername,
	.fcntl = fcntl,
	.dup3 = dup3,
};
