/*
 * How it works: a look-up asks for two types of record side by side and tells its asker what
 * came first, IPv4 after a moment's wait for IPv6. A look-up that is cancelled lives on,
 * silent, until DNS has answered it or c-ares gives up: c-ares can't take a single query back.
 * Hence the limits.
 */
#include "resolver.h"

#include "channel.h"
#include "hostsfile.h"
#include "name.h"
#include "nss.h"
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOSTS_SYSTEM        "/etc/hosts"
#define RESOLV_CONF         "/etc/resolv.conf"
#define RESOLV_CONF_AGE_MS  1000 /* it is looked at no more often */
#define QUERY_TIMEOUT_MS    2000 /* for the first try; c-ares doubles it each time */
#define QUERY_TRIES         3
#define RESOLUTION_DELAY_MS 50 /* RFC 8305 section 3 */
/*
 * After one type's "no such name", which holds for both, but some servers give for a type that they
 * don't know: time for a second try of the other.
 */
#define DOUBT_MS 2500

struct resolver {
	struct loop *loop;
	struct channel_params params;
	struct channel *channel;  /* the one that is asked */
	struct channel *channels; /* and those that were, before resolv.conf changed */
	struct stat resolv_conf;
	int64_t resolv_conf_due_ms; /* when to look at it again */
	struct nss *nss;            /* where it is asked, there is no channel and no ->system */
	struct hostsfile given, system;
	unsigned lookups;
	struct source *sources;
};

enum { AAAA, A, TYPES };

struct lookup {
	struct resolver *resolver;
	struct source *source;
	void (*told)(void *arg, const struct resolver_answer *a); /* NULL: cancelled, or all told */
	void *arg;
	unsigned pending; /* queries, and one for resolver_start() itself */
	bool found;       /* any address at all */
	bool in_doubt;    /* ->delay is DOUBT_MS */
	int err;          /* the failure that tells more */
	const char *why;
	const char *name; /* while it is told */
	struct timer delay;
	struct query query[TYPES];
	size_t n_kept;
	union address kept[RESOLVER_ADDRESSES_MAX]; /* IPv4 that waits a moment for IPv6 */
};

