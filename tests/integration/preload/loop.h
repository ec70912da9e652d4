/* The proxy's event loop: descriptors and who is told when one of them is ready. */
#ifndef TEST_LOOP_H
#define TEST_LOOP_H

#include <stdint.h>

struct watch {
	void (*ready)(struct watch *w, uint32_t events);
	int fd;
};

/* Both end the process where the kernel won't. */
void loop_add(struct watch *w, uint32_t events);
void loop_set(struct watch *w, uint32_t events);

/* Wait at most @limit_ms (-1: for ever) for one event, and tell its watch. */
void loop_turn(int limit_ms);

#endif
