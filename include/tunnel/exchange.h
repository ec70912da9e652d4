/*
 * One DNS question and its answer over a connected TCP socket (RFC 1035 section 4.2.2, RFC 7766),
 * as a machine that never waits.
 */
#ifndef TUNNEL_EXCHANGE_H
#define TUNNEL_EXCHANGE_H

#include <base/sys.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct exchange {
	const struct sys *sys;
	uint8_t *buf; /* borrowed: two octets of length and the question; then the answer */
	size_t cap;   /* of buf, 2 + DNS_MESSAGE_MAX serves all */
	size_t len;   /* of the message at hand, with its two octets; 0: not known yet */
	size_t pos;   /* how far it was sent, or has come */
	uint16_t id;  /* what is not an answer to that question is passed over */
	bool asked;   /* the question has been sent */
};

/*
 * @buf  holds 2 octets of room and then the question of @len octets, at least a DNS header
 */
void exchange_init(struct exchange *x, const struct sys *sys, uint8_t *buf, size_t cap, size_t len);

/* What to poll @fd for: POLLOUT or POLLIN. */
short exchange_events(const struct exchange *x);

/*
 * Go on as far as the socket lets it. Returns -EINPROGRESS; the answer's length (it is at
 * x->buf + 2); or a negative errno: -ECONNRESET where the peer closed, -EMSGSIZE where the answer
 * is larger than @cap, -EPROTO where it is shorter than a header.
 */
int exchange_step(struct exchange *x, int fd);

#endif
