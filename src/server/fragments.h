/*
 * One datagram in pieces (RFC 1928 section 7): FRAG counts from 1, its high bit is the last piece.
 * There is one sequence at a time, as the RFC has it; the caller drops it at a whole datagram, of
 * FRAG 0.
 */
#ifndef SERVER_FRAGMENTS_H
#define SERVER_FRAGMENTS_H

#include <base/endpoint.h>

#define FRAGMENTS_MS  5000  /* from the first piece on; RFC 1928: no less */
#define FRAGMENTS_MAX 65535 /* octets of all pieces */

enum fragments_res {
	FRAGMENTS_KEPT,    /* more are needed */
	FRAGMENTS_WHOLE,   /* take ->dst, ->data and ->len, and then fragments_drop() */
	FRAGMENTS_USELESS, /* this piece belongs to nothing that can still become whole */
};

struct fragments {
	struct endpoint dst; /* of all pieces */
	int64_t due_ms;      /* then fragments_drop() */
	uint8_t n;           /* pieces, without a gap */
	uint32_t len, cap;
	uint8_t *data;
};

/*
 * Take a piece, which is copied.
 *
 * @f        the sequence, NULL where there is none; made and dropped here
 * @frag     1 to 255
 * @dropped  pieces that were given up by this call are added; FRAGMENTS_USELESS is one of them
 *
 * A sequence is dropped where a piece is not the one that is due, is for another destination, comes
 * after ->due_ms, makes it too long, or finds no memory. A piece of number 1 then begins the next.
 */
enum fragments_res fragments_add(struct fragments **f, int64_t now_ms, uint8_t frag,
                                 const struct endpoint *dst, const uint8_t *data, size_t len,
                                 uint64_t *dropped);

/* Returns how many pieces it had. NULL is fine. */
unsigned fragments_drop(struct fragments **f);

#endif
