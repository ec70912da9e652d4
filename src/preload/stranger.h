/*
 * Sockets that the program has from elsewhere and that no hook let pass: raw ones and other kinds
 * that are refused here, and datagram sockets that another program has connected. A send that names
 * an address is judged by that; these are for the sends that name none.
 */
#ifndef PRELOAD_STRANGER_H
#define PRELOAD_STRANGER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>

extern atomic_bool strangers_sought, strangers_any;

/* Of the descriptors that were there first: what a program inherits. Keeps errno. */
void stranger_seek(void);

/* Of those that came along with a message. Keeps errno. */
void stranger_seek_message(const struct msghdr *msg);

/*
 * The program is about to filter its own system calls (seccomp), and may have itself killed for one
 * that only asks what a socket is, as chromium's renderers do: from now on nobody is looked for.
 */
void stranger_stop(void);

/* stranger_judge_send(), where there is one. */
int stranger_judge(int fd);

/* May there be one? At the first send it is looked for, with a system call for each of 64. */
static inline bool strangers_are_there(void)
{
	if (!atomic_load_explicit(&strangers_sought, memory_order_relaxed))
		stranger_seek();
	return atomic_load_explicit(&strangers_any, memory_order_relaxed);
}

/* What a send to the socket's own peer is told: 0, or -EACCES, which is logged. */
static inline int stranger_judge_send(int fd)
{
	return strangers_are_there() ? stranger_judge(fd) : 0;
}

#endif
