/*
 * The client's side of one SOCKS handshake, as a pure machine: it is told what was sent and what
 * came, and says what to do next. It never asks for an octet beyond the handshake, so that whoever
 * drives it reads exactly client_want()'s count and leaves the rest to the application.
 *
 *	client_init(&c, &params);
 *	while ((w = client_want(&c, &n)) == CLIENT_SEND || w == CLIENT_RECV)
 *		if (w == CLIENT_SEND)  send client_out(&c, &n), then client_sent(&c, what went out)
 *		else                   recv at most n octets, then client_feed(&c, buf, what came)
 *	err = client_result(&c);
 */
#ifndef SOCKS_CLIENT_H
#define SOCKS_CLIENT_H

#include <base/endpoint.h>
#include <socks/socks4.h>
#include <socks/socks5.h>

enum socks_protocol { SOCKS_V4, SOCKS_V4A, SOCKS_V5 };

enum client_want {
	CLIENT_SEND,   /* octets wait in client_out() */
	CLIENT_RECV,   /* so many octets more, not one beyond */
	CLIENT_DONE,   /* the reply is in and says yes */
	CLIENT_FAILED, /* client_result() says why; the connection is of no more use */
};

/* Where the handshake stands or ended; client_stage_text() has it in a word. */
enum client_stage {
	CLIENT_STAGE_GREETING,
	CLIENT_STAGE_METHOD,
	CLIENT_STAGE_CREDENTIALS,
	CLIENT_STAGE_REQUEST,
	CLIENT_STAGE_REPLY,
	CLIENT_STAGE_SECOND_REPLY, /* BIND: the peer has come */
	CLIENT_STAGE_OVER,
};

/* Why it failed; client_why() has it in words. */
enum client_cause {
	CLIENT_CAUSE_NONE,  /* it did not */
	CLIENT_CAUSE_REPLY, /* client_code() says why */
	/* What this protocol can't say. */
	CLIENT_CAUSE_NO_DESTINATION,
	CLIENT_CAUSE_IPV6,
	CLIENT_CAUSE_UDP,
	CLIENT_CAUSE_NAME,
	CLIENT_CAUSE_ZERO_NET,
	CLIENT_CAUSE_USER_TOO_LONG,
	CLIENT_CAUSE_USER_HAS_NUL,
	CLIENT_CAUSE_PASSWORD_TOO_LONG,
	CLIENT_CAUSE_PASSWORD_ALONE,
	/* What the proxy did. */
	CLIENT_CAUSE_CLOSED,
	CLIENT_CAUSE_WANTS_PASSWORD, /* method 02, and we have none */
	CLIENT_CAUSE_WANTS_GSSAPI,   /* method 01, which was not offered */
	CLIENT_CAUSE_WANTS_OTHER,    /* FF, though credentials were offered */
	CLIENT_CAUSE_WANTS_SOME,     /* FF, and none were */
	CLIENT_CAUSE_ODD_METHOD,
	CLIENT_CAUSE_CREDENTIALS,
	/* What it is instead, as far as its answer tells. */
	CLIENT_CAUSE_HTTP,
	CLIENT_CAUSE_TLS,
	CLIENT_CAUSE_SSH,
	CLIENT_CAUSE_SOCKS4,
	CLIENT_CAUSE_SOCKS5,
	CLIENT_CAUSE_NOISE,
};

struct client_params {
	enum socks_protocol protocol;
	uint8_t cmd;                 /* enum socks5_cmd; its values serve SOCKS4 too */
	const struct endpoint *dst;  /* copied */
	const char *user, *password; /* borrowed until the machine is over; any octets */
	size_t user_len;             /* 0: none. SOCKS4's user id, else RFC 1929 is offered too */
	size_t password_len;
	/*
	 * Greeting, credentials and request in one write, for servers known to take it: with
	 * credentials only method 02 is offered then.
	 */
	bool glue;
};

/* Private; here so that it can live on a stack. Plain memory: copying it copies the handshake. */
struct socks_client {
	struct client_params params;
	struct endpoint dst, bnd;
	enum client_stage stage;
	enum client_want want;
	int err;
	enum client_cause cause;
	uint8_t code; /* the reply's REP or CD, when one came */
	bool has_code;
	size_t need, len;        /* of in */
	size_t heard;            /* of in, when it failed */
	size_t out_len, out_pos; /* of out */
	uint8_t in[SOCKS5_REPLY_MAX];
	uint8_t out[SOCKS5_GREETING_MAX + SOCKS5_USERPASS_MAX + SOCKS5_REQUEST_MAX];
};

/*
 * Returns 0, or
 *   -EAFNOSUPPORT  the destination cannot be said in that protocol: IPv6 in SOCKS4 and 4a, a
 *                  name in SOCKS4, UDP ASSOCIATE in either
 *   -EHOSTUNREACH  an address of 4a's form 0.0.0.x in SOCKS4 and 4a
 *   -EINVAL        user or password over 255 octets, a user with a NUL in SOCKS4, no destination,
 *                  or a password without a user (SOCKS4 ignores passwords)
 *
 * in which case the machine is CLIENT_FAILED at once. A v4-mapped destination is sent as IPv4.
 */
int client_init(struct socks_client *c, const struct client_params *params);

/* What is next. @n, where not NULL: octets to send, or exactly how many to receive. */
enum client_want client_want(const struct socks_client *c, size_t *n);

const uint8_t *client_out(const struct socks_client *c, size_t *len);
void client_sent(struct socks_client *c, size_t n); /* n up to client_out()'s length */

/*
 * @n is at most what client_want() said; 0 says the proxy closed the connection, while sending too.
 */
void client_feed(struct socks_client *c, const uint8_t *buf, size_t n);

/*
 * BIND: after the first CLIENT_DONE, wait for the reply that comes with the peer. The machine asks
 * for octets again and ends in CLIENT_DONE or CLIENT_FAILED.
 */
void client_next_reply(struct socks_client *c);

/*
 * 0, -EINPROGRESS while it runs, or what connect(2) should say: the errno of the reply's code;
 *   -EACCES        no acceptable method, or the credentials were refused
 *   -ECONNREFUSED  the proxy closed the connection in the midst of it
 *   -EPROTO        what came is not SOCKS
 *
 * A reply whose code says no counts as such even where the rest of it is cut off or malformed.
 */
int client_result(const struct socks_client *c);

/* Where it failed or stands, and the reply's code (-1: none came). */
enum client_stage client_where(const struct socks_client *c);
int client_code(const struct socks_client *c);
const struct endpoint *client_bound(const struct socks_client *c); /* BND of the last reply */

/*
 * What a person takes for one stage has one word: "method" for the greeting and its answer,
 * "credentials", "request" for the request and its reply; then "second reply", "over".
 */
const char *client_stage_text(enum client_stage stage);

/*
 * Why it failed; in words: "the proxy wants a user and password, and none is set". Never NULL, ""
 * where it did not.
 */
enum client_cause client_cause(const struct socks_client *c);
const char *client_why(const struct socks_client *c);

/* The octets of the answer at which it failed: what a peer that is no SOCKS server said first. */
const uint8_t *client_heard(const struct socks_client *c, size_t *len);

#endif
