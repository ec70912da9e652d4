/*
 * libc's own calls, where the library is preloaded into the wrapper itself, as it is within a
 * session. --check is about the proxy that it is told of, which it must not meet through another.
 */
#ifndef WRAPPER_UNHOOKED_H
#define WRAPPER_UNHOOKED_H

#include <base/sys.h>
#include <netdb.h>

/* Each as sys_libc has it where libc can't be asked. */
void unhooked_sys(struct sys *out);

int unhooked_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                         struct addrinfo **out);

#endif
