/*
 * How it works: the table's entries (port.h) are written under the lock, and read without it:
 * "where" holds the port, and what it stands for may be read between two looks at it. A closed
 * entry stays known for a minute: what was received from it may be read late. When it is opened
 * again it takes its former number, if nobody else has it.
 */
#include "ports.h"

#include "guard.h"
#include "helper.h"
#include "lock.h"
#include "owner.h"
#include "page.h"
#include "port.h"
#include "port_tcp.h"
#include "port_udp.h"
#include "real.h"
#include "session.h"

#include <base/clock.h>
#include <base/errtext.h>
#include <base/log.h>
#include <errno.h>
#include <names/local.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#define REMEMBER_MS  60000
#define BACKLOG      64
#define NUMBER_TRIES 8 /* for one that no other entry has */

/* What is looked for in it. */
struct key {
	uint64_t ip[2], rest;
	uid_t uid;
	bool stream;
};

atomic_bool ports_any, ports_left;

static void key_init(struct key *k, const struct endpoint *remote, int type)
{
	memset(k->ip, 0, sizeof(k->ip));
	memcpy(k->ip, remote->ip, remote->kind == ENDPOINT_IPV4 ? 4 : 16);
	k->rest = (uint64_t)remote->kind << 48 | (uint64_t)remote->port << 32 |
	          (remote->kind == ENDPOINT_IPV6 ? remote->scope : 0);
	k->stream = type == SOCK_STREAM;
	k->uid = geteuid();
}

static bool key_fits(const struct key *k, const struct port *p, uint64_t where)
{
	return where != 0 && !(where & WHERE_LEFT) && WHERE_UID(where) == k->uid &&
	       !(where & WHERE_STREAM) == !k->stream &&
	       atomic_load_explicit(&p->ip[0], memory_order_relaxed) == k->ip[0] &&
	       atomic_load_explicit(&p->ip[1], memory_order_relaxed) == k->ip[1] &&
	       atomic_load_explicit(&p->rest, memory_order_relaxed) == k->rest;
}

static bool key_is_ipv6(const struct key *k)
{
	return k->rest >> 48 == ENDPOINT_IPV6;
}

/* Without the lock. Returns "where", or 0. */
static uint64_t find_served(const struct key *k, bool v6only)
{
	if (!ports_are_used() || !atomic_load_explicit(&page_get()->running, memory_order_acquire))
		return 0;
	for (size_t i = 0; i < PORT_MAX; i++) {
		struct port *p = &port_all[i];
		uint64_t where = atomic_load(&p->where);

		if (!(where & WHERE_OPEN) || !key_fits(k, p, where) ||
		    (v6only && !(where & WHERE_V6)))
			continue;
		atomic_store(&p->used_ms, clock_ms());
		if (atomic_load(&p->where) == where)
			return where;
	}
	return 0;
}

/* Under the lock. The one that is open, else its former entry, else one that can be spared. */
static struct port *choose_entry(const struct key *k, bool v6only)
{
	struct port *best = NULL;
	int64_t best_ms = 0;

	for (size_t i = 0; i < PORT_MAX; i++) {
		struct port *p = &port_all[i];
		uint64_t where = atomic_load(&p->where);
		int64_t ms = where ? atomic_load(&p->closed_ms) : 0;

		if (key_fits(k, p, where) && (!v6only || (where & WHERE_V6)))
			return p;
		if (!(where & WHERE_OPEN) && (!best || ms < best_ms)) {
			best = p;
			best_ms = ms;
		}
	}
	return best;
}

static void set_loopback(struct sockaddr_storage *ss, socklen_t *len, int family, bool v6,
                         uint16_t number)
{
	static const uint8_t v4[4] = { 127, 0, 0, 1 };
	struct endpoint ep;

	if (v6)
		endpoint_set_ipv6(&ep, in6addr_loopback.s6_addr, number);
	else
		endpoint_set_ipv4(&ep, v4, number);
	*len = endpoint_to_sockaddr(&ep, family, ss);
}

