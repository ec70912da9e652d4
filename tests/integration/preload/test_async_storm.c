/*
 * Many at once: threads that connect, duplicate, change registrations and give up, round after
 * round (STORM_ROUNDS, 3); and thousands that are pending together.
 */
#include "async.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define THREADS  8
#define CONNECTS 400
#define WINDOW   50 /* of one thread, at the same time */

struct one {
	int fd, twin, serial;
	bool sent;
	size_t got;
	char want[32], is[32];
};

struct storm {
	int id, wrong;
	struct sockaddr_storage good, bad;
	socklen_t len;
	int epoll, begun, open;
	unsigned seed;
	struct one window[WINDOW];
};

static void complain(struct storm *s, const struct one *o, const char *what)
{
	if (s->wrong++ == 0)
		fprintf(stderr, "thread %d, connect %d: %s: %s\n", s->id, o->serial, what,
		        strerror(errno));
}

static bool is_bad(const struct one *o)
{
	return o->serial % 10 == 7;
}

/* A tenth is closed while pending. */
static bool is_given_up(const struct one *o)
{
	return o->serial % 10 == 3;
}

static void finish(struct storm *s, struct one *o)
{
	close(o->fd);
	if (o->twin >= 0)
		close(o->twin);
	o->fd = -1;
	s->open--;
}

static void begin(struct storm *s, struct one *o)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.ptr = o };
	const struct sockaddr_storage *to;

	*o = (struct one){ .serial = s->begun++, .twin = -1 };
	to = is_bad(o) ? &s->bad : &s->good;
	snprintf(o->want, sizeof(o->want), "%d of %d, and its end", o->serial, s->id);
	o->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	s->open++;
	if (o->serial % 4 == 0)
		epoll_ctl(s->epoll, EPOLL_CTL_ADD, o->fd, &ev);
	if (o->serial % 5 == 0)
		o->twin = dup(o->fd);
	if (connect(o->fd, (const struct sockaddr *)to, s->len) == 0 || errno != EINPROGRESS)
		complain(s, o, "connect");
	if (o->serial % 5 == 1)
		o->twin = dup(o->fd);
	if (o->serial % 4 != 0)
		epoll_ctl(s->epoll, EPOLL_CTL_ADD, o->fd, &ev);
	ev.events = EPOLLIN | EPOLLOUT | (o->serial % 2 ? EPOLLET : 0);
	if (epoll_ctl(s->epoll, EPOLL_CTL_MOD, o->fd, &ev) < 0)
		complain(s, o, "EPOLL_CTL_MOD");
	if (is_given_up(o)) {
		if (rand_r(&s->seed) % 2)
			sched_yield();
		/* A duplicate would keep it registered, and be told of as ever. */
		epoll_ctl(s->epoll, EPOLL_CTL_DEL, o->fd, NULL);
		finish(s, o);
	}
}

static void hear(struct storm *s, struct one *o)
{
	int fd = o->twin >= 0 && o->serial % 2 ? o->twin : o->fd;
	ssize_t n = recv(fd, o->is + o->got, strlen(o->want) - o->got, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		complain(s, o, "recv");
		finish(s, o);
		return;
	}
	o->got += (size_t)n;
	if (o->got < strlen(o->want))
		return;
	if (strcmp(o->is, o->want) != 0)
		complain(s, o, "what came is another's");
	finish(s, o);
}

static void serve(struct storm *s, const struct epoll_event *ev)
{
	struct one *o = ev->data.ptr;
	int err = -1;

	if (o->fd < 0)
		return; /* the same round of epoll_wait() has ended it */
	if (o->sent) {
		hear(s, o);
		return;
	}
	getsockopt(o->fd, SOL_SOCKET, SO_ERROR, &err, &(socklen_t){ sizeof(err) });
	errno = err;
	if (is_bad(o)) {
		if (err != ECONNREFUSED || !(ev->events & EPOLLERR))
			complain(s, o, "was to be refused");
		finish(s, o);
		return;
	}
	if (err != 0 || (ev->events & (EPOLLERR | EPOLLHUP))) {
		complain(s, o, "failed");
		finish(s, o);
		return;
	}
	o->sent = true;
	if (send(o->fd, o->want, strlen(o->want), MSG_NOSIGNAL) != (ssize_t)strlen(o->want))
		complain(s, o, "send");
}

