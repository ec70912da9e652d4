#include "resolver.h"

#include "events.h"

#include <ares.h>
#include <config/hosts.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>
#include <utlist.h>

#define HOSTS_SYSTEM        "/etc/hosts"
#define QUERY_TIMEOUT_MS    2500 /* for the first try; c-ares lengthens it */
#define QUERY_TRIES         3
#define RESOLUTION_DELAY_MS 50 /* RFC 8305 section 3 */

/* One hosts(5) file, as it was read last. */
struct hosts_file {
	const char *path;
	struct hosts *hosts; /* NULL: there is none */
	bool complained;     /* that it can't be read again */
};

/* One of c-ares' sockets. */
struct query_socket {
	struct watch watch;
	struct resolver *resolver;
	struct query_socket *prev, *next;
};

struct resolver {
	struct loop *loop;
	struct timer timeout; /* c-ares' own time-outs and retries */
	ares_channel channel;
	struct query_socket *sockets;
	struct hosts_file given, system;
};

struct lookup {
	struct resolver *resolver;
	void (*told)(void *arg, const struct resolver_answer *a); /* NULL: cancelled */
	void *arg;
	uint16_t port;
	unsigned pending; /* queries, and one for resolver_start() itself */
	bool found;       /* any address at all */
	int status;       /* c-ares' word on the failure that tells more */
	struct timer delay;
	size_t n_kept;
	union address kept[RESOLVER_ADDRESSES_MAX]; /* IPv4 that waits a moment for IPv6 */
};

/* The hosts files */

static int hosts_read(struct hosts_file *f)
{
	unsigned bad_line = 0;
	struct hosts *fresh = hosts_load(f->path, &bad_line);
	struct event e;

	if (!fresh)
		return errno ? -errno : -EIO;
	hosts_free(f->hosts);
	f->hosts = fresh;
	f->complained = false;
	if (bad_line > 0) {
		event_begin(&e, "warning");
		event_text(&e, "what", "a line is not ADDRESS NAME...");
		event_text(&e, "file", f->path);
		event_number(&e, "line", bad_line);
		event_end(&e);
	}
	return 0;
}

/* Keep the old contents where the new can't be read, and say so once. */
static void hosts_read_again(struct hosts_file *f)
{
	struct event e;
	int err = hosts_read(f);

	if (err == 0 || !f->hosts || f->complained)
		return;
	f->complained = true;
	event_begin(&e, "warning");
	event_text(&e, "what", "the hosts file can't be read again, its old contents stay");
	event_text(&e, "file", f->path);
	event_text(&e, "reason", strerror(-err));
	event_end(&e);
}

static size_t hosts_ask(struct hosts_file *f, const char *name, size_t len, uint16_t port,
                        union address *out)
{
	struct endpoint eps[RESOLVER_ADDRESSES_MAX];
	size_t n;

	if (!f->path)
		return 0;
	if (!f->hosts || !hosts_is_current(f->hosts))
		hosts_read_again(f);
	if (!f->hosts)
		return 0;
	n = hosts_find(f->hosts, name, len, AF_UNSPEC, eps, RESOLVER_ADDRESSES_MAX);
	for (size_t i = 0; i < n; i++) {
		eps[i].port = port;
		address_from_endpoint(&out[i], &eps[i]);
	}
	return n;
}

/* c-ares' sockets and time-outs, in our loop */

static void timeout_set(struct resolver *r)
{
	struct timeval tv;

	if (!ares_timeout(r->channel, NULL, &tv)) {
		loop_stop_timer(r->loop, &r->timeout);
		return;
	}
	/* Rounded up, or the loop would spin through the last millisecond. */
	loop_start_timer(r->loop, &r->timeout,
	                 (int64_t)tv.tv_sec * 1000 + (tv.tv_usec + 999) / 1000);
}

static void timeout_came(struct timer *t)
{
	struct resolver *r = LOOP_OWNER(t, struct resolver, timeout);

	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	timeout_set(r);
}

