/*
 * The system calls that tunnel/ makes, as a table, so that the same code serves the library (which
 * must reach libc past its own hooks), the wrapper and the tests (which make calls fail on
 * purpose).
 */
#ifndef BASE_SYS_H
#define BASE_SYS_H

#include <poll.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>

struct sys {
	int (*socket)(int family, int type, int protocol);
	int (*connect)(int fd, const struct sockaddr *sa, socklen_t len);
	int (*close)(int fd);
	int (*poll)(struct pollfd *fds, nfds_t n, int timeout_ms);
	ssize_t (*send)(int fd, const void *buf, size_t len, int flags);
	ssize_t (*recv)(int fd, void *buf, size_t len, int flags);
	int (*getsockopt)(int fd, int level, int name, void *val, socklen_t *len);
	int (*setsockopt)(int fd, int level, int name, const void *val, socklen_t len);
	int (*fcntl)(int fd, int cmd, long arg); /* arg may be a pointer */
	int (*dup3)(int from, int to, int flags);
	int (*bind)(int fd, const struct sockaddr *sa, socklen_t len);
	int (*listen)(int fd, int backlog);
	int (*getsockname)(int fd, struct sockaddr *sa, socklen_t *len);
	int (*epoll_create1)(int flags);
	int (*epoll_ctl)(int epoll_fd, int op, int fd, struct epoll_event *ev);
	int (*epoll_wait)(int epoll_fd, struct epoll_event *evs, int n, int timeout_ms);
	int (*eventfd)(unsigned count, int flags);
	ssize_t (*read)(int fd, void *buf, size_t len);
	ssize_t (*write)(int fd, const void *buf, size_t len);
};

/* libc's own. */
extern const struct sys sys_libc;

/*
 * Move a descriptor of ours out of the way of those of the program: to the lowest free number from
 * @floor on, close-on-exec. Where there is none it stays. A negative @fd, with errno set by the
 * call that made it, is passed through as -errno: sys_raise(sys, sys->socket(...), floor).
 *
 * Returns the descriptor or a negative errno.
 */
int sys_raise(const struct sys *sys, int fd, int floor);

#endif
