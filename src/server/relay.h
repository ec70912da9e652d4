/*
 * A tunnel's data: two one-way machines over two connected, non-blocking sockets. Each ends on its
 * own, so that a half-close travels and the other way lives on. While idle a way holds nothing but
 * this struct.
 */
#ifndef SERVER_RELAY_H
#define SERVER_RELAY_H

#include "pipe.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum relay_side { RELAY_CLIENT, RELAY_TARGET };

enum relay_way_state {
	RELAY_WAY_OPEN,  /* octets are read and passed on */
	RELAY_WAY_ENDED, /* the end was read; what is held must still go out */
	RELAY_WAY_OVER,  /* the end was passed on, or there is nobody left to pass it to */
};

struct relay_way {
	uint64_t octets; /* that the receiving kernel took */
	/* Read, but not yet taken by the other side, in memory or a pipe; NULL when nothing is. */
	uint8_t *held;
	struct pipe *pipe;
	uint32_t held_pos, held_len; /* of ->held */
	enum relay_way_state st;
	uint8_t full; /* how often in a row a read filled the scratch buffer, or RELAY_NO_SPLICE */
};

#define RELAY_FULL_RUN  2         /* so often, and the way splices */
#define RELAY_NO_SPLICE UINT8_MAX /* the kernel doesn't splice these sockets */

enum relay_res {
	RELAY_RUNS,
	RELAY_DONE,      /* both have ended: close them, which passes the last end on */
	RELAY_RESET,     /* a side was reset, and all that came from it is written to the other */
	RELAY_NO_MEMORY, /* octets would be lost: end it as an error */
};

struct relay {
	struct relay_way way[2]; /* by the side that it reads from */
	bool reset[2];           /* the side's connection is dead */
	bool ended[2];           /* the side has said its last */
	bool hung[2]; /* epoll says error or hang-up, and nothing can be done about it yet */
};

/* What it borrows for one call. */
struct relay_means {
	uint8_t *scratch;
	size_t scratch_len;
	struct pipe_pool *pipes; /* for splice(2); NULL: all is copied */
};

void relay_init(struct relay *r);
void relay_fini(struct relay *r);

/*
 * Queue octets as if they had just been read from @from: early data, and what is left of the reply.
 * Returns 0 or -ENOMEM.
 */
int relay_hold(struct relay *r, enum relay_side from, const void *buf, size_t len);

/*
 * There is no tunnel: nothing is read any more; what is queued for @to goes out, and then the
 * end.
 */
void relay_only_to(struct relay *r, enum relay_side to);

/* Write what is queued, before the first event. @fd by side. */
enum relay_res relay_flush(struct relay *r, const int fd[2]);

/* Serve an event of one side. */
enum relay_res relay_serve(struct relay *r, const struct relay_means *m, const int fd[2],
                           enum relay_side side, uint32_t events);

/* Is anything held that came from that side. */
static inline bool relay_holds(const struct relay *r, enum relay_side from)
{
	return r->way[from].held || r->way[from].pipe;
}

/* What to ask of epoll for a side; 0 where no event could help. */
uint32_t relay_mask(const struct relay *r, enum relay_side side);

#endif