static void socket_ready(struct watch *w, uint32_t events)
{
	struct query_socket *q = LOOP_OWNER(w, struct query_socket, watch);
	struct resolver *r = q->resolver;
	int fd = w->fd;

	/* The socket may be closed, and @q freed, within. */
	ares_process_fd(r->channel, events & ~(uint32_t)EPOLLOUT ? fd : ARES_SOCKET_BAD,
	                events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
	timeout_set(r);
}

static struct query_socket *socket_find(struct resolver *r, int fd)
{
	struct query_socket *q;

	for (q = r->sockets; q; q = q->next)
		if (q->watch.fd == fd)
			return q;
	return NULL;
}

/* c-ares tells what it wants to know of a socket; neither means that it is about to close it. */
static void socket_changed(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = arg;
	struct query_socket *q = socket_find(r, fd);

	if (!readable && !writable) {
		if (!q)
			return;
		loop_forget(r->loop, &q->watch);
		DL_DELETE(r->sockets, q);
		free(q);
		return;
	}
	if (!q) {
		/* Without memory for it the query times out. */
		q = calloc(1, sizeof(*q));
		if (!q)
			return;
		q->resolver = r;
		q->watch = (struct watch){ .fd = fd, .ready = socket_ready };
		DL_APPEND(r->sockets, q);
	}
	(void)loop_want(r->loop, &q->watch, (readable ? EPOLLIN : 0) | (writable ? EPOLLOUT : 0));
}

/* Look-ups */

static void lookup_unref(struct lookup *lk)
{
	if (lk->pending > 0)
		return;
	loop_stop_timer(lk->resolver->loop, &lk->delay);
	free(lk);
}

void lookup_cancel(struct lookup *lk)
{
	if (!lk)
		return;
	lk->told = NULL;
	loop_stop_timer(lk->resolver->loop, &lk->delay);
}

static void lookup_tell(struct lookup *lk, bool last)
{
	struct resolver_answer a = { .addrs = lk->kept, .n = lk->n_kept, .last = last };

	loop_stop_timer(lk->resolver->loop, &lk->delay);
	if (!lk->told)
		return;
	if (last && !lk->found) {
		a.err = lk->status == ARES_ENOMEM ? -ENOMEM : -EHOSTUNREACH;
		a.why = ares_strerror(lk->status);
	}
	lk->n_kept = 0;
	lk->told(lk->arg, &a);
}

static void delay_over(struct timer *t)
{
	lookup_tell(LOOP_OWNER(t, struct lookup, delay), false);
}

static bool keep(struct lookup *lk, const struct ares_addrinfo *ai)
{
	bool any_ipv6 = false;
	union address *a;

	for (const struct ares_addrinfo_node *n = ai->nodes; n; n = n->ai_next) {
		if (lk->n_kept == RESOLVER_ADDRESSES_MAX)
			break;
		if (n->ai_family != AF_INET && n->ai_family != AF_INET6)
			continue;
		a = &lk->kept[lk->n_kept++];
		memset(a, 0, sizeof(*a));
		memcpy(a, n->ai_addr, n->ai_family == AF_INET ? sizeof(a->in) : sizeof(a->in6));
		any_ipv6 |= n->ai_family == AF_INET6;
		lk->found = true;
	}
	return any_ipv6;
}

static void query_done(void *arg, int status, int timeouts, struct ares_addrinfo *ai)
{
	struct lookup *lk = arg;
	bool any_ipv6 = false;

	(void)timeouts;
	lk->pending--;
	if (status == ARES_SUCCESS && ai)
		any_ipv6 = keep(lk, ai);
	else if (lk->status == ARES_SUCCESS || lk->status == ARES_ENODATA)
		lk->status = status;
	if (ai)
		ares_freeaddrinfo(ai);
	/* resolver_start() holds one itself, and tells on its own. */
	if (lk->pending == 0)
		lookup_tell(lk, true);
	else if (any_ipv6)
		lookup_tell(lk, false);
	else if (lk->n_kept > 0 && lk->told)
		loop_start_timer(lk->resolver->loop, &lk->delay, RESOLUTION_DELAY_MS);
	lookup_unref(lk);
}

static void query(struct lookup *lk, const char *name, int family)
{
	char port[8];
	const struct ares_addrinfo_hints hints = {
		.ai_flags = ARES_AI_NUMERICSERV | ARES_AI_NOSORT,
		.ai_family = family,
		.ai_socktype = SOCK_STREAM,
	};

	snprintf(port, sizeof(port), "%u", lk->port);
	ares_getaddrinfo(lk->resolver->channel, name, port, &hints, query_done, lk);
}

/* RFC 6761 section 6.3: these never go to DNS. */
static bool is_localhost(const char *name, size_t len)
{
	static const char word[] = "localhost";
	const size_t word_len = sizeof(word) - 1;

	if (len > 0 && name[len - 1] == '.')
		len--;
	if (len < word_len || strncasecmp(name + len - word_len, word, word_len) != 0)
		return false;
	return len == word_len || name[len - word_len - 1] == '.';
}

/*
 * In DNS a name may hold any octet, but a backslash starts an escape for c-ares, and white space
 * and control octets are a mistake or a trick.
 */
static bool is_askable(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] <= ' ' || name[i] == 0x7f || name[i] == '\\')
			return false;
	return endpoint_name_is_valid(name, len);
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

