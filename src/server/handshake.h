/*
 * The time before the tunnel: drives the SOCKS machine up to the request, which request.h carries
 * out. Apart from the session, so that its memory can be given back when the tunnel stands.
 */
#ifndef SERVER_HANDSHAKE_H
#define SERVER_HANDSHAKE_H

#include "dialer.h"
#include "ident.h"
#include "resolver.h"
#include "session.h"

#include <socks/server.h>

struct handshake {
	struct socks_server socks;
	/* request_connect.c's: */
	struct dialer *dialer; /* NULL before the request */
	struct lookup *lookup; /* NULL where no name is being looked up */
	const char *why;       /* static: why there was no address */
	struct policy *policy; /* that judges the request; NULL before it */
	const char *closed;    /* the policy's word about the first address that it closes */
	/* request_resolve.c's: the address to tell unless an IPv4 one comes; AF_UNSPEC: none */
	union address ipv6;
	struct ident *ident;   /* NULL where identd isn't being asked */
	struct knock *login;   /* NULL where no credentials are being judged */
	bool demanded, judged; /* credentials */
	/* What came behind the credentials, while they are judged. */
	uint8_t *rest;
	size_t rest_len;
};

/* NULL where memory is short. */
struct handshake *handshake_new(void);
void handshake_free(struct handshake *hs); /* NULL is fine */

/* What it is about: "handshake", "login", and after the request "resolve" or "connect". */
const char *handshake_stage(const struct handshake *hs);

/* Are credentials being judged: nothing is to be read before that is over. */
static inline bool handshake_is_judging(const struct handshake *hs)
{
	return hs->login != NULL;
}

/* Does the machine have octets to send. */
bool handshake_has_output(const struct handshake *hs);

/*
 * Send what the socket takes of them. Returns 0, or a negative errno where the client is gone.
 */
int handshake_flush(struct handshake *hs, int fd);

/* May end the session. */
void handshake_read(struct session *s);

#endif
