/*
 * libc's own calls, where the library is preloaded into the wrapper itself, as it is within a
 * session. --check is about the proxy that it is told of, which it must not meet through another;
 * and what becomes of PROGRAM is decided once, here.
 */
#ifndef WRAPPER_UNHOOKED_H
#define WRAPPER_UNHOOKED_H

#include <base/sys.h>
#include <netdb.h>

/* Each as sys_libc has it where libc can't be asked. */
void unhooked_sys(struct sys *out);

int unhooked_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                         struct addrinfo **out);

/*
 * execve(2) with this process's environment, by the kernel itself: a library in this process would
 * have its own mind about the target. Returns a negative errno.
 */
int unhooked_execv(const char *path, char *const argv[]);

#endif
