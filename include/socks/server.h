/*
 * The server's side of one SOCKS handshake, as a pure machine: octets go in, events come out,
 * answers go in, octets come out. It buffers at most the longest legal message and takes not one
 * octet beyond the request: what follows belongs to the peer.
 *
 *	server_init(&s);
 *	on input:   ev = server_feed(&s, buf, len, &used);   again while used < len
 *	on output:  server_out(&s, &n) ... server_sent(&s, n)
 */
#ifndef SOCKS_SERVER_H
#define SOCKS_SERVER_H

#include <base/endpoint.h>
#include <socks/reply.h>
#include <socks/socks4.h>
#include <socks/socks5.h>

enum server_event {
	SERVER_MORE,        /* all that came was taken, more is needed */
	SERVER_METHOD,      /* choose with server_choose(); server_offers() tells what there is */
	SERVER_CREDENTIALS, /* judge server_userpass() with server_accept() */
	SERVER_REQUEST,     /* carry out server_request(), then server_answer() */
	SERVER_CLOSE,       /* send server_out(), if anything is there, and close */
};

/* Private; plain memory. */
enum server_state {
	SERVER_ST_VERSION,
	SERVER_ST_GREETING,
	SERVER_ST_CHOOSE,
	SERVER_ST_USERPASS,
	SERVER_ST_JUDGE,
	SERVER_ST_REQUEST4,
	SERVER_ST_REQUEST5,
	SERVER_ST_ANSWER,
	SERVER_ST_SECOND, /* BIND: granted, and the peer has yet to come */
	SERVER_ST_OVER,
	SERVER_ST_CLOSE,
};

struct server_request {
	uint8_t version; /* 4 or 5 */
	uint8_t cmd;     /* enum socks5_cmd: CONNECT, BIND, and in 5 UDP ASSOCIATE; F0, F1 */
	struct endpoint
		dst;      /* a name that is an address in text is the address, v4-mapped is IPv4 */
	uint8_t user_len; /* SOCKS4's user id */
	char user[SOCKS4_USER_MAX + 1];
};

struct socks_server {
	enum server_state st;
	size_t len;              /* of in */
	size_t out_len, out_pos; /* of out */
	union {
		struct socks5_greeting greeting;
		struct socks5_userpass userpass;
		struct server_request request;
	} u;
	int16_t code; /* of the reply queued last; -1: none yet */
	uint8_t version;
	uint8_t in[SOCKS4_REQUEST_MAX];    /* the longest message of all */
	uint8_t out[4 + SOCKS5_REPLY_MAX]; /* method, status and reply, none of them sent yet */
};

void server_init(struct socks_server *s);

/*
 * Feed what came.
 *
 * @used  octets taken of @buf. The rest was not looked at: feed it again after the answer, or,
 *        after SERVER_REQUEST, keep it for the peer. @len 0 is allowed, to ask for a pending event.
 *
 * Calls while an answer is due return the same event and take nothing. What is wrong on the wire is
 * answered by the machine itself with the reply that fits (PROTOCOL items 22, 23, 26, 31, 34, 38):
 * it queues that and returns SERVER_CLOSE. Unknown commands are answered so too; commands that the
 * server merely has switched off are the caller's to refuse. After server_answer() the machine
 * takes nothing more: SERVER_MORE with @used 0, or SERVER_CLOSE after a failure.
 */
enum server_event server_feed(struct socks_server *s, const uint8_t *buf, size_t len, size_t *used);

/* After SERVER_METHOD. */
bool server_offers(const struct socks_server *s, uint8_t method);
/*
 * @method  SOCKS5_METHOD_NONE or SOCKS5_METHOD_USERPASS, where it was offered. All else is answered
 *          with SOCKS5_METHOD_UNACCEPTABLE and ends in SERVER_CLOSE.
 */
enum server_event server_choose(struct socks_server *s, uint8_t method);

/* After SERVER_CREDENTIALS. Borrowed until server_accept(), which wipes it. */
const struct socks5_userpass *server_userpass(const struct socks_server *s);
enum server_event server_accept(struct socks_server *s, bool ok);

/* After SERVER_REQUEST, until server_answer(). */
const struct server_request *server_request(const struct socks_server *s);

/*
 * Queue the reply in the request's own protocol. BIND's second reply is a second call; any other
 * call after the first is ignored.
 *
 * @err  0, or a negative errno, turned into the code that reply.h has for it
 * @bnd  address to report; NULL, and every failure, is 0.0.0.0:0. A name is for RESOLVE_PTR alone
 */
void server_answer(struct socks_server *s, int err, const struct endpoint *bnd);

/* The same with a code of the caller's own choice, for 5C and 5D, and REPs that no errno names. */
void server_answer_code(struct socks_server *s, uint8_t code, const struct endpoint *bnd);

/*
 * The code of the reply that was queued last, sent or not: after a SERVER_CLOSE the one that the
 * machine chose by itself, after server_answer() the errno's. -1 where no reply was queued; what is
 * said before the request (method, status of the credentials, the answer to HTTP) is none.
 */
int server_code(const struct socks_server *s);

const uint8_t *server_out(const struct socks_server *s, size_t *len);
void server_sent(struct socks_server *s, size_t n);

#endif
