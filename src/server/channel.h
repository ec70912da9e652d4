/*
 * DNS by c-ares, in our loop. channel.c is the only file that knows c-ares' calls. A channel
 * keeps the servers that resolv.conf named when it was made; for others, make another.
 */
#ifndef SERVER_CHANNEL_H
#define SERVER_CHANNEL_H

#include "address.h"
#include "loop.h"

#define CHANNEL_ADDRESSES_MAX 32 /* of one answer; more are ignored */

struct channel;
struct nss_job;

struct channel_params {
	struct loop *loop;
	const char *nameservers; /* "ADDR:PORT,..."; NULL: those of resolv.conf */
	int timeout_ms;          /* of the first try; each further one waits twice as long */
	int tries;
};

/* One question for one type of record. The asker's memory, until it is answered. */
struct query {
	struct channel *channel;
	struct nss_job *job; /* nss.h's, where that is asked */
	const char *name;    /* with an answer to channel_ask_name(): borrowed for the call */
	/*
	 * @err  0; -ENOENT: there is no such name; -ENODATA: it has no address of that family;
	 *       -ETIMEDOUT: no answer; -EMFILE, -ENFILE, -ENOMEM: no means to ask;
	 *       -EHOSTUNREACH: any other fault
	 * @why  the cause in words, static
	 */
	void (*answered)(struct query *q, const union address *addrs, size_t n, int err,
	                 const char *why);
};

/* 0, -EINVAL where a nameserver can't be used, or -ENOMEM. */
int channel_new(struct channel **out, struct channel **all, const struct channel_params *params);

/* Answer whatever is under way with a failure, and free it. Not from within ->answered(). */
void channel_free(struct channel *c);

/* Ask nothing more; it frees itself when the last answer has come. */
void channel_retire(struct channel *c);

/* Ask. ->answered is set, and may be called before this returns. */
void channel_ask(struct channel *c, struct query *q, const char *name, int family, uint16_t port);

/* The same for the name of an address (PTR). */
void channel_ask_name(struct channel *c, struct query *q, const union address *of);

#endif