/* The channel, and resolv.conf */

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* c-ares falls back on 127.0.0.1 without a word where it can't read it, or waits on a FIFO. */
static bool resolv_conf_is_readable(struct stat *st)
{
	int fd = open(RESOLV_CONF, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	bool ok = fd >= 0 && fstat(fd, st) == 0 && S_ISREG(st->st_mode);

	if (fd >= 0)
		close(fd);
	return ok;
}

/* Where resolv.conf can't be read now the servers that it named before stay. */
static void channel_refresh(struct resolver *r, bool anyway)
{
	struct channel *fresh;
	struct stat now;

	if (r->nss || r->params.nameservers || (!anyway && r->loop->now_ms < r->resolv_conf_due_ms))
		return;
	r->resolv_conf_due_ms = r->loop->now_ms + RESOLV_CONF_AGE_MS;
	if (!anyway && (stat(RESOLV_CONF, &now) < 0 || same_file(&now, &r->resolv_conf)))
		return;
	if (!resolv_conf_is_readable(&now) || channel_new(&fresh, &r->channels, &r->params) < 0)
		return;
	channel_retire(r->channel);
	r->channel = fresh;
	r->resolv_conf = now;
}

/* Look-ups */

static void lookup_unref(struct lookup *lk)
{
	if (lk->pending > 0)
		return;
	loop_stop_timer(lk->resolver->loop, &lk->delay);
	source_put(&lk->resolver->sources, lk->source);
	lk->resolver->lookups--;
	free(lk);
}

void lookup_cancel(struct lookup *lk)
{
	if (!lk)
		return;
	lk->told = NULL;
	loop_stop_timer(lk->resolver->loop, &lk->delay);
	/* It may be gone after that. */
	if (lk->resolver->nss)
		nss_cancel(lk->resolver->nss, &lk->query[A]);
}

static void lookup_tell(struct lookup *lk, bool last)
{
	struct resolver_answer a = { .addrs = lk->kept, .n = lk->n_kept, .last = last };
	void (*told)(void *, const struct resolver_answer *) = lk->told;

	loop_stop_timer(lk->resolver->loop, &lk->delay);
	if (!told)
		return;
	a.name = lk->name;
	if (last && !lk->found) {
		a.err = lk->err == -ENOENT || lk->err == -ENODATA ? -EHOSTUNREACH : lk->err;
		a.why = lk->why;
	}
	lk->n_kept = 0;
	if (last)
		lk->told = NULL;
	told(lk->arg, &a);
}

static void delay_over(struct timer *t)
{
	struct lookup *lk = LOOP_OWNER(t, struct lookup, delay);

	lookup_tell(lk, lk->in_doubt);
}

static void keep(struct lookup *lk, const union address *addrs, size_t n)
{
	size_t room = RESOLVER_ADDRESSES_MAX - lk->n_kept;

	n = n < room ? n : room;
	memcpy(lk->kept + lk->n_kept, addrs, n * sizeof(*addrs));
	lk->n_kept += n;
	lk->found = true;
}

static void wait_for_the_other(struct lookup *lk, bool in_doubt)
{
	if (!lk->told)
		return;
	lk->in_doubt = in_doubt;
	loop_start_timer(lk->resolver->loop, &lk->delay, in_doubt ? DOUBT_MS : RESOLUTION_DELAY_MS);
}

static void answered(struct lookup *lk, bool ipv6, const union address *addrs, size_t n, int err,
                     const char *why)
{
	lk->pending--;
	if (n > 0)
		keep(lk, addrs, n);
	else if (lk->err == 0 || lk->err == -ENODATA) {
		lk->err = err;
		lk->why = why;
	}
	/* resolver_start() holds one itself, and tells on its own. */
	if (lk->pending == 0)
		lookup_tell(lk, true);
	else if (n > 0 && ipv6)
		lookup_tell(lk, false);
	else if (n > 0)
		wait_for_the_other(lk, false);
	else if (err == -ENOENT)
		wait_for_the_other(lk, true);
	lookup_unref(lk);
}

static void aaaa_answered(struct query *q, const union address *addrs, size_t n, int err,
                          const char *why)
{
	answered(LOOP_OWNER(q, struct lookup, query[AAAA]), true, addrs, n, err, why);
}

/* Both families, and the last word. */
static void system_answered(struct query *q, const union address *addrs, size_t n, int err,
                            const char *why)
{
	answered(LOOP_OWNER(q, struct lookup, query[A]), true, addrs, n, err, why);
}

static void a_answered(struct query *q, const union address *addrs, size_t n, int err,
                       const char *why)
{
	answered(LOOP_OWNER(q, struct lookup, query[A]), false, addrs, n, err, why);
}

/* What DNS and libc say is a stranger's to choose. */
static void name_answered(struct query *q, const union address *addrs, size_t n, int err,
                          const char *why)
{
	struct lookup *lk = LOOP_OWNER(q, struct lookup, query[A]);

	(void)addrs;
	(void)n;
	lk->pending--;
	lk->err = err;
	lk->why = why;
	if (err == 0 && name_is_askable(q->name, strlen(q->name))) {
		lk->name = q->name;
		lk->found = true;
	} else if (err == 0) {
		lk->err = -EHOSTUNREACH;
		lk->why = "not a valid name";
	}
	lookup_tell(lk, true);
	lookup_unref(lk);
}

static size_t loopback(uint16_t port, union address out[2])
{
	memset(out, 0, 2 * sizeof(*out));
	out[0].in6.sin6_family = AF_INET6;
	out[0].in6.sin6_port = htons(port);
	out[0].in6.sin6_addr = in6addr_loopback;
	out[1].in.sin_family = AF_INET;
	out[1].in.sin_port = htons(port);
	out[1].in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return 2;
}

/* The addresses of a name that needs no DNS. */
static size_t ask_here(struct resolver *r, const char *name, size_t len, uint16_t port,
                       union address *out)
{
	size_t n = hostsfile_find(&r->given, name, len, port, out, RESOLVER_ADDRESSES_MAX);

	if (n == 0 && name_is_localhost(name, len))
		n = loopback(port, out);
	if (n == 0)
		n = hostsfile_find(&r->system, name, len, port, out, RESOLVER_ADDRESSES_MAX);
	return n;
}

/* The name of an address that needs no DNS, or NULL. */
static const char *ask_name_here(struct resolver *r, const union address *of)
{
	const char *name = hostsfile_name_of(&r->given, of);
	struct endpoint ep;

	if (!name)
		name = hostsfile_name_of(&r->system, of);
	address_to_endpoint(of, &ep);
	return name || r->nss || !endpoint_is_loopback(&ep) ? name : "localhost";
}

/* NULL with the failure in @a. */
static struct lookup *lookup_new(struct resolver *r, const union address *from,
                                 struct resolver_answer *a)
{
	struct lookup *lk;

	a->err = -ENOBUFS;
	a->why = "too many names are being looked up";
	if (r->lookups >= RESOLVER_LOOKUPS_MAX)
		return NULL;
	lk = calloc(1, sizeof(*lk));
	if (!lk) {
		a->err = -ENOMEM;
		a->why = "out of memory";
		return NULL;
	}
	lk->source = source_get(&r->sources, from, RESOLVER_SOURCE_LOOKUPS_MAX);
	if (!lk->source) {
		free(lk);
		return NULL;
	}
	r->lookups++;
	lk->resolver = r;
	lk->delay.due = delay_over;
	lk->query[AAAA].answered = aaaa_answered;
	lk->query[A].answered = r->nss ? system_answered : a_answered;
	return lk;
}

void resolver_start(struct resolver *r, const char *name, size_t len, uint16_t port,
                    const union address *from,
                    void (*told)(void *arg, const struct resolver_answer *a), void *arg,
                    struct lookup **slot)
{
	union address here[RESOLVER_ADDRESSES_MAX];
	struct resolver_answer a = { .addrs = here, .last = true };
	struct lookup *lk;

	*slot = NULL;
	a.n = ask_here(r, name, len, port, here);
	if (a.n > 0) {
		told(arg, &a);
		return;
	}
	a.err = -EHOSTUNREACH;
	a.why = "not a valid name";
	lk = name_is_askable(name, len) ? lookup_new(r, from, &a) : NULL;
	if (!lk) {
		told(arg, &a);
		return;
	}
	lk->told = told;
	lk->arg = arg;
	lk->pending = (r->nss ? 1 : TYPES) + 1;
	*slot = lk;
	if (r->nss) {
		const struct source_key key = source_key_of(from);

		nss_ask(r->nss, &lk->query[A], name, port, &key);
	} else {
		channel_refresh(r, false);
		channel_ask(r->channel, &lk->query[AAAA], name, AF_INET6, port);
		channel_ask(r->channel, &lk->query[A], name, AF_INET, port);
	}
	if (--lk->pending == 0)
		lookup_tell(lk, true);
	lookup_unref(lk);
}

void resolver_start_reverse(struct resolver *r, const union address *of, const union address *from,
                            void (*told)(void *arg, const struct resolver_answer *a), void *arg,
                            struct lookup **slot)
{
	struct resolver_answer a = { .name = ask_name_here(r, of), .last = true };
	struct lookup *lk = NULL;

	*slot = NULL;
	if (!a.name)
		lk = lookup_new(r, from, &a);
	if (!lk) {
		told(arg, &a);
		return;
	}
	lk->told = told;
	lk->arg = arg;
	lk->query[A].answered = name_answered;
	lk->pending = 2;
	*slot = lk;
	if (r->nss) {
		const struct source_key key = source_key_of(from);

		nss_ask_name(r->nss, &lk->query[A], of, &key);
	} else {
		channel_refresh(r, false);
		channel_ask_name(r->channel, &lk->query[A], of);
	}
	/* Its own, as it has been told already where the answer is here. */
	lk->pending--;
	lookup_unref(lk);
}

void resolver_reload(struct resolver *r)
{
	r->given.complained = false;
	r->system.complained = false;
	if (r->given.path)
		hostsfile_reload(&r->given);
	if (r->system.path)
		hostsfile_reload(&r->system);
	channel_refresh(r, true);
}

int resolver_new(struct resolver **out, struct loop *loop, const struct resolver_params *params)
{
	struct resolver *r = calloc(1, sizeof(*r));
	int err;

	*out = NULL;
	if (!r)
		return -ENOMEM;
	r->loop = loop;
	r->params = (struct channel_params){
		.loop = loop,
		.nameservers = params->nameservers,
		.timeout_ms = params->timeout_ms ? params->timeout_ms : QUERY_TIMEOUT_MS,
		.tries = QUERY_TRIES,
	};
	r->given.opener = params->opener;
	r->given.path = params->hosts;
	if (params->system) {
		err = nss_new(&r->nss, loop) < 0 ? -ENOMEM : 0;
	} else {
		r->system.path = HOSTS_SYSTEM;
		(void)stat(RESOLV_CONF, &r->resolv_conf);
		err = channel_new(&r->channel, &r->channels, &r->params);
		if (err == -EINVAL)
			err = -EBADMSG;
	}
	if (err == 0 && r->given.path)
		err = hostsfile_read(&r->given);
	if (err < 0) {
		resolver_free(r);
		return err;
	}
	/* Now, while there are descriptors to be had. */
	if (r->system.path)
		hostsfile_reload(&r->system);
	*out = r;
	return 0;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	while (r->channels)
		channel_free(r->channels);
	nss_free(r->nss);
	hostsfile_fini(&r->given);
	hostsfile_fini(&r->system);
	free(r);
}
