/*
 * Datagrams as they come in, many with one system call: the worker's memory, lent to one
 * association after another.
 */
#ifndef SERVER_INBOX_H
#define SERVER_INBOX_H

#include "address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INBOX_SLOTS 32
/* Octets of a slot: no datagram is longer, nor what the kernel joins. */
#define INBOX_OCTETS 65536

struct inbox;

/* Borrowed, until the next inbox_receive(). */
struct inbox_datagram {
	const union address *from;
	const uint8_t *data;
	size_t len;
};

/* NULL where memory is short. Pages are touched as datagrams need them. */
struct inbox *inbox_new(void);
void inbox_free(struct inbox *in); /* NULL is fine */

/* A socket's datagrams may come joined, where they are of one size and one sender. */
void inbox_prepare(int fd);

/*
 * What a socket has. Returns messages, of one or more datagrams each; less than INBOX_SLOTS: it
 * has no more. Or a negative errno, -EAGAIN where there is nothing.
 */
int inbox_receive(struct inbox *in, int fd);

/* The next one, or false. Those that did not fit a slot are left out, and counted in @truncated. */
bool inbox_next(struct inbox *in, struct inbox_datagram *d, uint64_t *truncated);

#endif
