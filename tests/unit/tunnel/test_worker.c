/* worker.c over real sockets, against a SOCKS5 proxy of the test's own on loopback. */
#include "unit.h"

#include <base/clock.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <tunnel/blackhole.h>
#include <tunnel/worker.h>
#include <unistd.h>

#define FLOOR   300
#define FDS_MAX 1024
#define ANSWER  "\5\0\0\1\177\0\0\1\0\11" /* granted */
#define HELLO   "hello"                   /* the destination's, glued to the reply */
#define CROWD   150
#define FAR_MS  60000

/* What the proxy does with a request is in the port that it names. */
enum { PORT_GOOD = 80, PORT_REFUSED, PORT_SILENT, PORT_CLOSED, PORT_SLOW };

struct conn {
	uint8_t in[64];
	size_t len;
	bool greeted, eager;
};

static struct {
	pthread_t thread;
	int listen_fd; /* answers what it is asked */
	int eager_fd;  /* says it all before it is asked */
	int mute_fd;   /* accepts nobody */
	int stop[2];   /* a pipe */
	struct pollfd fds[1024];
	struct conn conns[1024];
	size_t n;
} proxy;

static struct endpoint good_hop, eager_hop, mute_hop, closed_hop, hole_hop;
static struct blackhole hole;
static const struct proxy px = { .protocol = SOCKS_V5, .names_go_along = true };

static void put(int fd, const void *octets, size_t len)
{
	/* Who has gone away in the meantime need not hear it. */
	(void)send(fd, octets, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Returns false where the connection is over. The request: 5, 1, 0, 1, address, port. */
static bool proxy_serve(int fd, struct conn *c)
{
	ssize_t n = recv(fd, c->in + c->len, sizeof(c->in) - c->len, MSG_DONTWAIT);

	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	if (c->eager)
		return true;
	c->len += (size_t)n;
	if (!c->greeted && c->len == 3) {
		put(fd, "\5\0", 2);
		c->greeted = true;
		c->len = 0;
	} else if (c->greeted && c->len == 10) {
		switch (c->in[8] << 8 | c->in[9]) {
		case PORT_GOOD:
			put(fd, ANSWER HELLO, 10 + 5);
			break;
		case PORT_SLOW: /* cut, as far as the kernel leaves it so */
			put(fd, ANSWER, 3);
			put(fd, &ANSWER[3], 7);
			put(fd, HELLO, 5);
			break;
		case PORT_REFUSED:
			put(fd, "\5\5\0\1\0\0\0\0\0\0", 10);
			return false;
		case PORT_CLOSED:
			return false;
		default:
			break;
		}
	}
	return true;
}

static void proxy_accept(int listen_fd)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (listen_fd == proxy.eager_fd)
		put(fd, "\5\0" ANSWER HELLO, 2 + 10 + 5);
	proxy.fds[proxy.n] = (struct pollfd){ .fd = fd, .events = POLLIN };
	proxy.conns[proxy.n++] = (struct conn){ .eager = listen_fd == proxy.eager_fd };
}

static void *proxy_main(void *arg)
{
	(void)arg;
	for (;;) {
		poll(proxy.fds, proxy.n, -1);
		if (proxy.fds[0].revents)
			break;
		for (size_t i = 1; i <= 2; i++)
			if (proxy.fds[i].revents)
				proxy_accept(proxy.fds[i].fd);
		for (size_t i = 3; i < proxy.n; i++) {
			if (!proxy.fds[i].revents || proxy_serve(proxy.fds[i].fd, &proxy.conns[i]))
				continue;
			close(proxy.fds[i].fd);
			proxy.fds[i] = proxy.fds[--proxy.n];
			proxy.conns[i] = proxy.conns[proxy.n];
			i--;
		}
	}
	for (size_t i = 3; i < proxy.n; i++)
		close(proxy.fds[i].fd);
	return NULL;
}

/* Outside of a test check's own macros have nobody to tell. */
static void must(bool holds)
{
	if (!holds) {
		perror("the test's own proxy");
		abort();
	}
}

static int open_listener(struct endpoint *at, bool listens)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd >= 0);
	must(bind(fd, (struct sockaddr *)&sin, len) == 0);
	must(getsockname(fd, (struct sockaddr *)&sin, &len) == 0);
	if (listens)
		must(listen(fd, 1024) == 0);
	must(endpoint_from_sockaddr(at, (struct sockaddr *)&sin, len) == 0);
	return fd;
}

