/*
 * The time before the tunnel: drives the SOCKS machine, then the resolver and the dialer. Apart
 * from the session, so that its memory can be given back when the tunnel stands.
 */
#ifndef SERVER_HANDSHAKE_H
#define SERVER_HANDSHAKE_H

#include "auth.h"
#include "dialer.h"
#include "resolver.h"
#include "session.h"

#include <socks/server.h>

struct handshake {
	struct socks_server socks;
	struct dialer *dialer; /* NULL before the request */
	struct lookup *lookup; /* NULL where no name is being looked up */
	const char *why;       /* static: why there was no address */
	struct login *login;   /* NULL where no credentials are being judged */
	bool demanded, judged; /* credentials */
	uint8_t user_len;
	char *user; /* as the client says; NULL before it did, or where it said none */
	/* What came behind the credentials, while they are judged. */
	uint8_t *rest;
	size_t rest_len;
};

/* NULL where memory is short. */
struct handshake *handshake_new(void);
void handshake_free(struct handshake *hs); /* NULL is fine */

/* The user of the credentials, or NULL; the caller's to free. */
char *handshake_take_user(struct handshake *hs, size_t *len);

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

/* May end the session, as does all that follows. */
void handshake_read(struct session *s);

/* The deadline of SESSION_CONNECT came. */
void handshake_give_up(struct session *s);

#endif
