/*
 * What an event loop sees of its connects. Times are printed in the units named.
 *
 * loop burst HOST PORT N          N connects at once from one epoll loop: ms until all are
 *                                 connected, ms that its 1-ms ticker was late at worst, us of the
 *                                 longest connect() call
 * loop socks PROXY PORT N         the same, but the loop speaks SOCKS5 by itself: the floor
 * loop turns HOST PORT N IDLE     one after the other, while the same epoll has so many idle
 *                                 sockets registered: us for each
 * loop turns-socks PROXY PORT N IDLE
 *                                 the same, but the loop speaks SOCKS5 by itself
 * loop hooks [HOST PORT ALONE]    ns of epoll_ctl's ADD, MOD and DEL, of dup and of close, on a TCP
 *                                 socket that is connected, with nothing under way; there has been
 *                                 a connect before if told where to; ALONE 1: until no other thread
 *                                 is there
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define TICK_NS 1000000
#define BATCHES 201
#define CALLS   500
#define TICKER  UINT64_MAX

static struct sockaddr_in to;

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void loop_add(int ep, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event ev = { .events = events, .data.u64 = data };

	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0)
		die("epoll_ctl");
}

/* A non-blocking socket whose connect is under way, or, with some libraries, done. */
static int connect_begin(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS)
		die("connect");
	return fd;
}

static void connect_judge(int fd)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 || err != 0) {
		errno = err != 0 ? err : errno;
		die("connect's outcome");
	}
}

/* Without the minute for which its port can't be had again: there are tens of thousands here. */
static void close_hard(int fd)
{
	struct linger now = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

/* One step of a SOCKS5 client without credentials. Returns whether it was the last. */
static bool socks_step(int fd, int *step)
{
	static const uint8_t greeting[] = { 5, 1, 0 };
	static const uint8_t request[] = { 5, 1, 0, 1, 203, 0, 113, 1, 0, 80 };
	uint8_t answer[10];

	switch ((*step)++) {
	case 0:
		connect_judge(fd);
		if (send(fd, greeting, sizeof(greeting), 0) != sizeof(greeting))
			die("greeting");
		return false;
	case 1:
		if (recv(fd, answer, 2, 0) != 2 || send(fd, request, sizeof(request), 0) < 0)
			die("method");
		return false;
	default:
		if (recv(fd, answer, sizeof(answer), 0) != sizeof(answer) || answer[1] != 0)
			die("reply");
		return true;
	}
}

static void burst(int n, bool speaks_socks)
{
	struct itimerspec every = { .it_interval.tv_nsec = TICK_NS, .it_value.tv_nsec = TICK_NS };
	int ep = epoll_create1(EPOLL_CLOEXEC),
	    ticker = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	int *fds = calloc((size_t)n, sizeof(*fds)), *steps = calloc((size_t)n, sizeof(*steps));
	int64_t from, tick, worst = 0, longest = 0;
	struct epoll_event evs[256];
	uint64_t ticks;

	if (fds == NULL || steps == NULL || ep < 0 || ticker < 0)
		die("burst");
	timerfd_settime(ticker, 0, &every, NULL);
	loop_add(ep, ticker, EPOLLIN, TICKER);
	from = tick = now_ns();
	for (int i = 0; i < n; i++) {
		int64_t called = now_ns(), took;

		fds[i] = connect_begin();
		took = now_ns() - called;
		longest = took > longest ? took : longest;
		loop_add(ep, fds[i], EPOLLOUT, (uint64_t)i);
	}
	for (int left = n; left > 0;) {
		int got = epoll_wait(ep, evs, 256, -1);

		for (int i = 0; i < got; i++) {
			uint64_t which = evs[i].data.u64;

			if (which == TICKER) {
				int64_t late = now_ns() - tick - TICK_NS;

				if (read(ticker, &ticks, sizeof(ticks)) < 0)
					die("ticker");
				tick += late + TICK_NS;
				worst = late > worst ? late : worst;
				continue;
			}
			if (!speaks_socks)
				connect_judge(fds[which]);
			else if (!socks_step(fds[which], &steps[which])) {
				struct epoll_event in = { .events = EPOLLIN, .data.u64 = which };

				if (steps[which] == 1)
					epoll_ctl(ep, EPOLL_CTL_MOD, fds[which], &in);
				continue;
			}
			epoll_ctl(ep, EPOLL_CTL_DEL, fds[which], NULL);
			left--;
		}
	}
	int64_t wall = now_ns() - from, to_last = now_ns() - tick - TICK_NS;

	worst = to_last > worst ? to_last : worst;
	printf("%.2f %.2f %.1f\n", (double)wall / 1e6, (double)worst / 1e6, (double)longest / 1e3);
	for (int i = 0; i < n; i++)
		close_hard(fds[i]);
	free(fds);
	free(steps);
}

/* The two ends of a TCP connection over loopback, which no library proxies. */
static void tcp_pair(int pair[2])
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(sa);

	pair[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&sa, len) < 0 || listen(listener, 1) < 0 ||
	    getsockname(listener, (struct sockaddr *)&sa, &len) < 0 ||
	    connect(pair[0], (struct sockaddr *)&sa, len) < 0)
		die("loopback");
	pair[1] = accept(listener, NULL, NULL);
	close(listener);
}

