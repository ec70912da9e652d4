/*
 * How it works: a name that is looked up in libc's own table, and not in the program with all that
 * was loaded before, is libc's. dlsym() would find the library's. There is nothing to restore: the
 * process becomes no other program.
 */
#include "unhooked.h"

#include <base/symbols.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* All but fcntl(), which is variadic there and not in struct sys, and goes nowhere. */
static const struct {
	const char *name;
	size_t at;
} calls[] = {
	{ "socket", offsetof(struct sys, socket) },
	{ "connect", offsetof(struct sys, connect) },
	{ "close", offsetof(struct sys, close) },
	{ "poll", offsetof(struct sys, poll) },
	{ "send", offsetof(struct sys, send) },
	{ "recv", offsetof(struct sys, recv) },
	{ "getsockopt", offsetof(struct sys, getsockopt) },
	{ "setsockopt", offsetof(struct sys, setsockopt) },
	{ "dup3", offsetof(struct sys, dup3) },
};

static void *find(const char *name)
{
	const struct link_map *libc = symbols_libc();

	return libc ? symbols_find(libc, name) : NULL;
}

void unhooked_sys(struct sys *out)
{
	*out = sys_libc;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		void *symbol = find(calls[i].name);

		if (symbol)
			memcpy((char *)out + calls[i].at, &symbol, sizeof(symbol));
	}
}

int unhooked_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                         struct addrinfo **out)
{
	int (*function)(const char *, const char *, const struct addrinfo *,
	                struct addrinfo **) = getaddrinfo;
	void *symbol = find("getaddrinfo");

	if (symbol)
		memcpy(&function, &symbol, sizeof(function));
	return function(host, service, hints, out);
}

int unhooked_execv(const char *path, char *const argv[])
{
#if defined(__x86_64__) && defined(__LP64__)
	long r = SYS_execve;

	__asm__ volatile("syscall"
	                 : "+a"(r)
	                 : "D"(path), "S"(argv), "d"(environ)
	                 : "rcx", "r11", "memory");
	return (int)r;
#elif defined(__i386__)
	long r = SYS_execve;

	__asm__ volatile("int $0x80" : "+a"(r) : "b"(path), "c"(argv), "d"(environ) : "memory");
	return (int)r;
#elif defined(__aarch64__)
	register long number __asm__("x8") = SYS_execve;
	register const void *a __asm__("x0") = path;
	register const void *b __asm__("x1") = argv;
	register const void *c __asm__("x2") = environ;

	__asm__ volatile("svc 0" : "+r"(a) : "r"(number), "r"(b), "r"(c) : "memory");
	return (int)(long)a;
#elif defined(__riscv) && __riscv_xlen == 64
	register long number __asm__("a7") = SYS_execve;
	register const void *a __asm__("a0") = path;
	register const void *b __asm__("a1") = argv;
	register const void *c __asm__("a2") = environ;

	__asm__ volatile("ecall" : "+r"(a) : "r"(number), "r"(b), "r"(c) : "memory");
	return (int)(long)a;
#else
	execv(path, argv);
	return -errno;
#endif
}
