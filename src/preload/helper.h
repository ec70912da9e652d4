/*
 * The helper thread: carries dials on while the program does something else, and answers at the
 * ports (ports.h). Made at the first need, with every signal blocked, gone again, and all its
 * descriptors with it, once nothing was held for a few seconds and no port is in use.
 */
#ifndef PRELOAD_HELPER_H
#define PRELOAD_HELPER_H

#include <tunnel/blackhole.h>
#include <tunnel/worker.h>

struct helper {
	struct worker worker;
	struct blackhole hole;
	int spare_fd;        /* what it refers to does not matter: swaps make room with it */
	int floor;           /* descriptors of ours are numbered from here on */
	unsigned generation; /* of another one: all that was under way is gone */
};

/*
 * Under the lock: the helper, running, held until helper_release(). NULL where there can be none
 * (@err is the reason): no thread, no descriptors, no loopback.
 */
struct helper *helper_hold(int *err);

/* Under the lock. */
void helper_release(void);

/* Under the lock, after each use of the black hole: what it has opened is not the program's. */
void helper_claim(void);

/*
 * Under the lock: out of the way of the program's descriptors, or @fd itself where that must not be
 * done now (the helper will) or can't.
 */
int helper_raise(int fd);

/*
 * The program wants the number @fd for a descriptor of its own: what is ours there moves. Not under
 * the lock; waits for the helper.
 */
void helper_move(int fd);

/* In a forked child, for the guard: no thread is there, what it had is closed. @kept: port.h. */
void helper_in_child(bool kept);

#endif
