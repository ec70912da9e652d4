/*
 * How it works: the sockets are opened by the thread that needs one and served by the helper
 * (port_udp.c, port_tcp.c), which closes them once no socket of the program is connected to one,
 * and nobody was pointed there for a while. Who is pointed there says so before he looks whether
 * the port is open; the helper marks it closed before it looks whether anybody said so: one of them
 * sees the other.
 *
 * A forked child has its parent's sockets, too, and points nobody there: they are for its sockets
 * that are connected already. The parent answers them, and once its helper is gone, which a mutex
 * in shared memory tells, however it went, the child's does. Connections by TCP end with the
 * helper that accepted them; the child keeps that port for its number's sake.
 */
#include "port.h"

#include "fds.h"
#include "guard.h"
#include "helper.h"
#include "lock.h"
#include "owner.h"
#include "port_tcp.h"
#include "ports.h"
#include "questions.h"
#include "real.h"

#include <base/clock.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>

#define KEEP_MS       3000  /* since somebody was pointed there */
#define LOOK_MS       60000 /* between two looks at the program's sockets at most */
#define AWAIT_MS      6000  /* for the parent to answer: longer than libc's resolver waits */
#define LOOK_AGAIN_MS 50    /* whether it does */
#define BEGIN_MS      1000  /* for the helper of who has opened one to watch it */

struct port port_all[PORT_MAX];
struct worker *port_worker;

static atomic_bool stirred; /* one is open that is not watched yet */
static bool left_unseen;    /* under the lock: which of them are in use was not looked at */
static int64_t look_ms;     /* the helper's: when to look at the program's sockets again */
static int look_wait_ms;    /* likewise: how long it waited for the last look */

void port_stir(struct worker *w)
{
	atomic_store(&stirred, true);
	worker_kick(w);
}

/* Memory that forks share. */
struct port_shared *port_make_shared(void)
{
	struct port_shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
	                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t attr;

	if (s == MAP_FAILED)
		return NULL;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&s->served, &attr);
	pthread_mutexattr_destroy(&attr);
	return s;
}

/* Does it wait for its own helper to begin? Not for good: a process may end before. */
static bool is_too_early(const struct port *p)
{
	return (atomic_load(&p->where) & WHERE_LEFT) && !atomic_load(&p->shared->begun) &&
	       clock_ms() - p->left_ms < BEGIN_MS;
}

/* False where another process's helper answers. */
static bool take_over(struct port *p)
{
	int err;

	if (!p->shared)
		return true;
	if (is_too_early(p))
		return false;
	err = pthread_mutex_trylock(&p->shared->served);
	if (err == EOWNERDEAD)
		pthread_mutex_consistent(&p->shared->served);
	if (err != 0 && err != EOWNERDEAD)
		return false;
	atomic_store(&p->shared->begun, true);
	return true;
}

static void hand_over(struct port *p)
{
	if (p->shared)
		pthread_mutex_unlock(&p->shared->served);
}

/* "where" of a port that has this address; or 0, which none is. */
uint64_t port_place(const struct sockaddr *sa, socklen_t len)
{
	static const uint8_t v4[4] = { 127, 0, 0, 1 };
	struct endpoint ep;

	if (endpoint_from_sockaddr(&ep, sa, len) < 0)
		return 0;
	endpoint_unmap(&ep);
	if (ep.kind == ENDPOINT_IPV4)
		return memcmp(ep.ip, v4, sizeof(v4)) == 0 ? ep.port : 0;
	return memcmp(ep.ip, &in6addr_loopback, sizeof(in6addr_loopback)) == 0 ? ep.port | WHERE_V6
	                                                                       : 0;
}

/* Is it still the socket that we know? A program may have closed it behind our back. */
static bool is_intact(const struct port *p)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	return real->getsockname(p->watch.fd, (struct sockaddr *)&ss, &len) == 0 &&
	       port_place((struct sockaddr *)&ss, len) == (atomic_load(&p->where) & WHERE_PLACE);
}

/* Under the lock. */
static void mark_closed(struct port *p)
{
	atomic_store(&p->closed_ms, clock_ms());
	atomic_fetch_and(&p->where, ~WHERE_OPEN);
}

