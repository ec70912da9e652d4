/*
 * Seccomp: the system calls that are left to a process. All others fail with EPERM, so that what
 * nobody thought of is an error and not the end of all tunnels.
 */
#ifndef SERVER_FILTER_H
#define SERVER_FILTER_H

#include <stdbool.h>

/*
 * Sanitizers start processes and trace themselves when they report, and read what they like: builds
 * with them have a wider filter.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FILTER_IS_WIDE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
	__has_feature(memory_sanitizer)
#define FILTER_IS_WIDE 1
#endif
#endif
#ifndef FILTER_IS_WIDE
#define FILTER_IS_WIDE 0
#endif

/*
 * What the server does once it listens, for all threads of the process, with no_new_privs set.
 *
 * @nss  and what libc's modules for names do (UNIX and netlink sockets)
 *
 * Returns 0 or a negative errno: -EINVAL where the kernel has no such filters.
 */
int filter_enter_server(bool nss);

/* What the process of opener.c does, with its one socket. The same results. */
int filter_enter_opener(int sock);

#endif
