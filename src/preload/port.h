/* One loopback port (ports.h), and the life of them all, for the helper and the guard. */
#ifndef PRELOAD_PORT_H
#define PRELOAD_PORT_H

#include <base/endpoint.h>
#include <stdatomic.h>
#include <tunnel/worker.h>

struct port {
	struct worker_watch watch; /* first; fd -1: it is closed */
	/* Written under the lock while it is closed; the helper's to read while it is open. */
	struct endpoint remote; /* what it stands for */
	int type;               /* SOCK_DGRAM, SOCK_STREAM */
	uid_t uid;              /* whose it is */
	bool watched;           /* by the helper of this process */
	/* The same for those who take no lock: see ports.c. */
	_Atomic uint64_t where;
	_Atomic uint64_t ip[2], rest;
	_Atomic int64_t used_ms; /* somebody was pointed there */
	_Atomic int64_t closed_ms;
};

/* The helper's own, while it runs. */
extern struct worker *ports_worker;

/* By the helper, before each turn: what was opened meanwhile is watched from now on. */
void ports_tend(struct worker *w);

/*
 * By the helper: for how many milliseconds it is needed at least; 0: it is not, as far as can be
 * seen. Looks at the program's sockets now and then.
 */
int ports_need_ms(int64_t now_ms);

/*
 * By the helper, under the lock: close them all, unless somebody was pointed to one since
 * @since_ms, before ports_need_ms() was asked. True: they are closed.
 */
bool ports_close(int64_t since_ms);

/* By the helper, whose epoll has failed: all but what the worker dials is given up. */
void ports_fail(void);

/* Under the lock: is one open. */
bool ports_are_open(void);

/* Under the lock: is that the number of one; it has another one from now on. */
bool ports_have(int fd);
void ports_renumber(int fd, int to);

/*
 * In a forked child, without a helper yet: their sockets are its own now, or (@kept is false) are
 * closed; what else was under way was its parent's.
 */
void ports_in_child(bool kept);

#endif