/* Under the lock, by the helper where it watches it. */
static void close_port(struct port *p)
{
	mark_closed(p);
	if (p->watched) {
		worker_watch_remove(port_worker, &p->watch);
		hand_over(p);
	}
	if (p->shared)
		munmap(p->shared, sizeof(*p->shared));
	p->shared = NULL;
	guard_disclaim(p->watch.fd);
	if (is_intact(p))
		real->close(p->watch.fd);
	p->watched = false;
	p->watch.fd = -1;
}

/* Is it a socket of the program's that is connected to some? @arg has an element for each. */
static bool note_peer(int fd, void *arg)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	bool *connected = arg;
	uint64_t place;

	if (fds_has(fds_find(fd), FD_OURS) ||
	    real->getpeername(fd, (struct sockaddr *)&ss, &len) < 0)
		return true;
	place = port_place((struct sockaddr *)&ss, len);
	for (size_t i = 0; place && i < PORT_MAX; i++)
		if ((atomic_load(&port_all[i].where) & WHERE_PLACE) == place)
			connected[i] = true;
	return true;
}

/* To which of them? Where that can't be seen, to all. */
static void find_connected(bool connected[PORT_MAX])
{
	memset(connected, 0, PORT_MAX * sizeof(*connected));
	if (!fds_scan(note_peer, connected))
		memset(connected, 1, PORT_MAX * sizeof(*connected));
}

static bool is_any_connected(void)
{
	bool connected[PORT_MAX], any = false;

	find_connected(connected);
	for (size_t i = 0; i < PORT_MAX; i++)
		any = any || (connected[i] && port_is_open(&port_all[i]));
	return any;
}

/* Under the lock, in a child, before it has ports of its own: what it has no use for is closed. */
void port_close_left(void)
{
	bool connected[PORT_MAX];

	if (!left_unseen)
		return;
	left_unseen = false;
	find_connected(connected);
	for (size_t i = 0; i < PORT_MAX; i++)
		if (port_is_open(&port_all[i]) && !port_all[i].watched && !connected[i] &&
		    (atomic_load(&port_all[i].where) & WHERE_LEFT))
			close_port(&port_all[i]);
}

/* Is it one of before a fork that may have to be watched? */
static bool is_left(const struct port *p)
{
	return port_is_open(p) && !p->watched && p->type == SOCK_DGRAM && p->shared &&
	       (atomic_load(&p->where) & WHERE_LEFT);
}

/* Under the lock. */
void port_wake(void)
{
	bool any = false;
	struct helper *h;
	int err;

	if (guard_ask() != GUARD_MINE)
		return;
	for (size_t i = 0; i < PORT_MAX; i++)
		any = is_left(&port_all[i]) || any;
	atomic_store(&ports_left, any);
	h = any ? helper_hold(&err) : NULL;
	if (!h)
		return;
	for (size_t i = 0; i < PORT_MAX; i++)
		if (is_left(&port_all[i]))
			atomic_store(&port_all[i].used_ms, clock_ms());
	owner_open(SOCK_DGRAM);
	atomic_store(&stirred, true);
	worker_kick(&h->worker);
	helper_release();
}

/* Under the lock, by the helper. */
static void watch(struct port *p, struct worker *w)
{
	if ((atomic_load(&p->where) & WHERE_LEFT) && !is_left(p))
		return;
	if (!take_over(p))
		return;
	p->watched = is_intact(p) && worker_watch_add(w, &p->watch) == 0;
	if (p->watched)
		return;
	hand_over(p);
	close_port(p);
}

/*
 * May who answers there end just now, and leave a datagram? Then nobody else would tell. Or it is
 * our own, and a child was sooner.
 */
static bool is_awaited(const struct port *p)
{
	if (!port_is_open(p) || p->watched)
		return false;
	if (!(atomic_load(&p->where) & WHERE_LEFT))
		return true;
	return is_left(p) && clock_ms() - atomic_load(&p->used_ms) < AWAIT_MS;
}

