#include "ease.h"

#include <netinet/tcp.h>

/*
 * SO_RCVLOWAT would keep poll() silent about the few octets of a reply, TCP_CORK would hold back
 * each of our own for 200 ms.
 */
static const struct {
	int level, name, wanted;
} eased[] = {
	{ SOL_SOCKET, SO_RCVLOWAT, 1 },
	{ IPPROTO_TCP, TCP_CORK, 0 },
};

_Static_assert(sizeof(eased) / sizeof(eased[0]) == DIAL_EASED, "struct dial has room for them");

void ease_begin(struct dial *d)
{
	for (size_t i = 0; i < DIAL_EASED; i++) {
		int *was = &d->eased_from[i];

		*was = eased[i].wanted;
		if (d->sys->getsockopt(d->fd, eased[i].level, eased[i].name, was,
		                       &(socklen_t){ sizeof(*was) }) == 0 &&
		    *was != eased[i].wanted)
			d->sys->setsockopt(d->fd, eased[i].level, eased[i].name, &eased[i].wanted,
			                   sizeof(int));
	}
	d->eased = true;
}

void ease_end(struct dial *d, int fd)
{
	for (size_t i = 0; d->eased && i < DIAL_EASED; i++)
		if (d->eased_from[i] != eased[i].wanted)
			d->sys->setsockopt(fd, eased[i].level, eased[i].name, &d->eased_from[i],
			                   sizeof(int));
	d->eased = false;
}