static int closed_fd;

static void proxy_start(void)
{
	proxy.listen_fd = open_listener(&good_hop, true);
	proxy.eager_fd = open_listener(&eager_hop, true);
	proxy.mute_fd = open_listener(&mute_hop, true);
	closed_fd = open_listener(&closed_hop, false);
	must(blackhole_open(&hole, &sys_libc, FLOOR * 2) == 0);
	must(endpoint_from_sockaddr(&hole_hop, (struct sockaddr *)&hole.v4.hole, hole.v4.len) == 0);
	must(pipe2(proxy.stop, O_CLOEXEC) == 0);
	proxy.fds[0] = (struct pollfd){ .fd = proxy.stop[0], .events = POLLIN };
	proxy.fds[1] = (struct pollfd){ .fd = proxy.listen_fd, .events = POLLIN };
	proxy.fds[2] = (struct pollfd){ .fd = proxy.eager_fd, .events = POLLIN };
	proxy.n = 3;
	must(pthread_create(&proxy.thread, NULL, proxy_main, NULL) == 0);
}

static void proxy_stop(void)
{
	close(proxy.stop[1]);
	pthread_join(proxy.thread, NULL);
	close(proxy.stop[0]);
	close(proxy.listen_fd);
	close(proxy.eager_fd);
	close(proxy.mute_fd);
	close(closed_fd);
	blackhole_close(&hole);
}

/* A job and what became of it. */
struct task {
	struct worker_job job;
	int err, calls, fd;
	struct worker *w;
	struct task *other; /* what its end sets going */
};

static void task_done(struct worker_job *job, int err)
{
	struct task *t = (struct task *)job;

	t->err = err;
	t->calls++;
}

static void task_init(struct task *t, const struct endpoint *hops, size_t n_hops, uint16_t port,
                      int64_t time_ms)
{
	const uint8_t ip[4] = { 192, 0, 2, 1 };
	struct endpoint dst;

	endpoint_set_ipv4(&dst, ip, port);
	t->calls = 0;
	t->err = 1;
	t->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_int_ge(t->fd, 0);
	t->job = (struct worker_job){ .done = task_done };
	t->job.dial = (struct dial){ .sys = &sys_libc,
		                     .proxy = &px,
		                     .hops = hops,
		                     .n_hops = n_hops,
		                     .deadline_ms = clock_ms() + time_ms };
	ck_assert_int_eq(dial_begin(&t->job.dial, t->fd, &dst), -EINPROGRESS);
}

static void turn_until_idle(struct worker *w)
{
	int n = worker_turn(w, 0);

	while (n > 0)
		n = worker_turn(w, -1);
	ck_assert_int_eq(n, 0);
	ck_assert_ptr_null(w->jobs);
}

static int tcp_state(int fd)
{
	struct tcp_info info = { .tcpi_state = 0xff };

	ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &(socklen_t){ sizeof(info) }),
	                 0);
	return info.tcpi_state;
}

static void check_greeting(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char buf[8];

	for (size_t n = 0; n < 5;) {
		ssize_t r;

		ck_assert_int_eq(poll(&p, 1, FAR_MS), 1);
		r = recv(fd, buf + n, sizeof(buf) - n, 0);
		ck_assert_int_gt(r, 0);
		n += (size_t)r;
		ck_assert_mem_eq(buf, HELLO, n);
	}
}