static void turns(int n, int idle, bool speaks_socks)
{
	int ep = epoll_create1(EPOLL_CLOEXEC), pair[2];
	struct epoll_event ev;
	int64_t from;

	for (int i = 0; i < idle; i++) {
		tcp_pair(pair);
		loop_add(ep, pair[0], EPOLLIN, TICKER);
	}
	from = now_ns();
	for (int i = 0; i < n; i++) {
		int fd = connect_begin();

		struct epoll_event in = { .events = EPOLLIN, .data.u64 = (uint64_t)fd };
		int step = 0;

		loop_add(ep, fd, EPOLLOUT, (uint64_t)fd);
		do {
			if (epoll_wait(ep, &ev, 1, -1) != 1 || ev.data.u64 != (uint64_t)fd)
				die("epoll_wait");
			if (speaks_socks && step == 0)
				epoll_ctl(ep, EPOLL_CTL_MOD, fd, &in);
		} while (speaks_socks && !socks_step(fd, &step));
		connect_judge(fd);
		close_hard(fd);
	}
	printf("%.2f\n", (double)(now_ns() - from) / 1e3 / n);
}

static void connect_once(void)
{
	struct pollfd p = { .fd = connect_begin(), .events = POLLOUT };

	if (poll(&p, 1, -1) != 1)
		die("poll");
	connect_judge(p.fd);
	close_hard(p.fd);
}

static int threads(void)
{
	struct stat st;

	/* A directory for each thread, and two links more. */
	return stat("/proc/self/task", &st) < 0 ? 1 : (int)st.st_nlink - 2;
}

static int by_value(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static double median(double *values)
{
	qsort(values, BATCHES, sizeof(*values), by_value);
	return values[BATCHES / 2];
}

static void hooks(void)
{
	static double add[BATCHES], mod[BATCHES], del[BATCHES], dups[BATCHES], closes[BATCHES];
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(EPOLL_CLOEXEC), pair[2], fds[CALLS];

	tcp_pair(pair);
	for (int b = 0; b < BATCHES; b++) {
		int64_t at[6];

		at[0] = now_ns();
		for (int i = 0; i < CALLS; i++)
			fds[i] = dup(pair[0]);
		at[1] = now_ns();
		for (int i = 0; i < CALLS; i++)
			epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &ev);
		at[2] = now_ns();
		for (int i = 0; i < CALLS; i++)
			epoll_ctl(ep, EPOLL_CTL_MOD, fds[i], &ev);
		at[3] = now_ns();
		for (int i = 0; i < CALLS; i++)
			epoll_ctl(ep, EPOLL_CTL_DEL, fds[i], &ev);
		at[4] = now_ns();
		for (int i = 0; i < CALLS; i++)
			close(fds[i]);
		at[5] = now_ns();
		dups[b] = (double)(at[1] - at[0]) / CALLS;
		add[b] = (double)(at[2] - at[1]) / CALLS;
		mod[b] = (double)(at[3] - at[2]) / CALLS;
		del[b] = (double)(at[4] - at[3]) / CALLS;
		closes[b] = (double)(at[5] - at[4]) / CALLS;
	}
	printf("%.1f %.1f %.1f %.1f %.1f\n", median(add), median(mod), median(del), median(dups),
	       median(closes));
}

int main(int argc, char **argv)
{
	struct rlimit most;

	/* As high as an ordinary user may. */
	if (getrlimit(RLIMIT_NOFILE, &most) == 0) {
		most.rlim_cur = most.rlim_max;
		setrlimit(RLIMIT_NOFILE, &most);
	}
	if (argc == 2 && strcmp(argv[1], "hooks") == 0) {
		hooks();
		return 0;
	}
	if (argc < 5 || inet_pton(AF_INET, argv[2], &to.sin_addr) != 1)
		return 2;
	to.sin_family = AF_INET;
	to.sin_port = htons((uint16_t)atoi(argv[3]));
	if (argc == 5 && strcmp(argv[1], "hooks") == 0) {
		connect_once();
		while (atoi(argv[4]) == 1 && threads() > 1)
			usleep(100000);
		hooks();
		return 0;
	}
	if (argc == 6)
		turns(atoi(argv[4]), atoi(argv[5]), strcmp(argv[1], "turns-socks") == 0);
	else
		burst(atoi(argv[4]), strcmp(argv[1], "socks") == 0);
	return 0;
}
