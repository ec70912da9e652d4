/*
 * How it works: struct fd_entry has room for one epoll, which is what nearly every descriptor is
 * in. A note is written before the kernel is asked, and taken back where it says no: so whoever
 * moves a registration in between finds either nothing or what will be. A note may be older than
 * its descriptor; then the kernel knows no such registration, and /proc tells what it knows.
 */
#include "epolls.h"

#include "fds.h"
#include "real.h"

#include <base/errtext.h>
#include <base/log.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EPOLL_LINK    "anon_inode:[eventpoll]"
#define INHERITED_MAX 256 /* a descriptor of a greater number was hardly handed over by exec */

struct note {
	int epoll;
	uint32_t events;
	uint64_t data;
};

static struct note note_read(const struct fd_entry *e)
{
	struct note n = { .epoll = atomic_load_explicit(&e->epoll, memory_order_acquire) };

	n.events = atomic_load_explicit(&e->events, memory_order_acquire);
	n.data = atomic_load_explicit(&e->data, memory_order_acquire);
	if (atomic_load_explicit(&e->epoll, memory_order_relaxed) != n.epoll)
		n.epoll = FD_EPOLL_BUSY;
	return n;
}

static void note_write(struct fd_entry *e, const struct note *n)
{
	atomic_store_explicit(&e->epoll, FD_EPOLL_BUSY, memory_order_relaxed);
	atomic_store_explicit(&e->events, n->events, memory_order_release);
	atomic_store_explicit(&e->data, n->data, memory_order_release);
	atomic_store_explicit(&e->epoll, n->epoll, memory_order_release);
}

static bool is_another(const struct fd_entry *e, int epoll)
{
	int noted = atomic_load_explicit(&e->epoll, memory_order_relaxed);

	return noted != FD_EPOLL_NONE && noted != epoll && !fds_has(e, FD_CLOSED);
}

static int set(struct fd_entry *e, int epoll_fd, int op, int fd, struct epoll_event *ev, bool armed)
{
	struct note before = note_read(e),
		    now = { .epoll = epoll_fd + 1, .events = ev->events, .data = ev->data.u64 };
	bool another = is_another(e, now.epoll);
	int r;

	note_write(e, &now);
	r = real->epoll_ctl(epoll_fd, op, fd, ev);
	if (r < 0) {
		note_write(e, &before);
		return r;
	}
	if (another)
		fds_set(e, FD_MANY);
	fds_clear(e, FD_CLOSED | (armed ? 0 : FD_ARMED));
	if (armed)
		fds_set(e, FD_ARMED);
	return r;
}

static int unset(struct fd_entry *e, int epoll_fd, int fd, struct epoll_event *ev)
{
	int r = real->epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, ev);

	if (r == 0 && atomic_load_explicit(&e->epoll, memory_order_relaxed) == epoll_fd + 1)
		note_write(e, &(struct note){ .epoll = FD_EPOLL_NONE });
	return r;
}

int epolls_control(int epoll_fd, int op, int fd, struct epoll_event *ev, bool armed)
{
	struct fd_entry *e;

	if (epoll_fd < 0 || fd < 0)
		return real->epoll_ctl(epoll_fd, op, fd, ev);
	if (op == EPOLL_CTL_DEL) {
		e = fds_find(fd);
		return e ? unset(e, epoll_fd, fd, ev) : real->epoll_ctl(epoll_fd, op, fd, ev);
	}
	e = ev && (op == EPOLL_CTL_ADD || op == EPOLL_CTL_MOD) ? fds_make(fd) : NULL;
	return e ? set(e, epoll_fd, op, fd, ev, armed) : real->epoll_ctl(epoll_fd, op, fd, ev);
}

/* Calls @fn for each registration of an epoll. The kernel counts its own bits among the events. */
static void read_epoll(int epoll_fd,
                       void (*fn)(const struct epoll_seat *seat, ino_t inode, void *arg), void *arg)
{
	char path[48], buf[4096];
	size_t have = 0;
	ssize_t n;
	int info;

	snprintf(path, sizeof(path), "/proc/thread-self/fdinfo/%d", epoll_fd);
	info = open(path, O_RDONLY | O_CLOEXEC);
	if (info < 0)
		return;
	while ((n = read(info, buf + have, sizeof(buf) - 1 - have)) > 0) {
		char *line = buf, *end;

		have += (size_t)n;
		buf[have] = '\0';
		for (; (end = strchr(line, '\n')); line = end + 1) {
			struct epoll_seat seat = { .epoll_fd = epoll_fd };
			uint64_t data;
			unsigned long inode;

			*end = '\0';
			if (sscanf(line,
			           "tfd: %d events: %" SCNx32 " data: %" SCNx64 " pos:%*d ino:%lx",
			           &seat.fd, &seat.event.events, &data, &inode) != 4)
				continue;
			seat.event.data.u64 = data;
			fn(&seat, (ino_t)inode, arg);
		}
		have -= (size_t)(line - buf);
		memmove(buf, line, have);
		if (have == sizeof(buf) - 1)
			have = 0; /* no line of ours is as long */
	}
	real->close(info);
}