static const struct {
	const struct endpoint *hop;
	uint16_t port;
	int64_t time_ms;
	int err;
} outcomes[] = {
	{ &good_hop, PORT_GOOD, FAR_MS, 0 },
	{ &good_hop, PORT_SLOW, FAR_MS, 0 },
	{ &eager_hop, PORT_GOOD, FAR_MS, 0 },
	{ &good_hop, PORT_REFUSED, FAR_MS, ECONNREFUSED },
	{ &good_hop, PORT_CLOSED, FAR_MS, ECONNREFUSED },
	{ &closed_hop, PORT_GOOD, FAR_MS, ECONNREFUSED },
	{ &good_hop, PORT_SILENT, 40, ETIMEDOUT },
	{ &mute_hop, PORT_GOOD, 40, ETIMEDOUT },
	{ &hole_hop, PORT_GOOD, 40, ETIMEDOUT },
};

START_TEST(each_outcome_is_told)
{
	struct worker w;
	struct task t;

	ck_assert_int_eq(worker_open(&w, &sys_libc, FLOOR), 0);
	task_init(&t, outcomes[_i].hop, 1, outcomes[_i].port, outcomes[_i].time_ms);
	worker_add(&w, &t.job);
	turn_until_idle(&w);
	ck_assert_int_eq(t.calls, 1);
	ck_assert_int_eq(t.err, -outcomes[_i].err);
	if (t.err == 0)
		check_greeting(t.fd);
	else
		ck_assert_int_eq(tcp_state(t.fd), TCP_CLOSE);
	close(t.fd);
	worker_close(&w);
}
END_TEST

START_TEST(many_go_side_by_side)
{
	static struct task tasks[CROWD];
	struct worker w;

	ck_assert_int_eq(worker_open(&w, &sys_libc, FLOOR), 0);
	for (int i = 0; i < CROWD; i++) {
		int row = i % ROWS(outcomes);

		task_init(&tasks[i], outcomes[row].hop, 1, outcomes[row].port,
		          outcomes[row].time_ms);
		worker_add(&w, &tasks[i].job);
	}
	turn_until_idle(&w);
	for (int i = 0; i < CROWD; i++) {
		ck_assert_int_eq(tasks[i].calls, 1);
		ck_assert_int_eq(tasks[i].err, -outcomes[i % ROWS(outcomes)].err);
		if (tasks[i].err == 0)
			check_greeting(tasks[i].fd);
		close(tasks[i].fd);
	}
	worker_close(&w);
}
END_TEST

/* Those that are silent have their share of the time, those that refuse none. */
START_TEST(the_hops_are_tried_in_turn)
{
	const struct endpoint hops[] = { closed_hop, hole_hop, good_hop };
	struct worker w;
	struct task t;

	ck_assert_int_eq(worker_open(&w, &sys_libc, FLOOR), 0);
	task_init(&t, hops, 3, PORT_GOOD, 1000);
	worker_add(&w, &t.job);
	turn_until_idle(&w);
	ck_assert_int_eq(t.err, 0);
	ck_assert(endpoint_equal(&t.job.dial.report.hop, &good_hop));
	check_greeting(t.fd);
	close(t.fd);
	worker_close(&w);
}
END_TEST

/* The kernel says EALREADY then, which is no failure. */
START_TEST(a_step_too_many_does_no_harm)
{
	struct task t;

	task_init(&t, &hole_hop, 1, PORT_GOOD, FAR_MS);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(dial_step(&t.job.dial, 0), -EINPROGRESS);
	ck_assert_int_eq(tcp_state(t.fd), TCP_SYN_SENT);
	dial_abandon(&t.job.dial, t.fd);
	ck_assert_int_eq(tcp_state(t.fd), TCP_CLOSE);
	close(t.fd);
}
END_TEST

static const struct {
	const struct endpoint *hop;
	int turns; /* before it is cancelled */
} stages[] = {
	{ &hole_hop, 0 }, { &hole_hop, 1 }, { &good_hop, 0 }, { &mute_hop, 0 }, { &mute_hop, 2 }
};

