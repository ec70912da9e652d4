/*
 * When one side of a tunnel was reset, when may the other be? A reset makes the kernel forget
 * what it has not delivered, so that everything written must be acknowledged first. No event
 * tells of that: it is looked at again and again, at growing intervals, for as long as the
 * reader gets on.
 */
#ifndef SERVER_RESET_H
#define SERVER_RESET_H

#include <stdint.h>

#define RESET_QUIET_MS 15000  /* so long nothing may be acknowledged */
#define RESET_MAX_MS   600000 /* and so long it may take in all */

struct reset {
	int64_t quiet_ms, end_ms; /* on the loop's clock: when to give up */
	int unsent;               /* octets, when it was looked at last */
	int wait_ms;
};

void reset_init(struct reset *r, int64_t now_ms);

/*
 * @fd  the side that lives
 *
 * Returns the milliseconds after which to look again, or 0: reset it now.
 */
int reset_look(struct reset *r, int fd, int64_t now_ms);

#endif