static void *run(void *at)
{
	struct storm *s = at;
	struct epoll_event evs[32];

	for (int i = 0; i < WINDOW; i++)
		s->window[i].fd = -1;
	while (s->begun < CONNECTS || s->open > 0) {
		int n;

		for (int i = 0; i < WINDOW && s->begun < CONNECTS; i++)
			if (s->window[i].fd < 0)
				begin(s, &s->window[i]);
		if (s->open == 0)
			continue;
		n = epoll_wait(s->epoll, evs, 32, -1);
		for (int i = 0; i < n; i++)
			serve(s, &evs[i]);
	}
	return NULL;
}

START_TEST(a_storm_loses_and_mixes_up_nothing)
{
	static struct storm storms[THREADS];
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++) {
		struct storm *s = &storms[i];

		*s = (struct storm){ .id = i, .seed = (unsigned)(_i * THREADS + i) };
		s->good = under_look_up("ok.storm.test", AF_INET, 80, &s->len);
		s->bad = under_look_up("refused.storm.test", AF_INET, 80, &s->len);
		s->epoll = epoll_create1(EPOLL_CLOEXEC);
		ck_assert_int_eq(pthread_create(&threads[i], NULL, run, s), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		close(storms[i].epoll);
		ck_assert_int_eq(storms[i].wrong, 0);
	}
}
END_TEST

#define MANY 5000

/* Two descriptors each, some for the test. */
START_TEST(thousands_are_pending_at_once)
{
	static struct pollfd fds[MANY];
	static const char name[] = "held.ok.many.test";
	struct rlimit limit, most;
	struct sockaddr_storage ss;
	socklen_t len;

	getrlimit(RLIMIT_NOFILE, &limit);
	most = limit;
	most.rlim_cur = most.rlim_max;
	setrlimit(RLIMIT_NOFILE, &most);
	if (most.rlim_cur < 2 * MANY + 200)
		return;
	ss = under_look_up(name, AF_INET, 80, &len);
	for (int i = 0; i < MANY; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(connect(fd, (struct sockaddr *)&ss, len), -1);
		ck_assert_int_eq(errno, EINPROGRESS);
		fds[i] = (struct pollfd){ .fd = fd, .events = POLLOUT };
	}
	under_await_requests(name, MANY);
	ck_assert_int_eq(poll(fds, MANY, 0), 0);
	under_release(name);
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(async_bits(fds[i].fd, POLLOUT, -1), POLLOUT);
		ck_assert_int_eq(async_error(fds[i].fd), 0);
		if (i % 50 == 0)
			async_echo(fds[i].fd);
		close(fds[i].fd);
	}
	under_await_ended(name, MANY);
	setrlimit(RLIMIT_NOFILE, &limit);
}
END_TEST

static Suite *make(void)
{
	const char *rounds = getenv("STORM_ROUNDS");
	Suite *s = suite_create("async storm");
	TCase *tc = async_case(s, "async storm");

	tcase_add_loop_test(tc, a_storm_loses_and_mixes_up_nothing, 0, rounds ? atoi(rounds) : 3);
	tcase_add_test(tc, thousands_are_pending_at_once);
	return s;
}

int main(int argc, char **argv)
{
	setenv("SOCKSIFY_TIMEOUT", "200", 0); /* a busy machine takes its time for thousands */
	setenv("UNDER_SECONDS", "250", 0);
	return under_main(argc, argv, UNDER_IPV4, make);
}