START_TEST(what_is_cancelled_ends_as_such)
{
	struct worker w;
	struct task t;

	ck_assert_int_eq(worker_open(&w, &sys_libc, FLOOR), 0);
	task_init(&t, stages[_i].hop, 1, PORT_SILENT, FAR_MS);
	worker_add(&w, &t.job);
	for (int i = 0; i < stages[_i].turns; i++)
		ck_assert_int_eq(worker_turn(&w, -1), 1);
	ck_assert(worker_cancel(&w, &t.job));
	ck_assert(!worker_cancel(&w, &t.job));
	ck_assert_int_eq(t.calls, 0);
	turn_until_idle(&w);
	ck_assert_int_eq(t.calls, 1);
	ck_assert_int_eq(t.err, -ECANCELED);
	/* Nothing of it is left to wake for, whatever becomes of the socket. */
	dial_abandon(&t.job.dial, t.fd);
	ck_assert_int_eq(worker_turn(&w, 0), 0);
	ck_assert_int_eq(t.calls, 1);
	close(t.fd);
	worker_close(&w);
}
END_TEST

START_TEST(what_has_ended_cannot_be_cancelled)
{
	struct worker w;
	struct task t;

	ck_assert_int_eq(worker_open(&w, &sys_libc, FLOOR), 0);
	task_init(&t, &good_hop, 1, PORT_GOOD, FAR_MS);
	worker_add(&w, &t.job);
	turn_until_idle(&w);
	ck_assert(!worker_cancel(&w, &t.job));
	ck_assert_int_eq(worker_turn(&w, 0), 0);
	ck_assert_int_eq(t.calls, 1);
	ck_assert_int_eq(t.err, 0);
	close(t.fd);
	worker_close(&w);
}
END_TEST

static void cancel_other(struct worker_job *job, int err)
{
	struct task *t = (struct task *)job;

	task_done(job, err);
	ck_assert(worker_cancel(t->w, &t->other->job));
}

static void add_other(struct worker_job *job, int err)
{
	struct task *t = (struct task *)job;

	task_done(job, err);
	if (t->other)
		worker_add(t->w, &t->other->job);
}

START_TEST(one_end_may_set_another_going)
{
	struct task tasks[8];
	struct worker w;

	ck_assert_int_eq(worker_open(&w, &sys_libc, FLOOR), 0);
	for (int i = 0; i < 8; i++) {
		task_init(&tasks[i], &good_hop, 1, PORT_GOOD, FAR_MS);
		tasks[i].job.done = add_other;
		tasks[i].w = &w;
		tasks[i].other = i < 7 ? &tasks[i + 1] : NULL;
	}
	worker_add(&w, &tasks[0].job);
	turn_until_idle(&w);
	for (int i = 0; i < 8; i++) {
		ck_assert_int_eq(tasks[i].calls, 1);
		ck_assert_int_eq(tasks[i].err, 0);
		close(tasks[i].fd);
	}
	worker_close(&w);
}
END_TEST

START_TEST(one_end_may_cancel_another)
{
	struct task first, second;
	struct worker w;

	ck_assert_int_eq(worker_open(&w, &sys_libc, FLOOR), 0);
	task_init(&first, &good_hop, 1, PORT_GOOD, FAR_MS);
	task_init(&second, &good_hop, 1, PORT_SILENT, FAR_MS);
	first.job.done = cancel_other;
	first.w = &w;
	first.other = &second;
	worker_add(&w, &first.job);
	worker_add(&w, &second.job);
	turn_until_idle(&w);
	ck_assert_int_eq(first.err, 0);
	ck_assert_int_eq(second.calls, 1);
	ck_assert_int_eq(second.err, -ECANCELED);
	close(first.fd);
	close(second.fd);
	worker_close(&w);
}
END_TEST

