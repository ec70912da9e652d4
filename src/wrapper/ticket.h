/*
 * A user and a password by lot, for one server and the programs of one session: any user of this
 * machine reaches a port of loopback.
 */
#ifndef WRAPPER_TICKET_H
#define WRAPPER_TICKET_H

#include <stddef.h>

#define TICKET_PATH_MAX 32

struct ticket {
	char password[33]; /* 128 bits in hex digits */
	char salt[17];
};

/* Returns 0 or a negative errno. */
int ticket_init(struct ticket *t);

/*
 * A file of users for socksifyd --users, in memory: a descriptor of this process that survives
 * exec. @path gets its name, at most TICKET_PATH_MAX octets. Returns 0 or a negative errno.
 */
int ticket_put_users(const struct ticket *t, char *path, size_t cap);

/* The proxy's URL, for a port of 127.0.0.1. */
void ticket_url(const struct ticket *t, unsigned port, char *buf, size_t cap);

#endif
