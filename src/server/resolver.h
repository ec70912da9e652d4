/*
 * Names to addresses and back, without ever blocking the loop. First match wins: the file of
 * --hosts, "localhost" and what ends in it (RFC 6761), /etc/hosts, DNS; or, after the first two,
 * whatever libc asks. The loopback addresses are "localhost" where no file says else. A file that
 * changed is read again.
 */
#ifndef SERVER_RESOLVER_H
#define SERVER_RESOLVER_H

#include "address.h"
#include "loop.h"

#define RESOLVER_ADDRESSES_MAX 32 /* told in one call */

struct opener;
struct resolver;
struct lookup;

/* Look-ups under way, those included whose asker has gone: they are given time to end, too. */
#define RESOLVER_LOOKUPS_MAX        4096
#define RESOLVER_SOURCE_LOOKUPS_MAX 1024 /* for one source of clients, see source.h */

struct resolver_params {
	const char *hosts;       /* borrowed; the file of --hosts, or NULL */
	struct opener *opener;   /* borrowed; see opener_open() */
	const char *nameservers; /* borrowed; "ADDR:PORT,...", or NULL for those of resolv.conf */
	int timeout_ms;          /* for the first try of a query; 0: the default */
	bool system;             /* ask libc, and no nameserver */
};

/*
 * Returns 0; a negative errno where --hosts' file can't be read (-EINVAL: it is no regular file);
 * -EBADMSG where a nameserver can't be used; -ENOMEM.
 */
int resolver_new(struct resolver **out, struct loop *loop, const struct resolver_params *params);
/* All look-ups must have ended or been cancelled. NULL is fine. */
void resolver_free(struct resolver *r);

/* Read the files again, resolv.conf too, changed or not. Look-ups under way go on. */
void resolver_reload(struct resolver *r);

/*
 * Addresses as they come: IPv6 and IPv4 are asked side by side, and the quicker answer is not held
 * up for long by the other (RFC 8305 section 3).
 *
 * @last  nothing more will be told
 * @err   @last, and no address at all: -EHOSTUNREACH, -ETIMEDOUT where DNS never answered, -ENOMEM,
 *        -EMFILE, -ENFILE, -ENOBUFS where the limits above are reached
 * @why   @last, and no address at all: the cause in words, static
 */
struct resolver_answer {
	const union address *addrs;
	size_t n;
	const char *name; /* of resolver_start_reverse() alone; NULL where there is none */
	bool last;
	int err;
	const char *why;
};

/*
 * Look a name up. @told may be called before this returns, with the last answer too.
 *
 * @port  goes into each address
 * @from  the client, for the limit of its source
 * @slot  the look-up, for lookup_cancel(), written before @told is first called; NULL where nothing
 *        is under way any more. After the last answer it is gone.
 */
void resolver_start(struct resolver *r, const char *name, size_t len, uint16_t port,
                    const union address *from,
                    void (*told)(void *arg, const struct resolver_answer *a), void *arg,
                    struct lookup **slot);

/*
 * The other way: the name of an address, told once, with @last. It is one that could be asked for,
 * of up to 255 octets; -EHOSTUNREACH where the address has none.
 */
void resolver_start_reverse(struct resolver *r, const union address *of, const union address *from,
                            void (*told)(void *arg, const struct resolver_answer *a), void *arg,
                            struct lookup **slot);

/* Nothing more will be told. NULL is fine. */
void lookup_cancel(struct lookup *lk);

#endif