/* The same job, three times: its memory is its owner's again in done(). */
static void again(struct worker_job *job, int err)
{
	struct task *t = (struct task *)job;
	int calls = t->calls;

	ck_assert_int_eq(err, 0);
	close(t->fd);
	if (calls < 2) {
		memset(job, 0xa5, sizeof(*job));
		task_init(t, &good_hop, 1, PORT_GOOD, FAR_MS);
		t->job.done = again;
		worker_add(t->w, job);
	}
	t->calls = calls + 1;
}

static void release(struct worker_job *job, int err)
{
	struct task *t = (struct task *)job;

	ck_assert_int_eq(err, 0);
	close(t->fd);
	free(t);
}

START_TEST(a_job_that_is_done_is_its_owners)
{
	struct task *freed = calloc(1, sizeof(*freed)), t;
	struct worker w;

	ck_assert_ptr_nonnull(freed);
	ck_assert_int_eq(worker_open(&w, &sys_libc, FLOOR), 0);
	task_init(&t, &good_hop, 1, PORT_GOOD, FAR_MS);
	task_init(freed, &good_hop, 1, PORT_GOOD, FAR_MS);
	t.job.done = again;
	t.w = &w;
	freed->job.done = release;
	worker_add(&w, &t.job);
	worker_add(&w, &freed->job);
	turn_until_idle(&w);
	ck_assert_int_eq(t.calls, 3);
	worker_close(&w);
}
END_TEST

/* The program has the socket now, and much may happen to it. */
START_TEST(a_socket_that_is_done_is_not_watched)
{
	struct worker w;
	struct task t;

	ck_assert_int_eq(worker_open(&w, &sys_libc, FLOOR), 0);
	task_init(&t, &good_hop, 1, _i == 0 ? PORT_GOOD : PORT_SILENT, FAR_MS);
	worker_add(&w, &t.job);
	if (_i > 0)
		ck_assert(worker_cancel(&w, &t.job));
	turn_until_idle(&w);
	ck_assert_int_eq(t.calls, 1);
	memset(&t.job, 0, sizeof(t.job));
	shutdown(t.fd, SHUT_RDWR);
	ck_assert_int_eq(worker_turn(&w, 0), 0);
	close(t.fd);
	worker_close(&w);
}
END_TEST

START_TEST(a_kick_wakes)
{
	struct worker w;

	ck_assert_int_eq(worker_open(&w, &sys_libc, FLOOR), 0);
	for (int i = 0; i < 3; i++) {
		worker_kick(&w);
		ck_assert_int_eq(worker_turn(&w, -1), 0);
	}
	ck_assert_int_eq(worker_turn(&w, 0), 0);
	ck_assert_int_eq(worker_turn(&w, 1), 0);
	worker_close(&w);
}
END_TEST

/* A system that fails on purpose. */
static struct {
	const char *call;
	int turn, err;
} f;

static bool fails(const char *call)
{
	if (!f.call || strcmp(call, f.call) != 0 || f.turn-- != 0)
		return false;
	errno = f.err;
	return true;
}

static int fake_epoll_create1(int flags)
{
	return fails("create") ? -1 : epoll_create1(flags);
}

static int fake_eventfd(unsigned count, int flags)
{
	return fails("eventfd") ? -1 : sys_libc.eventfd(count, flags);
}

static int fake_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *ev)
{
	return op == EPOLL_CTL_ADD && fails("add") ? -1 : epoll_ctl(epoll_fd, op, fd, ev);
}

static int fake_epoll_wait(int epoll_fd, struct epoll_event *evs, int n, int timeout_ms)
{
	return fails("wait") ? -1 : epoll_wait(epoll_fd, evs, n, timeout_ms);
}

static struct sys fake_sys(const char *call, int turn, int err)
{
	struct sys sys = sys_libc;

	f.call = call;
	f.turn = turn;
	f.err = err;
	sys.epoll_create1 = fake_epoll_create1;
	sys.eventfd = fake_eventfd;
	sys.epoll_ctl = fake_epoll_ctl;
	sys.epoll_wait = fake_epoll_wait;
	return sys;
}

static int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < FDS_MAX; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static const struct {
	const char *call;
	int err;
} broken[] = { { "create", EMFILE }, { "eventfd", ENFILE }, { "add", ENOSPC } };

