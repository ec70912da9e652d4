/*
 * How many clients there may be: in all, of one source (an address, or an IPv6 /64), of one user.
 * Shared by all threads.
 */
#ifndef SERVER_SEATS_H
#define SERVER_SEATS_H

#include "address.h"

#include <stddef.h>

struct seats;

struct seats_params {
	unsigned all;
	unsigned source;
	unsigned user;
	bool spare_loopback; /* sources on loopback have no limit of their own */
};

/* What a client takes up. All NULL: nothing. */
struct seat {
	struct seats *seats;
	struct source *source;
	struct seat_user *user;
};

enum seats_res {
	SEATS_ROOM,
	SEATS_FULL,        /* there are as many as there may be */
	SEATS_SOURCE_FULL, /* of this source */
	SEATS_USER_FULL,
	SEATS_NO_MEMORY,
};

/* NULL where memory is short. */
struct seats *seats_new(const struct seats_params *params);
void seats_free(struct seats *l); /* nobody may be seated any more; NULL is fine */

/* Take a seat; with any answer but SEATS_ROOM @seat is empty. */
enum seats_res seat_take(struct seats *l, const union address *from, struct seat *seat);
/* The client has turned out to be this user: any octets. The seat stays, whatever the answer. */
enum seats_res seat_name(struct seat *seat, const char *user, size_t len);
void seat_leave(struct seat *seat); /* an empty one is fine */

/* Is every seat taken: without a lock, for a moment. */
bool seats_full(const struct seats *l);

#endif
