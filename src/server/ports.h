/* The ports of a range, each of them once, from a place in it that a stranger can't guess. */
#ifndef SERVER_PORTS_H
#define SERVER_PORTS_H

#include "values.h"

#include <stdbool.h>

#define PORTS_TRIES_MAX 1024 /* each costs a call while everybody waits */

struct ports {
	uint16_t low;
	unsigned range, at, left;
};

/* Without a range, both 0, there is one port: 0, any that is free. */
void ports_init(struct ports *p, const struct value_ports *range);

/* False: there are no more, or enough have been tried. */
bool ports_next(struct ports *p, uint16_t *port);

#endif