START_TEST(what_cannot_be_opened_leaves_nothing_open)
{
	struct sys sys = fake_sys(broken[_i].call, 0, broken[_i].err);
	int before = count_fds();
	struct worker w;

	ck_assert_int_eq(worker_open(&w, &sys, FLOOR), -broken[_i].err);
	ck_assert_int_eq(count_fds(), before);
}
END_TEST

START_TEST(its_descriptors_are_out_of_the_way)
{
	int before = count_fds();
	struct worker w;

	ck_assert_int_eq(worker_open(&w, &sys_libc, FLOOR), 0);
	ck_assert_int_eq(count_fds(), before + 2);
	ck_assert_int_ge(w.epoll_fd, FLOOR);
	ck_assert_int_ge(w.event_fd, FLOOR);
	ck_assert_int_eq(fcntl(w.epoll_fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(w.event_fd, F_GETFD), FD_CLOEXEC);
	worker_close(&w);
	ck_assert_int_eq(count_fds(), before);
}
END_TEST

START_TEST(they_may_be_moved_between_turns)
{
	struct worker w;
	struct task t;
	int was[2];

	ck_assert_int_eq(worker_open(&w, &sys_libc, FLOOR), 0);
	task_init(&t, &good_hop, 1, PORT_GOOD, FAR_MS);
	worker_add(&w, &t.job);
	ck_assert_int_eq(worker_turn(&w, -1), 1);
	was[0] = w.epoll_fd;
	was[1] = w.event_fd;
	w.epoll_fd = fcntl(was[0], F_DUPFD_CLOEXEC, FLOOR + 50);
	w.event_fd = fcntl(was[1], F_DUPFD_CLOEXEC, FLOOR + 50);
	close(was[0]);
	close(was[1]);
	turn_until_idle(&w);
	ck_assert_int_eq(t.err, 0);
	worker_kick(&w);
	ck_assert_int_eq(worker_turn(&w, -1), 0);
	close(t.fd);
	worker_close(&w);
}
END_TEST

START_TEST(a_socket_that_cannot_be_watched_ends_its_job)
{
	struct sys sys = fake_sys("add", 1, ENOSPC);
	struct worker w;
	struct task t, cancelled;

	ck_assert_int_eq(worker_open(&w, &sys, FLOOR), 0);
	task_init(&t, &good_hop, 1, PORT_SILENT, FAR_MS);
	worker_add(&w, &t.job);
	turn_until_idle(&w);
	ck_assert_int_eq(t.calls, 1);
	ck_assert_int_eq(t.err, -ENOSPC);
	ck_assert_int_eq(tcp_state(t.fd), TCP_CLOSE);

	f.turn = 0;
	task_init(&cancelled, &good_hop, 1, PORT_SILENT, FAR_MS);
	worker_add(&w, &cancelled.job);
	ck_assert(worker_cancel(&w, &cancelled.job));
	turn_until_idle(&w);
	ck_assert_int_eq(cancelled.calls, 1);
	ck_assert_int_eq(cancelled.err, -ECANCELED);
	close(t.fd);
	close(cancelled.fd);
	worker_close(&w);
}
END_TEST

START_TEST(when_the_epoll_fails_all_jobs_do)
{
	struct sys sys = fake_sys("wait", 1, EBADF);
	struct task under_way, fresh, cancelled;
	struct worker w;

	ck_assert_int_eq(worker_open(&w, &sys, FLOOR), 0);
	task_init(&under_way, &good_hop, 1, PORT_SILENT, FAR_MS);
	task_init(&fresh, &good_hop, 1, PORT_SILENT, FAR_MS);
	task_init(&cancelled, &good_hop, 1, PORT_SILENT, FAR_MS);
	worker_add(&w, &under_way.job);
	worker_add(&w, &cancelled.job);
	ck_assert_int_eq(worker_turn(&w, -1), 2);
	worker_add(&w, &fresh.job);
	ck_assert(worker_cancel(&w, &cancelled.job));
	ck_assert_int_eq(worker_turn(&w, -1), -EBADF);
	worker_fail(&w, -ENOMEM);
	ck_assert_int_eq(under_way.err, -ENOMEM);
	ck_assert_int_eq(fresh.err, -ENOMEM);
	ck_assert_int_eq(cancelled.err, -ECANCELED);
	ck_assert_int_eq(under_way.calls + fresh.calls + cancelled.calls, 3);
	ck_assert_int_eq(tcp_state(under_way.fd), TCP_CLOSE);
	ck_assert_int_eq(tcp_state(fresh.fd), TCP_CLOSE);
	close(under_way.fd);
	close(fresh.fd);
	close(cancelled.fd);
	worker_close(&w);
}
END_TEST

START_TEST(an_interrupted_wait_is_none)
{
	struct sys sys = fake_sys("wait", 0, EINTR);
	struct worker w;

	ck_assert_int_eq(worker_open(&w, &sys, FLOOR), 0);
	ck_assert_int_eq(worker_turn(&w, -1), 0);
	worker_close(&w);
}
END_TEST

static void change_number(struct worker *w, struct task *t)
{
	int to = fcntl(t->fd, F_DUPFD_CLOEXEC, FLOOR + 100);

	ck_assert_int_ge(to, 0);
	worker_renumber(w, &t->job, to);
	close(t->fd);
	t->fd = to;
}

/* Before its first turn, and after so many. */
START_TEST(a_job_goes_on_under_another_number)
{
	struct worker w;
	struct task t;

	ck_assert_int_eq(worker_open(&w, &sys_libc, FLOOR), 0);
	task_init(&t, &good_hop, 1, PORT_GOOD, FAR_MS);
	worker_add(&w, &t.job);
	for (int i = 0; i < _i && t.calls == 0; i++)
		worker_turn(&w, -1);
	if (t.calls == 0) {
		change_number(&w, &t);
		change_number(&w, &t);
	}
	turn_until_idle(&w);
	ck_assert_int_eq(t.calls, 1);
	ck_assert_int_eq(t.err, 0);
	check_greeting(t.fd);
	close(t.fd);
	worker_close(&w);
}
END_TEST

START_TEST(a_number_that_cannot_be_watched_ends_the_job_later)
{
	struct sys sys = fake_sys("add", 2, ENOSPC);
	struct worker w;
	struct task t;

	ck_assert_int_eq(worker_open(&w, &sys, FLOOR), 0);
	task_init(&t, &mute_hop, 1, PORT_GOOD, FAR_MS);
	worker_add(&w, &t.job);
	ck_assert_int_eq(worker_turn(&w, -1), 1);
	change_number(&w, &t);
	ck_assert_int_eq(t.calls, 0);
	turn_until_idle(&w);
	ck_assert_int_eq(t.calls, 1);
	ck_assert_int_eq(t.err, -ENOSPC);
	close(t.fd);
	worker_close(&w);
}
END_TEST

/* Several threads add to one that turns, and cancel some of theirs at any time. */
#define ADDERS 4
#define EACH   100

struct shared_task {
	struct task t;
	atomic_int ended; /* 0, or 1 + -err */
};

static struct {
	struct worker w;
	struct shared_task tasks[ADDERS][EACH];
	atomic_bool stop;
} crowd;

static void shared_done(struct worker_job *job, int err)
{
	struct shared_task *s = (struct shared_task *)job;

	close(s->t.fd);
	atomic_store(&s->ended, 1 - err);
}

static void *crowd_turn(void *arg)
{
	int *err = arg, n;

	do
		n = worker_turn(&crowd.w, -1);
	while (n > 0 || (n == 0 && !atomic_load(&crowd.stop)));
	*err = n;
	return NULL;
}

static void *crowd_add(void *arg)
{
	struct shared_task *tasks = arg;

	for (int i = 0; i < EACH; i++) {
		worker_add(&crowd.w, &tasks[i].t.job);
		if (i % 4 == 1)
			worker_cancel(&crowd.w, &tasks[i].t.job);
		/* An old one: under way, or at its end, or over, which cancel() may be told. */
		if (i % 4 == 3)
			worker_cancel(&crowd.w, &tasks[i - 3].t.job);
	}
	for (int i = 0; i < EACH; i++)
		if (i % 4 == 2)
			worker_cancel(&crowd.w, &tasks[i].t.job);
	return NULL;
}

START_TEST(threads_add_and_cancel_at_will)
{
	pthread_t turner, adders[ADDERS];
	int err = 1, n[2] = { 0 };

	atomic_store(&crowd.stop, false);
	ck_assert_int_eq(worker_open(&crowd.w, &sys_libc, FLOOR * 2), 0);
	for (int a = 0; a < ADDERS; a++)
		for (int i = 0; i < EACH; i++) {
			task_init(&crowd.tasks[a][i].t, &good_hop, 1,
			          i % 4 == 2 ? PORT_SILENT : PORT_GOOD, FAR_MS);
			crowd.tasks[a][i].t.job.done = shared_done;
			atomic_store(&crowd.tasks[a][i].ended, 0);
		}
	ck_assert_int_eq(pthread_create(&turner, NULL, crowd_turn, &err), 0);
	for (int a = 0; a < ADDERS; a++)
		ck_assert_int_eq(pthread_create(&adders[a], NULL, crowd_add, crowd.tasks[a]), 0);
	for (int a = 0; a < ADDERS; a++)
		ck_assert_int_eq(pthread_join(adders[a], NULL), 0);
	atomic_store(&crowd.stop, true);
	worker_kick(&crowd.w);
	ck_assert_int_eq(pthread_join(turner, NULL), 0);
	ck_assert_int_eq(err, 0);
	for (int a = 0; a < ADDERS; a++)
		for (int i = 0; i < EACH; i++) {
			int ended = atomic_load(&crowd.tasks[a][i].ended) - 1;

			ck_assert_msg(ended == 0 || ended == ECANCELED, "job %d: %d", i, ended);
			if (i % 4 == 2)
				ck_assert_int_eq(ended, ECANCELED);
			if (i % 4 == 3)
				ck_assert_int_eq(ended, 0);
			n[ended == 0]++;
		}
	ck_assert_int_ge(n[0], ADDERS * EACH / 4); /* the silent ones at least */
	worker_close(&crowd.w);
}
END_TEST

int main(void)
{
	const struct unit_test list[] = {
		{ each_outcome_is_told, ROWS(outcomes) },
		{ many_go_side_by_side, 0 },
		{ the_hops_are_tried_in_turn, 0 },
		{ a_step_too_many_does_no_harm, 0 },
		{ what_is_cancelled_ends_as_such, ROWS(stages) },
		{ what_has_ended_cannot_be_cancelled, 0 },
		{ one_end_may_set_another_going, 0 },
		{ one_end_may_cancel_another, 0 },
		{ a_job_that_is_done_is_its_owners, 0 },
		{ a_socket_that_is_done_is_not_watched, 2 },
		{ a_kick_wakes, 0 },
		{ what_cannot_be_opened_leaves_nothing_open, ROWS(broken) },
		{ its_descriptors_are_out_of_the_way, 0 },
		{ they_may_be_moved_between_turns, 0 },
		{ a_socket_that_cannot_be_watched_ends_its_job, 0 },
		{ when_the_epoll_fails_all_jobs_do, 0 },
		{ an_interrupted_wait_is_none, 0 },
		{ a_job_goes_on_under_another_number, 6 },
		{ a_number_that_cannot_be_watched_ends_the_job_later, 0 },
		{ threads_add_and_cancel_at_will, 0 },
	};
	int status;

	proxy_start();
	status = unit_run("tunnel worker", list, sizeof(list) / sizeof(list[0]));
	proxy_stop();
	return status;
}