/* Another entry's, of another kind it may be: addresses are told apart by the number alone. */
static bool is_taken(const struct port *p, uint64_t place)
{
	for (size_t i = 0; i < PORT_MAX; i++) {
		uint64_t where = atomic_load(&port_all[i].where);

		if (&port_all[i] != p && where != 0 && (where & WHERE_PLACE) == place)
			return true;
	}
	return false;
}

/*
 * A socket at loopback: at @number if that can be had. Returns it, or a negative errno; @place is
 * where it is.
 */
static int make_socket(const struct port *p, int type, bool v6, uint16_t number, uint64_t *place)
{
	int family = v6 ? AF_INET6 : AF_INET, err;
	int fd = real->socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_storage ss;
	struct endpoint ep;
	socklen_t len;

	if (fd < 0)
		return -errno;
	if (type == SOCK_STREAM) /* its former number may be in TIME_WAIT */
		real->setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	set_loopback(&ss, &len, family, v6, number);
	err = real->bind(fd, (struct sockaddr *)&ss, len) < 0 ? -errno : 0;
	if (err == 0 && type == SOCK_STREAM)
		err = real->listen(fd, BACKLOG) < 0 ? -errno : 0;
	len = sizeof(ss);
	if (err == 0 && real->getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		err = -errno;
	if (err == 0)
		err = endpoint_from_sockaddr(&ep, (struct sockaddr *)&ss, len);
	if (err == 0) {
		*place = ep.port | (v6 ? WHERE_V6 : 0);
		if (is_taken(p, *place))
			err = -EADDRINUSE;
	}
	if (err < 0) {
		real->close(fd);
		return err;
	}
	return fd;
}

static int make_socket_anywhere(const struct port *p, int type, bool v6, uint64_t former,
                                uint64_t *place)
{
	uint16_t number = !(former & WHERE_V6) == !v6 ? (uint16_t)(former & WHERE_NUMBER) : 0;
	int fd = -EADDRINUSE;

	for (int i = 0; i < NUMBER_TRIES && fd == -EADDRINUSE; i++) {
		fd = make_socket(p, type, v6, number, place);
		number = 0;
	}
	return fd;
}

/* Under the lock: it is closed. */
static int open_port(struct port *p, const struct key *k, const struct endpoint *remote, int type,
                     bool v6only)
{
	uint64_t where = atomic_load(&p->where), place;
	uint64_t former = key_fits(k, p, where) ? where : 0;
	bool v6 = key_is_ipv6(k);
	int fd = make_socket_anywhere(p, type, v6, former, &place);

	if (fd < 0 && v6 && !v6only)
		fd = make_socket_anywhere(p, type, false, former, &place);
	if (fd < 0)
		return fd;
	fd = helper_raise(fd);
	guard_claim(fd, NULL);
	atomic_store(&p->where, 0);
	p->watch = (struct worker_watch){
		.fd = fd,
		.events = EPOLLIN,
		.until_ms = DEADLINE_NEVER,
		.ready = type == SOCK_STREAM ? port_tcp_ready : port_udp_ready,
	};
	p->remote = *remote;
	p->type = type;
	p->uid = k->uid;
	p->watched = false;
	p->shared = port_make_shared();
	atomic_store(&p->ip[0], k->ip[0]);
	atomic_store(&p->ip[1], k->ip[1]);
	atomic_store(&p->rest, k->rest);
	atomic_store(&p->where,
	             place | WHERE_OPEN | (k->stream ? WHERE_STREAM : 0) | (uint64_t)k->uid << 32);
	atomic_store(&ports_any, true);
	return 0;
}

/* Under the lock. Returns 0, with "where", or a negative errno. */
static int open_served(const struct key *k, const struct endpoint *remote, int type, bool v6only,
                       uint64_t *where)
{
	struct port *p;
	struct helper *h;
	int err;

	h = helper_hold(&err);
	if (!h)
		return err;
	owner_open(type);
	port_close_left();
	p = choose_entry(k, v6only);
	err = p ? 0 : -EMFILE;
	if (p && !(atomic_load(&p->where) & WHERE_OPEN))
		err = open_port(p, k, remote, type, v6only);
	if (err == 0) {
		*where = atomic_load(&p->where);
		atomic_store(&p->used_ms, clock_ms());
		if (!p->watched)
			port_stir(&h->worker);
	}
	helper_release();
	return err;
}

/* What the helper will want, and is not to open or to allocate itself. */
static void prime(void)
{
	static atomic_bool primed;
	struct endpoint ep;

	session_names();
	session_login();
	if (!atomic_exchange(&primed, true))
		local_find("localhost", 9, AF_INET, &ep, 1);
}

static void tell(const struct endpoint *remote, int err)
{
	static atomic_int told;

	if (atomic_exchange(&told, err) != err)
		log_warn("%s[%d]: %s can't be asked: there is no port to answer in its place: %s",
		         program_invocation_short_name, (int)getpid(), ENDPOINT_TEXT(remote),
		         err_text(err));
}

int ports_find(const struct endpoint *remote, int type, int family, bool v6only,
               struct sockaddr_storage *out, socklen_t *len)
{
	struct endpoint ep = *remote;
	int saved = errno, err = 0;
	struct lock_guard g;
	uint64_t where;
	struct key k;

	endpoint_unmap(&ep);
	if (ep.kind == ENDPOINT_IPV6 && family != AF_INET6)
		return -EAFNOSUPPORT;
	if (ep.kind == ENDPOINT_IPV4 && family == AF_INET6 && v6only)
		return -ENETUNREACH;
	key_init(&k, &ep, type);
	where = find_served(&k, v6only);
	if (!where) {
		prime();
		lock_take(&g, LOCK_PARKING);
		err = open_served(&k, &ep, type, v6only, &where);
		lock_release(&g);
	}
	errno = saved;
	if (err < 0) {
		tell(&ep, err);
		errno = saved;
		return err;
	}
	set_loopback(out, len, family, where & WHERE_V6, (uint16_t)(where & WHERE_NUMBER));
	return 0;
}

static bool is_known(const struct port *p, uint64_t where)
{
	return (where & WHERE_OPEN) ||
	       clock_ms() - atomic_load_explicit(&p->closed_ms, memory_order_relaxed) < REMEMBER_MS;
}

bool ports_remote(const struct sockaddr *sa, socklen_t len, struct sockaddr_storage *out,
                  socklen_t *out_len)
{
	uint64_t place = ports_are_used() ? port_place(sa, len) : 0;

	if ((place & WHERE_NUMBER) == 0)
		return false;
	for (size_t i = 0; i < PORT_MAX; i++) {
		struct port *p = &port_all[i];
		uint64_t where = atomic_load_explicit(&p->where, memory_order_acquire), rest, ip[2];
		struct endpoint ep;

		if ((where & WHERE_PLACE) != place || !is_known(p, where))
			continue;
		for (size_t j = 0; j < 2; j++)
			ip[j] = atomic_load_explicit(&p->ip[j], memory_order_acquire);
		rest = atomic_load_explicit(&p->rest, memory_order_acquire);
		if ((atomic_load_explicit(&p->where, memory_order_relaxed) & ~WHERE_OPEN) !=
		    (where & ~WHERE_OPEN))
			continue;
		if (rest >> 48 == ENDPOINT_IPV6)
			endpoint_set_ipv6(&ep, (uint8_t *)ip, (uint16_t)(rest >> 32));
		else
			endpoint_set_ipv4(&ep, (uint8_t *)ip, (uint16_t)(rest >> 32));
		ep.scope = (uint32_t)rest;
		*out_len = endpoint_to_sockaddr(&ep, sa->sa_family, out);
		return *out_len > 0;
	}
	return false;
}

void ports_wake(void)
{
	struct lock_guard g;
	int saved = errno;

	lock_take(&g, LOCK_PARKING);
	port_wake();
	lock_release(&g);
	errno = saved;
}
