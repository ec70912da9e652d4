/*
 * Where a client's datagrams go: from the header of each (RFC 1928 section 7) to an address that
 * the policy opens. Datagrams for a name that is being asked for wait, and so do the pieces of one
 * that is not whole; what can't go is dropped and counted.
 */
#ifndef SERVER_DISPATCH_H
#define SERVER_DISPATCH_H

#include "inbox.h"
#include "session.h"

#include <socks/socks5.h>

struct addressbook;
struct asked;
struct fragments;
struct policy;

/* The last address that was found good, by the header that named it: most datagrams repeat it. */
struct route {
	uint8_t header[3 + 1 + 16 + 2];
	size_t header_len; /* 0: none */
	union address to;
	struct policy *policy; /* that found it so */
	int64_t end_ms;        /* then it is to be judged again */
};

struct dispatch {
	struct session *session;
	void (*go)(void *arg, const union address *to, const uint8_t *data, size_t len,
	           bool fleeting);
	void *arg;
	union address door; /* where the client's datagrams come in: no place to send them to */
	uint64_t dropped;
	struct route route;
	struct addressbook *book; /* NULL before the first name */
	struct asked *asked;      /* for --udp-peers=asked */
	struct fragments *fragments;
	struct timer fragments_due;
};

/*
 * @s   borrowed, as is its user
 * @go  called for each datagram that has its address; @fleeting: its data is gone when that
 *      returns, else with the datagram that it came in
 */
void dispatch_init(struct dispatch *p, struct session *s,
                   void (*go)(void *arg, const union address *to, const uint8_t *data, size_t len,
                              bool fleeting),
                   void *arg);
/* What waits is dropped. May be called twice. */
void dispatch_fini(struct dispatch *p);

/* Is it to where the one before went: then it is on its way already. */
bool dispatch_again(struct dispatch *p, const struct inbox_datagram *d);

/* The header, and where DATA begins; false where it makes no sense. Needs no dispatch. */
bool dispatch_read(const struct inbox_datagram *d, struct socks5_udp_header *h, size_t *used);

/* With what dispatch_read() has read. */
void dispatch_send(struct dispatch *p, const struct inbox_datagram *d,
                   const struct socks5_udp_header *h, size_t used);

/* May an answer from there be passed on (--udp-peers). */
bool dispatch_awaits(const struct dispatch *p, const union address *from);

#endif
