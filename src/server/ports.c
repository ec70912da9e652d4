#include "ports.h"

#include <sys/random.h>

void ports_init(struct ports *p, const struct value_ports *range)
{
	unsigned first = 0;

	p->low = range->low;
	p->range = range->high - range->low + 1u;
	p->left = p->range < PORTS_TRIES_MAX ? p->range : PORTS_TRIES_MAX;
	if (p->range > 1 && getrandom(&first, sizeof(first), GRND_NONBLOCK) < 0)
		first = 0;
	p->at = first % p->range;
}

bool ports_next(struct ports *p, uint16_t *port)
{
	if (p->left == 0)
		return false;
	p->left--;
	*port = (uint16_t)(p->low + p->at);
	p->at = (p->at + 1) % p->range;
	return true;
}
