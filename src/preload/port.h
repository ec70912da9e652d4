/*
 * The table of loopback ports (ports.h), and their life, for the helper, the guard and those who
 * serve them.
 */
#ifndef PRELOAD_PORT_H
#define PRELOAD_PORT_H

#include <base/endpoint.h>
#include <pthread.h>
#include <stdatomic.h>
#include <tunnel/worker.h>

#define PORT_MAX 64 /* name servers, by kind and user: resolv.conf has 16 at most */

/* In "where", which is 0 where the entry was never used. */
#define WHERE_NUMBER UINT64_C(0xffff)
#define WHERE_V6     UINT64_C(0x10000) /* at ::1, else at 127.0.0.1 */
#define WHERE_PLACE  (WHERE_NUMBER | WHERE_V6)
#define WHERE_OPEN   UINT64_C(0x20000)
#define WHERE_STREAM UINT64_C(0x40000)
#define WHERE_LEFT   UINT64_C(0x80000) /* it was open at a fork, and this is the child */
#define WHERE_UID(w) ((uid_t)((w) >> 32))

/* What a port has in common with its copies in forked children, and in parents. */
struct port_shared {
	pthread_mutex_t served; /* whose helper watches it */
	atomic_bool begun;      /* that of who has opened it has watched it */
};

struct port {
	struct worker_watch watch; /* first; fd -1: it is closed */
	/* Written under the lock while it is closed; the helper's to read while it is open. */
	struct endpoint remote; /* what it stands for */
	int type;               /* SOCK_DGRAM, SOCK_STREAM */
	uid_t uid;              /* whose it is */
	bool watched;           /* by the helper of this process, who then holds shared->served */
	int64_t left_ms;        /* when it was left to this process, by a fork */
	struct port_shared *shared; /* may be NULL */
	/* For those who take no lock. */
	_Atomic uint64_t where;
	_Atomic uint64_t ip[2], rest; /* of ->remote */
	_Atomic int64_t used_ms;      /* somebody was pointed there */
	_Atomic int64_t closed_ms;
};

extern struct port port_all[PORT_MAX];

/* The helper's own, while it runs. */
extern struct worker *port_worker;

static inline bool port_is_open(const struct port *p)
{
	return atomic_load(&p->where) & WHERE_OPEN;
}

/* Number and WHERE_V6 of a port that has this address; or 0, which none has. */
uint64_t port_place(const struct sockaddr *sa, socklen_t len);

/* For ->shared, or NULL. */
struct port_shared *port_make_shared(void);

/* Under the lock: one was opened that @w is to watch. */
void port_stir(struct worker *w);

/* Under the lock, in a child that is about to open one: those that it has no use for are closed. */
void port_close_left(void);

/*
 * Under the lock, in a child that sends to one of its parent's: the helper is to look whether the
 * parent is still there, to answer it. Sets ports_left anew.
 */
void port_wake(void);

/*
 * By the helper, before each turn: what was opened meanwhile is watched from now on. Returns for
 * how long it may turn at most, in milliseconds; -1: without limit.
 */
int port_tend(struct worker *w);

/*
 * By the helper: for how many milliseconds it is needed at least; 0: it is not, as far as can be
 * seen. Looks at the program's sockets now and then.
 */
int port_need_ms(int64_t now_ms);

/*
 * By the helper, under the lock: close them all, unless somebody was pointed to one since
 * @since_ms, before port_need_ms() was asked. True: they are closed.
 */
bool port_close_all(int64_t since_ms);

/* By the helper, whose epoll has failed: all but what the worker dials is given up. */
void port_fail(void);

/* Under the lock: is one open. */
bool port_any_open(void);

/* Under the lock: is that the number of one; it has another one from now on. */
bool port_has(int fd);
void port_renumber(int fd, int to);

/*
 * In a forked child, without a helper yet: their sockets are its own, too, or (@kept is false) are
 * closed; what else was under way was its parent's.
 */
void port_in_child(bool kept);

#endif
