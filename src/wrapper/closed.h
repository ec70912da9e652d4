/*
 * A process that can make no socket to the network, nor can its children: no_new_privs and a
 * seccomp filter. A guard against programs that know no better, not a sandbox against those that
 * mean harm: what is open already is inherited.h's affair, and sockets that another process hands
 * over go on working.
 */
#ifndef WRAPPER_CLOSED_H
#define WRAPPER_CLOSED_H

#include <linux/filter.h>
#include <stddef.h>

/*
 * From here on, in this process and what it becomes:
 *
 *	socket, socketpair   AF_UNIX and AF_NETLINK; EACCES for all others
 *	io_uring_*           ENOSYS, which programs fall back from
 *
 * for each ABI of this kernel. Call it with one thread.
 *
 * Returns 0 or a negative errno: -EINVAL where the kernel has no filters, -EOPNOTSUPP where this
 * machine's numbers are not known here.
 */
int closed_enter(void);

/*
 * The filter itself, for tests.
 * Returns its length, or 0 where @cap is too small or this machine is not known.
 */
size_t closed_filter(struct sock_filter *buf, size_t cap);

#endif
