/*
 * The names in the datagrams of one association, and the addresses that they stand for. A datagram
 * whose name is still being asked for waits, and no other with it; those to one name stay in
 * order. An address that is known is kept while the name is asked for again, and for as long as it
 * is among the answers, so that what talks by datagrams does not change its partner midway.
 */
#ifndef SERVER_ADDRESSBOOK_H
#define SERVER_ADDRESSBOOK_H

#include "loop.h"
#include "resolver.h"

#define ADDRESSBOOK_NAMES_MAX   64 /* with their ports; the one out of use for longest goes */
#define ADDRESSBOOK_WAITING_MAX 64 /* datagrams in all */
#define ADDRESSBOOK_OCTETS_MAX  (256 << 10) /* of their data */
/* Of all books of one thread; beyond that a book keeps no more than ADDRESSBOOK_OCTETS_LEAST. */
#define ADDRESSBOOK_OCTETS_ALL   (16 << 20)
#define ADDRESSBOOK_OCTETS_LEAST (16 << 10)
#define ADDRESSBOOK_MS           60000 /* then a name is asked for again */
#define ADDRESSBOOK_FAILED_MS    2000  /* the same where it has no address */

struct addressbook;

struct addressbook_events {
	/* May datagrams for @asked go to @to; where that is NULL, may the name be asked for. */
	bool (*may)(void *arg, const struct endpoint *asked, const union address *to);
	/* A datagram has waited for @asked, and now goes to @to; or nowhere, where that is NULL. */
	void (*go)(void *arg, const struct endpoint *asked, const union address *to,
	           const uint8_t *data, size_t len);
};

enum addressbook_res {
	ADDRESSBOOK_FOUND, /* send it to @to */
	ADDRESSBOOK_WAITS, /* it was copied, and goes later */
	ADDRESSBOOK_NO,    /* there is no address, or no room for it to wait */
};

/*
 * @from    the client; borrowed. Of addresses told together its family is preferred: "localhost"
 *          is two, and a datagram can't be tried on both
 * @events  borrowed. Never called from within addressbook_new() or addressbook_free()
 *
 * @waiting the octets that wait in all books of this thread
 *
 * NULL where memory is short.
 */
struct addressbook *addressbook_new(struct loop *loop, struct resolver *resolver,
                                    const union address *from, size_t *waiting,
                                    const struct addressbook_events *events, void *arg);
/* What waits is dropped. NULL is fine. */
void addressbook_free(struct addressbook *b);

/* @asked is a name with a port. ->may() may be called from here, and for FOUND @to is written. */
enum addressbook_res addressbook_find(struct addressbook *b, const struct endpoint *asked,
                                      const uint8_t *data, size_t len, union address *to);

#endif
