#include "sockets.h"

#include "fds.h"
#include "lock.h"
#include "real.h"
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <names/peers.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/*
 * uthash's default for want of memory is exit(), which is not ours to call; its default hash falls
 * through its cases in a way that clang warns of, and a cookie needs no more than its low bits
 * spread.
 */
#define HASH_NONFATAL_OOM              1
#define HASH_FUNCTION(key, len, hashv) ((hashv) = cookie_hash(key))
#include <uthash.h>

#define SWEEP_FIRST 256 /* entries before the first look at what is still open */

struct entry {
	uint64_t cookie;
	int8_t state;
	int8_t shown_family; /* 0, AF_INET or AF_INET6 */
	bool alive;          /* of the sweep */
	uint8_t peer_len;
	int err;
	struct sockaddr_in6 peer; /* the larger of the two families */
	UT_hash_handle hh;
};

static unsigned cookie_hash(const void *key)
{
	uint64_t cookie;

	memcpy(&cookie, key, sizeof(cookie));
	return (unsigned)(cookie * 0x9e3779b97f4a7c15u >> 32);
}

static struct entry *entries; /* under the lock */
/*
 * Of no socket: without it the table of uthash would come and go with the last entry, and a thread
 * that calls malloc() is given an arena, which the helper should not leave behind.
 */
static struct entry keeper;
static size_t sweep_at = SWEEP_FIRST;
static atomic_size_t count;
static atomic_bool changing;

/*
 * A fork in another thread may have caught the table in the midst of a change, which nobody will
 * finish in this child: then it is left where it lies, and a new one begun.
 */
static void table_take(struct lock_guard *g)
{
	lock_take(g, LOCK_TABLES);
	if (atomic_load_explicit(&changing, memory_order_relaxed)) {
		entries = NULL;
		atomic_store(&count, 0);
	}
	atomic_store_explicit(&changing, true, memory_order_relaxed);
}

static void table_release(struct lock_guard *g)
{
	atomic_store_explicit(&count, entries ? HASH_COUNT(entries) - 1 : 0, memory_order_relaxed);
	atomic_store_explicit(&changing, false, memory_order_relaxed);
	lock_release(g);
}

/* By way of an endpoint, since what the kernel shows has no octets that a program left behind. */
bool sockets_set_peer(struct socket_note *note, const struct sockaddr *sa)
{
	socklen_t len = sa->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
	                                          : sizeof(struct sockaddr_in);
	struct endpoint ep;

	if (endpoint_from_sockaddr(&ep, sa, len) < 0)
		return false;
	note->peer_len = endpoint_to_sockaddr(&ep, sa->sa_family, &note->peer);
	return true;
}

/*
 * Emulators of the kernel may have no cookies (qemu's of user mode says EINVAL): the inode then,
 * which is another socket's only after four thousand million of them.
 */
static uint64_t inode_of(int fd)
{
	struct stat st;

	if (errno == EBADF || errno == ENOTSOCK || fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode))
		return 0;
	return st.st_ino | UINT64_C(1) << 63;
}

uint64_t sockets_cookie(int fd)
{
	uint64_t cookie = 0;
	int saved = errno;

	if (real->getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &(socklen_t){ sizeof(cookie) }) <
	    0)
		cookie = inode_of(fd);
	errno = saved;
	return cookie;
}

static struct entry *entry_find(uint64_t cookie)
{
	struct entry *e = NULL;

	HASH_FIND(hh, entries, &cookie, sizeof(cookie), e);
	return e;
}

static void note_of(const struct entry *e, struct socket_note *out)
{
	*out = (struct socket_note){ .state = (enum socket_state)e->state,
		                     .shown_family = e->shown_family,
		                     .err = e->err,
		                     .peer_len = e->peer_len };
	memcpy(&out->peer, &e->peer, e->peer_len);
}

static bool mark_alive(int fd, void *arg)
{
	uint64_t cookie = sockets_cookie(fd);
	struct entry *e = cookie ? entry_find(cookie) : NULL;

	(void)arg;
	if (e)
		e->alive = true;
	return true;
}

/* Drop what no descriptor of this process refers to. A process without /proc keeps everything. */
static void sweep(void)
{
	struct entry *e, *next;

	HASH_ITER (hh, entries, e, next)
		e->alive = e == &keeper;
	if (!fds_scan(mark_alive, NULL))
		return;
	HASH_ITER (hh, entries, e, next) {
		if (e->alive)
			continue;
		HASH_DEL(entries, e);
		free(e);
	}
}

static struct entry *entry_add(uint64_t cookie)
{
	struct entry *e;

