/*
 * Which epolls have a descriptor registered, for which events, with what data of the program's:
 * noted by the hook of epoll_ctl, read from /proc where that can't know.
 */
#ifndef PRELOAD_EPOLLS_H
#define PRELOAD_EPOLLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>

#define EPOLLS_SEATS_MAX 16 /* registrations of one socket, under all its numbers, that are moved */

struct epoll_seat {
	int epoll_fd, fd;
	struct epoll_event event;
};

struct epoll_seats {
	struct epoll_seat at[EPOLLS_SEATS_MAX];
	size_t n;
};

/* As epoll_ctl(2), and noted. @armed: under the lock, of a parked descriptor. */
int epolls_control(int epoll_fd, int op, int fd, struct epoll_event *ev, bool armed);

/*
 * Under the lock: remove the registrations of @fd, which is the file @inode, and remember them.
 * Nothing is lost that is in no epoll.
 */
void epolls_take(int fd, ino_t inode, struct epoll_seats *seats);

/* Under the lock: make them again, for the files that the numbers have come to stand for. */
void epolls_give(const struct epoll_seats *seats);

/*
 * Note what the hooks can't know: registrations in epolls that came over exec, and that sockets
 * which did may have two numbers. Such descriptors have low numbers.
 */
void epolls_import(void);

#endif