int port_tend(struct worker *w)
{
	struct lock_guard g;
	bool awaited = false;

	port_worker = w;
	if (!atomic_exchange(&stirred, false))
		return -1;
	lock_take(&g, LOCK_PARKING);
	for (size_t i = 0; i < PORT_MAX; i++) {
		if (port_is_open(&port_all[i]) && !port_all[i].watched)
			watch(&port_all[i], w);
		awaited = is_awaited(&port_all[i]) || awaited;
	}
	lock_release(&g);
	look_ms = 0;
	if (!awaited)
		return -1;
	atomic_store(&stirred, true);
	return LOOK_AGAIN_MS;
}

int port_need_ms(int64_t now_ms)
{
	int64_t used_ms = INT64_MIN;

	for (size_t i = 0; i < PORT_MAX; i++)
		if (port_is_open(&port_all[i]) && atomic_load(&port_all[i].used_ms) > used_ms)
			used_ms = atomic_load(&port_all[i].used_ms);
	if (questions_pending() > 0 || port_tcp_connections() > 0)
		return KEEP_MS;
	if (used_ms == INT64_MIN)
		return 0;
	if (now_ms - used_ms < KEEP_MS) {
		look_wait_ms = 0;
		return (int)(KEEP_MS - (now_ms - used_ms));
	}
	if (now_ms < look_ms)
		return (int)(look_ms - now_ms);
	if (!is_any_connected())
		return 0;
	/* The longer one stays, the longer it will. */
	look_wait_ms = look_wait_ms == 0 ? KEEP_MS : look_wait_ms * 2;
	if (look_wait_ms > LOOK_MS)
		look_wait_ms = LOOK_MS;
	look_ms = now_ms + look_wait_ms;
	return look_wait_ms;
}

/* Under the lock, all marked as closed: was one of them used meanwhile? Then they are open. */
static bool reopen_used(const bool *marked, int64_t since_ms)
{
	bool used = false;

	for (size_t i = 0; i < PORT_MAX; i++)
		used = used || (marked[i] && atomic_load(&port_all[i].used_ms) >= since_ms);
	for (size_t i = 0; used && i < PORT_MAX; i++)
		if (marked[i])
			atomic_fetch_or(&port_all[i].where, WHERE_OPEN);
	return used;
}

bool port_close_all(int64_t since_ms)
{
	bool marked[PORT_MAX];

	for (size_t i = 0; i < PORT_MAX; i++) {
		marked[i] = port_is_open(&port_all[i]);
		if (marked[i])
			mark_closed(&port_all[i]);
	}
	if (reopen_used(marked, since_ms))
		return false;
	for (size_t i = 0; i < PORT_MAX; i++)
		if (marked[i])
			close_port(&port_all[i]);
	port_tcp_close();
	questions_close();
	return true;
}

void port_fail(void)
{
	struct lock_guard g;

	port_tcp_fail();
	questions_fail();
	lock_take(&g, LOCK_PARKING);
	for (size_t i = 0; i < PORT_MAX; i++)
		if (port_is_open(&port_all[i]))
			close_port(&port_all[i]);
	lock_release(&g);
}

bool port_any_open(void)
{
	for (size_t i = 0; i < PORT_MAX; i++)
		if (port_is_open(&port_all[i]))
			return true;
	return false;
}

static struct port *find_by_number(int fd)
{
	for (size_t i = 0; i < PORT_MAX; i++)
		if (port_is_open(&port_all[i]) && port_all[i].watch.fd == fd)
			return &port_all[i];
	return NULL;
}

bool port_has(int fd)
{
	return ports_are_used() && find_by_number(fd);
}

void port_renumber(int fd, int to)
{
	struct port *p = find_by_number(fd);

	if (p)
		p->watch.fd = to;
}

void port_in_child(bool kept)
{
	if (!ports_are_used())
		return;
	for (size_t i = 0; i < PORT_MAX; i++) {
		port_all[i].watched = false;
		if (!port_is_open(&port_all[i]))
			continue;
		if (kept) {
			atomic_fetch_or(&port_all[i].where, WHERE_LEFT);
			port_all[i].left_ms = clock_ms();
			left_unseen = true;
		} else {
			mark_closed(&port_all[i]);
			port_all[i].watch.fd = -1;
		}
	}
	port_tcp_in_child();
	questions_in_child();
	look_ms = 0;
	atomic_store(&stirred, false);
	atomic_store(&ports_left, left_unseen);
}
