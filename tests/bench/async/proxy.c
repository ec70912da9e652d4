/*
 * proxy STEP_MS: a SOCKS5 proxy for the bench, which answers each of its two steps so many
 * milliseconds late, any number of them at once, and is then the far end itself: what comes goes
 * back. Prints its port, and that of a bare far end.
 *
 * All delays are the same, so that the sessions that wait are a queue. Edge-triggered: while a
 * session waits, nothing is read, and when its time has come it is read first.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum session_state { GREETING, METHOD_DUE, REQUEST, REPLY_DUE, OPEN };

struct session {
	int fd;
	enum session_state st;
	size_t len;
	int64_t due_ns;
	STAILQ_ENTRY(session) entry;
	uint8_t buf[512];
};

static STAILQ_HEAD(, session) waiting = STAILQ_HEAD_INITIALIZER(waiting);
static int ep, timer;
static int64_t step_ns;

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void set_timer(void)
{
	struct session *s = STAILQ_FIRST(&waiting);
	struct itimerspec when = { 0 };

	if (s != NULL) {
		when.it_value.tv_sec = s->due_ns / 1000000000;
		when.it_value.tv_nsec = s->due_ns % 1000000000;
	}
	timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void session_end(struct session *s)
{
	close(s->fd);
	free(s);
}

/* Octets of the message that the state waits for, as far as they tell; more than @len: not yet. */
static size_t session_need(const struct session *s)
{
	if (s->st == GREETING)
		return s->len < 2 ? 2 : 2 + (size_t)s->buf[1];
	if (s->len < 5)
		return 5;
	return s->buf[3] == 1 ? 10 : s->buf[3] == 4 ? 22 : 7 + (size_t)s->buf[4];
}

/* Returns false if the session is over. */
static bool session_say(struct session *s, const void *octets, size_t len)
{
	return send(s->fd, octets, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static bool session_answer(struct session *s)
{
	static const uint8_t method[] = { 5, 0 };
	static const uint8_t reply[] = { 5, 0, 0, 1, 0, 0, 0, 0, 0, 0 };

	if (s->st == METHOD_DUE) {
		s->st = REQUEST;
		return session_say(s, method, sizeof(method));
	}
	s->st = OPEN;
	return session_say(s, reply, sizeof(reply)) && session_say(s, s->buf, s->len);
}

/* Reads and answers until there is nothing to read, or a time to wait for. */
static void session_go(struct session *s)
{
	for (;;) {
		if (s->st == METHOD_DUE || s->st == REPLY_DUE)
			return;
		if (s->st != OPEN && s->len >= session_need(s)) {
			size_t used = session_need(s);

			s->len -= used;
			memmove(s->buf, s->buf + used, s->len);
			s->st = s->st == GREETING ? METHOD_DUE : REPLY_DUE;
			if (step_ns > 0) {
				s->due_ns = now_ns() + step_ns;
				STAILQ_INSERT_TAIL(&waiting, s, entry);
				if (STAILQ_FIRST(&waiting) == s)
					set_timer();
				return;
			}
			if (!session_answer(s))
				break;
			continue;
		}
		size_t at = s->st == OPEN ? 0 : s->len;
		ssize_t n = recv(s->fd, s->buf + at, sizeof(s->buf) - at, 0);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			break;
		if (s->st == OPEN && !session_say(s, s->buf, (size_t)n))
			break;
		if (s->st != OPEN)
			s->len += (size_t)n;
	}
	session_end(s);
}

static void answer_those_due(void)
{
	struct session *s;
	uint64_t ticks;

	if (read(timer, &ticks, sizeof(ticks)) < 0)
		return;
	while ((s = STAILQ_FIRST(&waiting)) != NULL && s->due_ns <= now_ns()) {
		STAILQ_REMOVE_HEAD(&waiting, entry);
		if (session_answer(s))
			session_go(s);
		else
			session_end(s);
	}
	set_timer();
}

static void accept_all(int listener, enum session_state st)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct session *s = calloc(1, sizeof(*s));
		struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = s };

		if (s == NULL)
			exit(1);
		s->fd = fd;
		s->st = st;
		if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0)
			exit(1);
	}
}

static int listener_new(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct epoll_event ev = { .events = EPOLLIN };

	if (bind(fd, (struct sockaddr *)&sa, len) < 0 || listen(fd, 65535) < 0 ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		exit(1);
	ev.data.u64 = (uint64_t)fd;
	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	printf("%d\n", ntohs(sa.sin_port));
	return fd;
}

int main(int argc, char **argv)
{
	struct epoll_event ev = { .events = EPOLLIN }, evs[256];
	int proxy, far;

	if (argc != 2)
		return 2;
	step_ns = atoll(argv[1]) * 1000000;
	ep = epoll_create1(0);
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	proxy = listener_new();
	far = listener_new();
	fflush(stdout);
	ev.data.u64 = (uint64_t)timer;
	epoll_ctl(ep, EPOLL_CTL_ADD, timer, &ev);
	for (;;) {
		int n = epoll_wait(ep, evs, 256, -1);

		for (int i = 0; i < n; i++) {
			/* Numbers of descriptors are below any pointer. */
			uint64_t what = evs[i].data.u64;
			struct session *s = evs[i].data.ptr;

			if (what == (uint64_t)proxy)
				accept_all(proxy, GREETING);
			else if (what == (uint64_t)far)
				accept_all(far, OPEN);
			else if (what != (uint64_t)timer)
				session_go(s);
		}
		/* Last, since it may end sessions that had an event, too. */
		answer_those_due();
	}
}
