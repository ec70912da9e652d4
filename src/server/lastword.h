/*
 * The last word to a client that is refused must arrive: unread input would make the close a reset,
 * which may overtake it. So it is sent, the end behind it, and what the client still says is thrown
 * away, up to a limit, until the client ends, too.
 */
#ifndef SERVER_LASTWORD_H
#define SERVER_LASTWORD_H

#include "relay.h"

#define LASTWORD_MS 4000 /* for all of it */

struct lastword {
	uint32_t discarded; /* octets */
};

/*
 * An event of the client, or 0 at first. The last word is held by the relay, towards the client.
 * Returns whether it is over: then close it.
 */
bool lastword_serve(struct lastword *l, struct relay *r, int fd, uint32_t events, uint8_t *scratch,
                    size_t scratch_len);

/* What to ask of epoll for the client. */
uint32_t lastword_mask(const struct lastword *l, const struct relay *r);

#endif