void resolver_start(struct resolver *r, const char *name, size_t len, uint16_t port,
                    void (*told)(void *arg, const struct resolver_answer *a), void *arg,
                    struct lookup **slot)
{
	union address here[RESOLVER_ADDRESSES_MAX];
	struct resolver_answer a = { .addrs = here, .last = true };
	struct lookup *lk;

	*slot = NULL;
	a.n = hosts_ask(&r->given, name, len, port, here);
	if (a.n == 0 && is_localhost(name, len))
		a.n = loopback(port, here);
	if (a.n == 0)
		a.n = hosts_ask(&r->system, name, len, port, here);
	if (a.n > 0) {
		told(arg, &a);
		return;
	}
	a.err = -EHOSTUNREACH;
	a.why = "not a valid name";
	if (!is_askable(name, len)) {
		told(arg, &a);
		return;
	}
	lk = calloc(1, sizeof(*lk));
	if (!lk) {
		a.err = -ENOMEM;
		a.why = "out of memory";
		told(arg, &a);
		return;
	}
	*lk = (struct lookup){
		.resolver = r, .told = told, .arg = arg, .port = port, .pending = 3
	};
	lk->delay.due = delay_over;
	*slot = lk;
	query(lk, name, AF_INET6);
	query(lk, name, AF_INET);
	timeout_set(r);
	if (--lk->pending == 0)
		lookup_tell(lk, true);
	lookup_unref(lk);
}

void resolver_reload(struct resolver *r)
{
	r->given.complained = false;
	if (r->given.path)
		hosts_read_again(&r->given);
	hosts_read_again(&r->system);
}

static int channel_open(struct resolver *r, const char *nameservers)
{
	/*
	 * Files are ours to read: c-ares would ask DNS for the family that a hosts line doesn't
	 * give.
	 */
	static char lookups[] = "b";
	struct ares_options opt = {
		.timeout = QUERY_TIMEOUT_MS,
		.tries = QUERY_TRIES,
		.lookups = lookups,
		.sock_state_cb = socket_changed,
		.sock_state_cb_data = r,
	};
	int status = ares_init_options(&r->channel, &opt,
	                               ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
	                                       ARES_OPT_SOCK_STATE_CB);

	if (status != ARES_SUCCESS) {
		r->channel = NULL;
		return status == ARES_ENOMEM ? -ENOMEM : -EINVAL;
	}
	if (nameservers && ares_set_servers_ports_csv(r->channel, nameservers) != ARES_SUCCESS)
		return -EINVAL;
	return 0;
}

int resolver_new(struct resolver **out, struct loop *loop, const struct resolver_params *params)
{
	struct resolver *r = calloc(1, sizeof(*r));
	int err = 0;

	*out = NULL;
	if (!r)
		return -ENOMEM;
	r->loop = loop;
	r->timeout.due = timeout_came;
	r->given.path = params->hosts;
	r->system.path = HOSTS_SYSTEM;
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
		err = -ENOMEM;
	else
		err = channel_open(r, params->nameservers);
	if (err == 0 && r->given.path)
		err = hosts_read(&r->given);
	if (err < 0) {
		resolver_free(r);
		return err;
	}
	*out = r;
	return 0;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	if (r->channel)
		ares_destroy(r->channel);
	ares_library_cleanup();
	loop_stop_timer(r->loop, &r->timeout);
	hosts_free(r->given.hosts);
	hosts_free(r->system.hosts);
	free(r);
}
