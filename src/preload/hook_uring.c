/*
 * Rings of io_uring: what is put into one connects and sends past all hooks, and registers with
 * epolls. Programs that find no rings fall back to calls. liburing makes its system call by
 * inline assembler: its entry points are refused in its place.
 */
#include "uring.h"

#include "audit.h"
#include "real.h"
#include "session.h"

#include <base/log.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

bool uring_is_allowed(void)
{
	static atomic_bool told;

	if (!session_config()->io_uring)
		return false;
	if (!atomic_exchange_explicit(&told, true, memory_order_relaxed))
		log_warn("%s[%d]: a ring of io_uring: what it connects and sends goes past the "
		         "proxy, as SOCKSIFY_IO_URING=allow says",
		         program_invocation_short_name, (int)getpid());
	audit_note(DEED_OPEN, "a ring of io_uring", "SOCKSIFY_IO_URING=allow");
	return true;
}

/*
 * Looked up at the call: liburing may be loaded at any time, and where it came along with a plugin
 * it is in the plugin's scope alone.
 */
static uintptr_t find(const char *name)
{
	static const char *const files[] = { "liburing.so.2", "liburing.so.1" };
	void *at = dlsym(RTLD_NEXT, name), *lib;

	for (size_t i = 0; !at && i < sizeof(files) / sizeof(files[0]); i++) {
		lib = real->dlopen(files[i], RTLD_LAZY | RTLD_NOLOAD);
		if (!lib)
			continue;
		at = dlsym(lib, name);
		dlclose(lib); /* its user has it still */
	}
	return (uintptr_t)at;
}

/* liburing tells errors as negative results; errno is for wrappers of that name that tell so. */
static int refuse(void)
{
	errno = ENOSYS;
	return -ENOSYS;
}

#define FORWARD(name, args)                                                                      \
	__typeof__(&hook_##name) at = uring_is_allowed() ? (__typeof__(&hook_##name))find(#name) \
	                                                 : NULL;                                 \
                                                                                                 \
	return at ? at args : refuse()

int hook_io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags)
{
	FORWARD(io_uring_queue_init, (entries, ring, flags));
}

int hook_io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
                                    struct io_uring_params *params)
{
	FORWARD(io_uring_queue_init_params, (entries, ring, params));
}

int hook_io_uring_queue_init_mem(unsigned entries, struct io_uring *ring,
                                 struct io_uring_params *params, void *buf, size_t buf_len)
{
	FORWARD(io_uring_queue_init_mem, (entries, ring, params, buf, buf_len));
}

int hook_io_uring_setup(unsigned entries, struct io_uring_params *params)
{
	FORWARD(io_uring_setup, (entries, params));
}