	if (!entries)
		HASH_ADD(hh, entries, cookie, sizeof(keeper.cookie), &keeper);
	if (HASH_COUNT(entries) >= sweep_at) {
		sweep();
		sweep_at = HASH_COUNT(entries) * 2;
		if (sweep_at < SWEEP_FIRST)
			sweep_at = SWEEP_FIRST;
	}
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->cookie = cookie;
	HASH_ADD(hh, entries, cookie, sizeof(e->cookie), e);
	if (!e->hh.tbl) { /* uthash's way to say that it had no memory */
		free(e);
		return NULL;
	}
	return e;
}

static void note_here(uint64_t cookie, const struct socket_note *note)
{
	struct lock_guard g;
	struct entry *e;

	table_take(&g);
	e = entry_find(cookie);
	if (!e)
		e = entry_add(cookie);
	if (e) {
		e->state = (int8_t)note->state;
		e->shown_family = (int8_t)note->shown_family;
		e->err = note->err;
		e->peer_len = (uint8_t)(note->peer_len < sizeof(e->peer) ? note->peer_len
		                                                         : sizeof(e->peer));
		memcpy(&e->peer, &note->peer, e->peer_len);
	}
	table_release(&g);
}

/*
 * A program may have many of the latter, one for each address that it looks up: they would fill all
 * the places.
 */
static bool is_for_heirs(int fd, enum socket_state st)
{
	return st == SOCKET_CONNECTED ||
	       (st == SOCKET_REFUSED && !(real->fcntl(fd, F_GETFD, 0) & FD_CLOEXEC));
}

/* The last note holds: one without a peer takes the one before back. */
static void note_for_heirs(uint64_t cookie, const struct socket_note *note)
{
	struct peer p = { .shown_family = (sa_family_t)note->shown_family,
		          .refused = note->state == SOCKET_REFUSED,
		          .len = note->peer_len };
	struct table *t = session_names();

	if (!t || p.len > sizeof(p.addr))
		return;
	memcpy(&p.addr, &note->peer, p.len);
	peers_note(t, cookie, &p);
}

void sockets_move(uint64_t cookie, int fd, int shown_family, int err)
{
	uint64_t now = sockets_cookie(fd);
	struct socket_note note;
	struct lock_guard g;
	struct entry *e;

	table_take(&g);
	e = now ? entry_find(cookie) : NULL;
	if (e) {
		HASH_DEL(entries, e);
		e->cookie = now;
		e->state = err < 0 ? SOCKET_FAILED : SOCKET_CONNECTED;
		e->err = err;
		e->shown_family = (int8_t)shown_family;
		HASH_ADD(hh, entries, cookie, sizeof(e->cookie), e);
		if (!e->hh.tbl) {
			free(e);
			e = NULL;
		}
	}
	if (e)
		note_of(e, &note);
	table_release(&g);
	if (e && err == 0)
		note_for_heirs(now, &note);
}

void sockets_note(int fd, const struct socket_note *note)
{
	uint64_t cookie = sockets_cookie(fd);

	if (!cookie)
		return;
	note_here(cookie, note);
	if (is_for_heirs(fd, note->state))
		note_for_heirs(cookie, note);
}

bool sockets_inherit(int fd, struct socket_note *out)
{
	uint64_t cookie = sockets_cookie(fd);
	struct table *t = cookie ? session_names() : NULL;
	struct peer p;

	if (!t || !peers_find(t, cookie, &p))
		return false;
	*out = (struct socket_note){ .state = p.refused ? SOCKET_REFUSED : SOCKET_CONNECTED,
		                     .shown_family = p.shown_family,
		                     .peer_len = p.len };
	memcpy(&out->peer, &p.addr, p.len);
	note_here(cookie, out);
	return true;
}

bool sockets_find(int fd, struct socket_note *out)
{
	struct lock_guard g;
	struct entry *e;
	uint64_t cookie;

	*out = (struct socket_note){ .state = SOCKET_IDLE };
	if (atomic_load_explicit(&count, memory_order_relaxed) == 0)
		return false;
	cookie = sockets_cookie(fd);
	if (!cookie)
		return false;
	table_take(&g);
	e = entry_find(cookie);
	if (e)
		note_of(e, out);
	table_release(&g);
	return e != NULL;
}

void sockets_forget(int fd)
{
	bool was_noted;
	struct lock_guard g;
	struct entry *e;
	uint64_t cookie;

	if (atomic_load_explicit(&count, memory_order_relaxed) == 0)
		return;
	cookie = sockets_cookie(fd);
	if (!cookie)
		return;
	table_take(&g);
	e = entry_find(cookie);
	was_noted = e && is_for_heirs(fd, (enum socket_state)e->state);
	if (e && e->shown_family) {
		e->state = SOCKET_IDLE;
	} else if (e) {
		HASH_DEL(entries, e);
		free(e);
	}
	table_release(&g);
	if (was_noted)
		note_for_heirs(cookie, &(struct socket_note){ .state = SOCKET_IDLE });
}
