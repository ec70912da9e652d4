#include "lastword.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define OCTETS_MAX (4U << 20) /* a client that says more is left to its own kernel */

/* Returns whether the client has come to its end, for good or not. */
static bool discard(struct lastword *l, const struct relay *r, int fd, uint8_t *scratch,
                    size_t scratch_len)
{
	ssize_t n;

	do {
		/* TCP copies nothing then: it may be a password. */
		n = recv(fd, scratch, scratch_len, MSG_DONTWAIT | MSG_TRUNC);
		if (n > 0)
			l->discarded += (uint32_t)n;
	} while ((n > 0 && l->discarded < OCTETS_MAX) || (n < 0 && errno == EINTR));
	if (n < 0)
		return errno != EAGAIN && errno != ENOMEM && errno != ENOBUFS;
	if (n > 0)
		return false;
	/* Its end would be readable for good. */
	l->discarded = OCTETS_MAX;
	return !r->way[RELAY_TARGET].held;
}

bool lastword_serve(struct lastword *l, struct relay *r, int fd, uint32_t events, uint8_t *scratch,
                    size_t scratch_len)
{
	const int fds[2] = { [RELAY_CLIENT] = fd, [RELAY_TARGET] = -1 };

	(void)relay_flush(r, fds);
	if (events & (EPOLLERR | EPOLLHUP) && l->discarded >= OCTETS_MAX)
		return true;
	return discard(l, r, fd, scratch, scratch_len);
}

uint32_t lastword_mask(const struct lastword *l, const struct relay *r)
{
	return (l->discarded < OCTETS_MAX ? EPOLLIN : EPOLLERR) |
	       (r->way[RELAY_TARGET].held ? EPOLLOUT : 0);
}