static bool is_epoll(int fd)
{
	char path[48], link[sizeof(EPOLL_LINK)];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/thread-self/fd/%d", fd);
	n = readlink(path, link, sizeof(link));
	return n == sizeof(EPOLL_LINK) - 1 && memcmp(link, EPOLL_LINK, (size_t)n) == 0;
}

struct taking {
	int fd;
	ino_t inode;
	struct epoll_seats *seats;
};

static void take_seat(const struct epoll_seat *seat, ino_t inode, void *arg)
{
	struct taking *t = arg;

	if (seat->fd != t->fd || inode != t->inode || t->seats->n == EPOLLS_SEATS_MAX)
		return;
	/* An epoll that has two numbers shows its registrations under both. */
	if (real->epoll_ctl(seat->epoll_fd, EPOLL_CTL_DEL, seat->fd, NULL) == 0)
		t->seats->at[t->seats->n++] = *seat;
}

static bool take_of_epoll(int fd, void *arg)
{
	if (is_epoll(fd))
		read_epoll(fd, take_seat, arg);
	return true;
}

/* Not where the kernel alone knows whether a registration for one event has had it. */
static bool take_noted(int fd, const struct note *n, bool armed, struct epoll_seats *seats)
{
	struct epoll_seat seat = { .epoll_fd = n->epoll - 1,
		                   .fd = fd,
		                   .event = { .events = n->events, .data.u64 = n->data } };

	if (((n->events & EPOLLONESHOT) && !armed) || seats->n == EPOLLS_SEATS_MAX ||
	    real->epoll_ctl(seat.epoll_fd, EPOLL_CTL_DEL, fd, NULL) < 0)
		return false;
	seats->at[seats->n++] = seat;
	return true;
}

void epolls_take(int fd, ino_t inode, struct epoll_seats *seats)
{
	struct taking t = { fd, inode, seats };
	struct fd_entry *e = fds_find(fd);
	struct note n = { .epoll = FD_EPOLL_NONE };
	size_t before = seats->n;

	if (e)
		n = note_read(e);
	if (n.epoll == FD_EPOLL_NONE && !fds_has(e, FD_MANY))
		return;
	if (n.epoll > 0 && !fds_has(e, FD_MANY) && take_noted(fd, &n, fds_has(e, FD_ARMED), seats))
		return;
	/* The one that was noted is the likely one. */
	if (n.epoll > 0)
		read_epoll(n.epoll - 1, take_seat, &t);
	if (seats->n == before || fds_has(e, FD_MANY))
		fds_scan(take_of_epoll, &t);
	/* Without /proc: an event too many is better than none. */
	if (seats->n == before && n.epoll > 0)
		take_noted(fd, &n, true, seats);
	fds_clear(e, FD_MANY);
	if (seats->n == before)
		note_write(e, &(struct note){ .epoll = FD_EPOLL_NONE });
	else if (seats->n > before + 1)
		fds_set(e, FD_MANY);
}

void epolls_give(const struct epoll_seats *seats)
{
	for (size_t i = 0; i < seats->n; i++) {
		const struct epoll_seat *s = &seats->at[i];
		struct epoll_event ev = s->event;
		struct fd_entry *e = fds_find(s->fd);

		if (real->epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->fd, &ev) < 0) {
			log_error("descriptor %d is lost to the epoll %d: %s", s->fd, s->epoll_fd,
			          err_text(-errno));
			continue;
		}
		if (!e)
			continue;
		note_write(e, &(struct note){ .epoll = s->epoll_fd + 1,
		                              .events = ev.events,
		                              .data = ev.data.u64 });
		/* From now on it can fire. */
		fds_clear(e, FD_ARMED);
	}
}

static void import_seat(const struct epoll_seat *seat, ino_t inode, void *arg)
{
	struct fd_entry *e = fds_make(seat->fd);

	(void)inode;
	(void)arg;
	if (e && atomic_load_explicit(&e->epoll, memory_order_relaxed) == FD_EPOLL_NONE)
		note_write(e, &(struct note){ .epoll = seat->epoll_fd + 1,
		                              .events = seat->event.events,
		                              .data = seat->event.data.u64 });
}

void epolls_import(void)
{
	for (int fd = 0; fd < INHERITED_MAX; fd++) {
		int type = 0;
		int r = real->getsockopt(fd, SOL_SOCKET, SO_TYPE, &type,
		                         &(socklen_t){ sizeof(type) });

		if (r == 0 && type == SOCK_STREAM && fds_make(fd))
			fds_set(fds_find(fd), FD_DUPED);
		else if (r < 0 && errno == ENOTSOCK && is_epoll(fd))
			read_epoll(fd, import_seat, NULL);
	}
}
