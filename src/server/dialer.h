/*
 * From addresses to one connected socket (RFC 8305): families take turns, the next address is tried
 * when one fails or has not answered after 250 ms, the first to connect wins. With too many
 * under way the oldest makes room for the next. Addresses may come in while it runs.
 */
#ifndef SERVER_DIALER_H
#define SERVER_DIALER_H

#include "address.h"
#include "loop.h"

#define DIALER_ADDRESSES_MAX 32 /* of one family; more are logged and left out */
#define DIALER_ATTEMPTS_MAX  8  /* under way at once */

struct dialer;

/*
 * What the dialers of a thread have between them: attempts beside each one's first. Where there are
 * as many as there may be, the next attempt ends the one before it. Else those who ask for names
 * with many silent addresses would have the descriptors of all others.
 */
struct dialer_share {
	unsigned n, max;
};

/* The winner. */
struct dialled {
	struct watch *sock;    /* connected, non-blocking; to be taken by loop_hand_over() */
	union address own, to; /* its two ends */
};

/*
 * @share   borrowed
 * @closed  says of an address why it must not be tried, in static words, or NULL where it may be;
 *          one that must not counts as one that failed with -EACCES
 * @done  the end, told once, never from within dialer_new(). It may free the dialer.
 *          @err     0, or the most telling of all failures as a negative errno
 *          @winner  with 0, and never from within dialer_add(): borrowed for the call
 *
 * Returns NULL where memory is short.
 */
struct dialer *dialer_new(struct loop *loop, struct dialer_share *share,
                          const char *(*closed)(void *arg, const union address *to),
                          void (*done)(void *arg, int err, const struct dialled *winner),
                          void *arg);
void dialer_free(struct dialer *d); /* closes what is under way; NULL is fine */

/*
 * More addresses, ports included.
 *
 * @last  no more will come: from now on it may fail, maybe before this call returns
 * @err   @last, and never an address: why there is none, a negative errno
 */
void dialer_add(struct dialer *d, const union address *addrs, size_t n, bool last, int err);

/* Has it got any address yet. Where all have failed and more may come, it waits for them 2.5 s. */
bool dialer_has_address(const struct dialer *d);

/* The deadline came: the failure to report, with all that is under way counted as timed out. */
int dialer_give_up(const struct dialer *d);

#endif
