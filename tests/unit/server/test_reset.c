/* The clock is the test's own. The kernel's count is of a socket whose peer doesn't read. */
#include "unit.h"

#include <address.h>
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <reset.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct pair {
	int fd, far;
};

static int unsent(int fd)
{
	int n = -1;

	ck_assert_int_eq(ioctl(fd, SIOCOUTQ, &n), 0);
	return n;
}

/* Connected, and with octets that the peer's small buffer has no room for. */
static void pair_init(struct pair *p)
{
	const struct endpoint any = unit_endpoint("127.0.0.1:0");
	static const int small = 16384;
	static const char much[65536];
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	union address at;

	address_from_endpoint(&at, &any);
	ck_assert_int_eq(bind(listener, &at.sa, address_len(&at)), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	address_of_socket(&at, listener);
	p->far = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(setsockopt(p->far, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	ck_assert_int_eq(connect(p->far, &at.sa, address_len(&at)), 0);
	p->fd = accept(listener, NULL, NULL);
	ck_assert_int_ge(p->fd, 0);
	close(listener);
	while (send(p->fd, much, sizeof(much), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_gt(unsent(p->fd), 0);
}

static void pair_fini(struct pair *p)
{
	close(p->fd);
	if (p->far >= 0)
		close(p->far);
}

/* Read until the kernel has less to send than before. */
static void read_some(struct pair *p)
{
	int before = unsent(p->fd);
	char buf[65536];

	while (unsent(p->fd) == before)
		ck_assert_int_gt((int)recv(p->far, buf, sizeof(buf), 0), 0);
}

START_TEST(who_does_not_read_is_given_up_on)
{
	int64_t now_ms = 1000, start_ms = now_ms;
	struct reset r;
	struct pair p;
	int ms, last_ms = 0;

	pair_init(&p);
	reset_init(&r, now_ms);
	while ((ms = reset_look(&r, p.fd, now_ms)) > 0) {
		ck_assert_int_ge(ms, last_ms);
		last_ms = ms;
		now_ms += ms;
	}
	ck_assert_int_ge(now_ms - start_ms, RESET_QUIET_MS);
	ck_assert_int_lt(now_ms - start_ms, 2 * RESET_QUIET_MS);
	pair_fini(&p);
}
END_TEST

START_TEST(who_gets_on_is_waited_for)
{
	int64_t now_ms = 1000;
	struct reset r;
	struct pair p;

	pair_init(&p);
	reset_init(&r, now_ms);
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(reset_look(&r, p.fd, now_ms), 1);
		now_ms += RESET_QUIET_MS - 1;
		ck_assert_int_gt(reset_look(&r, p.fd, now_ms), 1);
		read_some(&p);
	}
	/* But not for ever. */
	ck_assert_int_eq(reset_look(&r, p.fd, 1000 + RESET_MAX_MS), 0);
	pair_fini(&p);
}
END_TEST

START_TEST(all_is_acknowledged)
{
	struct reset r;
	struct pair p;

	pair_init(&p);
	reset_init(&r, 0);
	ck_assert_int_gt(reset_look(&r, p.fd, 0), 0);
	while (unsent(p.fd) > 0)
		read_some(&p);
	ck_assert_int_eq(reset_look(&r, p.fd, 1), 0);
	pair_fini(&p);
}
END_TEST

START_TEST(a_side_that_dies_meanwhile_is_not_waited_for)
{
	struct pollfd dead;
	struct reset r;
	struct pair p;

	pair_init(&p);
	reset_init(&r, 0);
	ck_assert_int_gt(reset_look(&r, p.fd, 0), 0);
	/* Octets that it has not read make a reset of it. */
	close(p.far);
	p.far = -1;
	dead = (struct pollfd){ .fd = p.fd };
	ck_assert_int_eq(poll(&dead, 1, 20000), 1);
	ck_assert_int_eq(reset_look(&r, p.fd, 1), 0);
	pair_fini(&p);
}
END_TEST

UNIT_MAIN("server reset", { who_does_not_read_is_given_up_on, 0 }, { who_gets_on_is_waited_for, 0 },
          { all_is_acknowledged, 0 }, { a_side_that_dies_meanwhile_is_not_waited_for, 0 })
