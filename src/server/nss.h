/*
 * Names by libc's getaddrinfo(3) and getnameinfo(3), and so by the machine's nsswitch.conf(5), in
 * threads, for --resolver system. It answers as a channel does, both families at once.
 */
#ifndef SERVER_NSS_H
#define SERVER_NSS_H

#include "channel.h"
#include "source.h"

struct nss;

/* 0 or a negative errno. */
/*
 * Load the modules that nsswitch.conf(5) names for hosts, as libc would at the first look-up, when
 * the sandbox allows that no more.
 */
void nss_prepare(void);

int nss_new(struct nss **out, struct loop *loop);
/* Answers whatever is under way with a failure. NULL is fine. */
void nss_free(struct nss *n);

/* Ask. ->answered is set, and may be called before this returns. */
void nss_ask(struct nss *n, struct query *q, const char *name, uint16_t port,
             const struct source_key *from);

/* The name of an address, as channel_ask_name() tells it. */
void nss_ask_name(struct nss *n, struct query *q, const union address *of,
                  const struct source_key *from);

/*
 * The asker has gone. A query that has not begun is answered with -ECANCELED before this returns;
 * another will be later, as getaddrinfo(3) can't be stopped.
 */
void nss_cancel(struct nss *n, struct query *q);

#endif
