/* dial.c over a system of the test's own, which plays the proxy and fails on purpose. */
#include "unit.h"

#include <base/clock.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <tunnel/dial.h>

#define FD      42
#define FLAGS   (O_RDWR | O_APPEND) /* something to be restored */
#define REFUSED "\5\0\5\5\0\1\0\0\0\0\0\0"

static const uint8_t good[] = "\5\0\5\0\0\1\177\0\0\1\0\11application";
#define GOOD_LEN 12

static struct fake {
	int connect_errno[4]; /* of each connect in turn; 0 is success */
	int wait_result;
	const uint8_t *answer; /* what the proxy says, in all */
	size_t answer_len, answer_pos;
	size_t step; /* most octets that one send or recv moves */
	int send_errno, recv_errno;
	bool silent_first; /* the first address drops what it gets */
	bool stutter;      /* every other send and recv says EINTR, then EAGAIN */
	bool metered;      /* the answer comes by and by: so much of it is there */
	size_t there;
	int fd;
	int family, v6only, lowat, cork;
	/* seen */
	bool uncorked;
	int64_t first_deadline_ms;
	int connects, dissolved, waits, turn, flags, lowest_lowat;
	struct sockaddr_storage to[4];
	uint8_t sent[1024];
	size_t n_sent;
} f;

static int fake_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	ck_assert_int_eq(fd, f.fd);
	if (sa->sa_family == AF_UNSPEC) {
		f.dissolved++;
		return 0;
	}
	ck_assert(f.flags & O_NONBLOCK);
	memcpy(&f.to[f.connects], sa, len);
	errno = f.connect_errno[f.connects++];
	return errno ? -1 : 0;
}

static bool stutters(void)
{
	if (!f.stutter || f.turn++ % 3 == 2)
		return false;
	errno = f.turn % 3 == 1 ? EINTR : EAGAIN;
	return true;
}

static ssize_t fake_send(int fd, const void *buf, size_t len, int flags)
{
	size_t n = f.step && len > f.step ? f.step : len;

	ck_assert_int_eq(fd, f.fd);
	ck_assert_int_eq(flags, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (stutters())
		return -1;
	if (f.send_errno) {
		errno = f.send_errno;
		return -1;
	}
	memcpy(f.sent + f.n_sent, buf, n);
	f.n_sent += n;
	return (ssize_t)n;
}

static ssize_t fake_recv(int fd, void *buf, size_t len, int flags)
{
	size_t left = f.answer_len - f.answer_pos;
	size_t n = f.step && len > f.step ? f.step : len;

	ck_assert_int_eq(fd, f.fd);
	ck_assert_int_eq(flags, MSG_DONTWAIT);
	if (stutters())
		return -1;
	if (f.recv_errno) {
		errno = f.recv_errno;
		return -1;
	}
	if (f.metered && f.answer_pos == f.there) {
		errno = EAGAIN;
		return -1;
	}
	if (f.metered)
		left = f.there - f.answer_pos;
	if (n > left)
		n = left;
	memcpy(buf, f.answer + f.answer_pos, n);
	f.answer_pos += n;
	return (ssize_t)n;
}

static int fake_getsockopt(int fd, int level, int name, void *val, socklen_t *len)
{
	int value = 0;

	ck_assert_int_eq(fd, f.fd);
	ck_assert_uint_eq(*len, sizeof(value));
	if (level == SOL_SOCKET && name == SO_DOMAIN)
		value = f.family;
	else if (level == SOL_SOCKET && name == SO_RCVLOWAT)
		value = f.lowat;
	else if (level == IPPROTO_TCP && name == TCP_CORK)
		value = f.cork;
	else if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY)
		value = f.v6only;
	memcpy(val, &value, sizeof(value));
	return 0;
}

static int fake_setsockopt(int fd, int level, int name, const void *val, socklen_t len)
{
	ck_assert_int_eq(fd, f.fd);
	if (level == IPPROTO_TCP) {
		ck_assert_int_eq(name, TCP_CORK);
		memcpy(&f.cork, val, len);
		f.uncorked |= f.cork == 0;
		return 0;
	}
	ck_assert_int_eq(level, SOL_SOCKET);
	ck_assert_int_eq(name, SO_RCVLOWAT);
	memcpy(&f.lowat, val, len);
	if (f.lowat < f.lowest_lowat)
		f.lowest_lowat = f.lowat;
	return 0;
}

static int fake_fcntl(int fd, int cmd, long arg)
{
	ck_assert_int_eq(fd, f.fd);
	if (cmd == F_GETFL)
		return f.flags;
	ck_assert_int_eq(cmd, F_SETFL);
	f.flags = (int)arg;
	return 0;
}

static int fake_wait(struct waiter *w, int fd, short events, int64_t deadline_ms)
{
	(void)w;
	(void)events;
	ck_assert_int_eq(fd, f.fd);
	if (f.waits++ == 0)
		f.first_deadline_ms = deadline_ms;
	if (f.silent_first)
		return f.connects == 1 ? -ETIMEDOUT : 0;
	ck_assert_int_eq(deadline_ms, 1234);
	return f.wait_result;
}

static const struct sys fake_sys = {
	.connect = fake_connect,
	.send = fake_send,
	.recv = fake_recv,
	.getsockopt = fake_getsockopt,
	.setsockopt = fake_setsockopt,
	.fcntl = fake_fcntl,
};

static struct waiter fake_waiter = { .wait = fake_wait };
static struct proxy proxy = { .protocol = SOCKS_V5, .names_go_along = true };
static struct endpoint hops[3];

static struct dial fresh(const char *first, const char *second)
{
	struct dial d = { .sys = &fake_sys,
		          .waiter = &fake_waiter,
		          .proxy = &proxy,
		          .hops = hops,
		          .n_hops = second ? 2 : 1,
		          .deadline_ms = 1234 };

	f = (struct fake){ .answer = good,
		           .answer_len = sizeof(good) - 1,
		           .fd = FD,
		           .family = AF_INET,
		           .lowat = 1,
		           .lowest_lowat = 99,
		           .flags = FLAGS };
	hops[0] = unit_endpoint(first);
	if (second)
		hops[1] = unit_endpoint(second);
	return d;
}

static int go(struct dial *d)
{
	struct endpoint dst = unit_endpoint("example.org:80");
	int err = dial_connect(d, FD, &dst);

	ck_assert_int_eq(f.flags, FLAGS);
	return err;
}

START_TEST(exactly_the_handshake_is_read)
{
	struct dial d = fresh("192.0.2.1:1080", NULL);

	f.step = (size_t)_i;
	f.stutter = _i & 1;
	ck_assert_int_eq(go(&d), 0);
	ck_assert_uint_eq(f.answer_pos, GOOD_LEN);
	ck_assert_uint_eq(f.n_sent, 3 + 5 + 11 + 2);
	ck_assert(d.report.reached);
	ck_assert_int_eq(f.dissolved, 0);
	ck_assert_int_ge(f.waits, 2); /* once for each answer */
}
END_TEST

START_TEST(a_slow_connect_is_waited_for)
{
	struct dial d = fresh("192.0.2.1:1080", NULL);

	f.connect_errno[0] = EINPROGRESS;
	ck_assert_int_eq(go(&d), 0);
	ck_assert_int_eq(f.waits, 3);
	ck_assert_int_eq(f.connects, 2);
}
END_TEST

START_TEST(the_next_address_is_tried_when_tcp_fails)
{
	struct dial d = fresh("192.0.2.1:1080", "192.0.2.2:1081");

	f.connect_errno[0] = ECONNREFUSED;
	ck_assert_int_eq(go(&d), 0);
	ck_assert_int_eq(f.connects, 2);
	ck_assert_int_eq(f.dissolved, 1);
	ck_assert_int_eq(d.report.hop.port, 1081);
}
END_TEST

static const struct {
	int err;
} hop_errors[] = { { ECONNREFUSED }, { EINVAL }, { EAFNOSUPPORT }, { ETIMEDOUT }, { ENETUNREACH } };

START_TEST(no_error_of_one_address_hides_the_next)
{
	struct dial d = fresh("192.0.2.1:1080", "192.0.2.2:1081");

	f.connect_errno[0] = hop_errors[_i].err;
	ck_assert_int_eq(go(&d), 0);
	ck_assert_int_eq(f.connects, 2);
}
END_TEST

/* An address that drops what it gets leaves the next its share of the time. */
START_TEST(a_silent_address_gets_its_share)
{
	struct dial d = fresh("192.0.2.1:1080", "192.0.2.2:1081");

	d.deadline_ms = clock_ms() + 60000;
	f.connect_errno[0] = EINPROGRESS;
	f.silent_first = true;
	ck_assert_int_eq(go(&d), 0);
	ck_assert_int_eq(f.connects, 2);
	ck_assert(f.first_deadline_ms < d.deadline_ms);
	ck_assert_int_eq(d.report.hop.port, 1081);
}
END_TEST

START_TEST(a_proxy_that_answered_is_not_asked_twice)
{
	struct dial d = fresh("192.0.2.1:1080", "192.0.2.2:1081");
	char text[256];

	f.answer = (const uint8_t *)REFUSED;
	f.answer_len = sizeof(REFUSED) - 1;
	ck_assert_int_eq(go(&d), -ECONNREFUSED);
	ck_assert_int_eq(f.connects, 1);
	ck_assert_int_eq(f.dissolved, 1);
	ck_assert_int_eq(d.report.code, 5);
	dial_explain(&d, -ECONNREFUSED, text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "refused"));
	ck_assert_ptr_nonnull(strstr(text, "05"));
}
END_TEST

static const struct {
	int err;
} state_errors[] = { { EISCONN }, { EALREADY }, { EBADF }, { ENOTSOCK } };

START_TEST(the_kernels_word_on_the_sockets_state_is_passed_on)
{
	struct dial d = fresh("192.0.2.1:1080", "192.0.2.2:1081");

	f.connect_errno[0] = state_errors[_i].err;
	ck_assert_int_eq(go(&d), -state_errors[_i].err);
	ck_assert_int_eq(f.connects, 1);
	ck_assert_int_eq(f.dissolved, 0);
}
END_TEST

static const struct {
	int connect_errno, second_errno, wait_result, send_errno, recv_errno, err;
} failures[] = {
	{ .connect_errno = ENETUNREACH, .err = ENETUNREACH },
	{ .connect_errno = EINPROGRESS, .second_errno = EHOSTUNREACH, .err = EHOSTUNREACH },
	{ .connect_errno = EINPROGRESS, .wait_result = -EINTR, .err = EINTR },
	{ .connect_errno = EINPROGRESS, .wait_result = -ETIMEDOUT, .err = ETIMEDOUT },
	{ .send_errno = EPIPE, .err = ECONNREFUSED },
	{ .recv_errno = ECONNRESET, .err = ECONNREFUSED },
	{ .recv_errno = EAGAIN, .wait_result = -EINTR, .err = EINTR },
	{ .recv_errno = EAGAIN, .wait_result = -ETIMEDOUT, .err = ETIMEDOUT },
};

START_TEST(after_a_failure_the_socket_is_dissolved)
{
	struct dial d = fresh("192.0.2.1:1080", NULL);

	f.connect_errno[0] = failures[_i].connect_errno;
	f.connect_errno[1] = failures[_i].second_errno;
	f.wait_result = failures[_i].wait_result;
	f.send_errno = failures[_i].send_errno;
	f.recv_errno = failures[_i].recv_errno;
	ck_assert_int_eq(go(&d), -failures[_i].err);
	ck_assert_int_eq(f.dissolved, 1);
}
END_TEST

START_TEST(an_answer_cut_anywhere_fails)
{
	struct dial d = fresh("192.0.2.1:1080", NULL);

	f.answer_len = (size_t)_i;
	ck_assert_int_lt(go(&d), 0);
	ck_assert_int_eq(f.dissolved, 1);
}
END_TEST

START_TEST(options_that_hinder_are_lifted_and_put_back)
{
	struct dial d = fresh("192.0.2.1:1080", NULL);

	f.lowat = 100;
	f.cork = 1;
	ck_assert_int_eq(go(&d), 0);
	ck_assert(f.uncorked);
	ck_assert_int_eq(f.cork, 1);
	ck_assert_int_eq(f.lowest_lowat, 1);
	ck_assert_int_eq(f.lowat, 100);
}
END_TEST

static const struct {
	int family, v6only;
	const char *hop;
	bool reaches;
	int spoken; /* the family on the wire's socket address */
} families[] = {
	{ AF_INET, 0, "192.0.2.1:1080", true, AF_INET },
	{ AF_INET, 0, "[2001:db8::1]:1080", false, 0 },
	{ AF_INET6, 0, "192.0.2.1:1080", true, AF_INET6 },
	{ AF_INET6, 1, "192.0.2.1:1080", false, 0 },
	{ AF_INET6, 1, "[2001:db8::1]:1080", true, AF_INET6 },
};

START_TEST(families_reach_what_they_can)
{
	struct dial d = fresh(families[_i].hop, NULL);

	f.family = families[_i].family;
	f.v6only = families[_i].v6only;
	ck_assert_int_eq(dial_can_reach(&d, f.family, f.v6only != 0), families[_i].reaches);
	ck_assert_int_eq(go(&d), families[_i].reaches ? 0 : -EAFNOSUPPORT);
	if (families[_i].reaches)
		ck_assert_int_eq(f.to[0].ss_family, families[_i].spoken);
	else
		ck_assert_int_eq(f.connects, 0);
	ck_assert_int_eq(dial_family(&d), hops[0].kind == ENDPOINT_IPV6 ? AF_INET6 : AF_INET);
}
END_TEST

/* Of two addresses, the first tried, and the other. */
static const struct {
	int family;
	const char *first, *second, *tried[2];
} orders[] = {
	{ AF_INET, "192.0.2.1:1", "192.0.2.2:2", { "192.0.2.1:1", "192.0.2.2:2" } },
	{ AF_INET, "[2001:db8::1]:1", "192.0.2.2:2", { "192.0.2.2:2", "" } },
	{ AF_INET6, "192.0.2.1:1", "192.0.2.2:2", { "192.0.2.1:1", "192.0.2.2:2" } },
	{ AF_INET6, "[2001:db8::1]:1", "192.0.2.2:2", { "[2001:db8::1]:1", "192.0.2.2:2" } },
	/* The other way round, the second would stay silent. */
	{ AF_INET6, "192.0.2.1:1", "[2001:db8::2]:2", { "[2001:db8::2]:2", "192.0.2.1:1" } },
};

START_TEST(ipv6_comes_before_ipv4_where_both_can_be_reached)
{
	struct dial d = fresh(orders[_i].first, orders[_i].second);

	f.family = orders[_i].family;
	f.connect_errno[0] = f.connect_errno[1] = ECONNREFUSED;
	ck_assert_int_eq(go(&d), -ECONNREFUSED);
	for (int i = 0; i < 2; i++) {
		struct endpoint want = unit_endpoint(orders[_i].tried[i]), have;

		ck_assert_int_eq(f.connects > i, want.kind != ENDPOINT_NONE);
		if (f.connects <= i)
			break;
		ck_assert_int_eq(
			endpoint_from_sockaddr(&have, (struct sockaddr *)&f.to[i], sizeof(f.to[i])),
			0);
		endpoint_unmap(&have);
		ck_assert_endpoint_eq(&have, &want);
	}
}
END_TEST

START_TEST(what_the_protocol_cannot_say_reaches_nobody)
{
	struct dial d = fresh("192.0.2.1:1080", NULL);
	struct endpoint dst = unit_endpoint("[2001:db8::7]:80");
	struct proxy v4 = { .protocol = SOCKS_V4 };

	d.proxy = &v4;
	ck_assert_int_eq(dial_connect(&d, FD, &dst), -EAFNOSUPPORT);
	ck_assert_int_eq(f.connects, 0);
}
END_TEST

START_TEST(steps_that_were_come_to_have_a_time)
{
	struct dial d = fresh("192.0.2.1:1080", NULL);

	f.answer_len = _i == 0 ? 1 : sizeof(good) - 1;
	go(&d);
	ck_assert_int_ge(d.report.step_us[DIAL_TCP], 0);
	ck_assert_int_ge(d.report.step_us[DIAL_METHOD], 0);
	ck_assert_int_eq(d.report.step_us[DIAL_CREDENTIALS], -1);
	ck_assert_int_eq(d.report.step_us[DIAL_REQUEST] >= 0, _i == 1);

	d = fresh("192.0.2.1:1080", NULL);
	f.connect_errno[0] = ENETUNREACH;
	go(&d);
	ck_assert_int_ge(d.report.step_us[DIAL_TCP], 0);
	ck_assert_int_eq(d.report.step_us[DIAL_METHOD], -1);
}
END_TEST

#define MAIL "220 mail.test ESMTP"

START_TEST(what_another_protocol_says_is_heard)
{
	struct dial d = fresh("192.0.2.1:1080", NULL);
	char text[256];

	f.answer = (const uint8_t *)MAIL;
	f.answer_len = sizeof(MAIL) - 1;
	ck_assert_int_eq(go(&d), -EPROTO);
	ck_assert_int_eq(d.report.cause, CLIENT_CAUSE_NOISE);
	ck_assert_uint_eq(d.report.n_heard, sizeof(MAIL) - 1);
	ck_assert_mem_eq(d.report.heard, MAIL, sizeof(MAIL) - 1);
	dial_explain(&d, -EPROTO, text, sizeof(text));
	ck_assert_ptr_eq(strstr(text, "method: the proxy's answer is not SOCKS; it says \"" MAIL
	                              "\", after "),
	                 text);
}
END_TEST

/* A server that echoes says the password in its answer. */
START_TEST(nothing_is_heard_after_a_password_was_sent)
{
	struct dial d = fresh("192.0.2.1:1080", NULL);
	struct proxy px = { .protocol = SOCKS_V5,
		            .user_len = 3,
		            .user = "joe",
		            .password_len = 7,
		            .password = "hunter2" };

	d.proxy = &px;
	f.answer = (const uint8_t *)"\5\2\0\2\1\3joe\7hunter2";
	f.answer_len = 17;
	ck_assert_int_eq(go(&d), -EPROTO);
	ck_assert_ptr_null(memmem(&d, sizeof(d), "hunter2", 7));
	ck_assert_uint_eq(d.report.n_heard, 0);
}
END_TEST

/* What dial_explain() puts around the cause: how far it came. */
static const struct {
	int connect_errno;
	const char *dst, *text;
} lines[] = {
	{ 0, "a:80", "request: connection refused by the destination (reply 05), after 0 ms" },
	{ ECONNREFUSED, "a:80",
	  "TCP to the proxy at 192.0.2.1:1080: connection refused: nothing listens there, after 0 "
	  "ms" },
	{ 0, "", "no destination is given, after 0 ms" },
};

START_TEST(the_line_says_how_far_it_came)
{
	struct dial d = fresh("192.0.2.1:1080", NULL);
	struct endpoint dst = unit_endpoint(lines[_i].dst);
	char text[256];
	int err;

	f.connect_errno[0] = lines[_i].connect_errno;
	f.answer = (const uint8_t *)REFUSED;
	f.answer_len = sizeof(REFUSED) - 1;
	err = dial_connect(&d, FD, &dst);
	d.report.ended_ms = d.report.began_ms;
	ck_assert_str_eq(dial_explain(&d, err, text, sizeof(text)), lines[_i].text);
}
END_TEST

#define MOVED 77 /* another number of the same socket */

/* Take it up elsewhere, as its owner may: what was at the former place is gone. */
static struct dial *move(struct dial at[2], struct dial *d)
{
	struct dial *to = d == &at[0] ? &at[1] : &at[0];

	*to = *d;
	memset(d, 0xa5, sizeof(*d));
	return to;
}

static struct dial *step_for_nothing(struct dial at[2], struct dial *d)
{
	size_t sent = f.n_sent, read = f.answer_pos;
	short events = d->events;
	int64_t until_ms = d->until_ms;

	d = move(at, d);
	ck_assert_int_eq(dial_step(d, 0), -EINPROGRESS);
	ck_assert_int_eq(d->events, events);
	ck_assert(d->until_ms == until_ms);
	ck_assert_uint_eq(f.n_sent, sent);
	ck_assert_uint_eq(f.answer_pos, read);
	return d;
}

/* The answer comes in two parts, or, for the last row, by the octet. */
START_TEST(each_step_goes_as_far_as_it_can)
{
	struct endpoint dst = unit_endpoint("example.org:80");
	struct dial at[2], *d = &at[0];
	int err;

	at[0] = fresh("192.0.2.1:1080", NULL);
	f.metered = true;
	f.there = (size_t)_i % GOOD_LEN;
	f.connect_errno[0] = EINPROGRESS;
	f.connect_errno[1] = f.connect_errno[2] = EALREADY;
	ck_assert_int_eq(dial_begin(d, FD, &dst), -EINPROGRESS);
	ck_assert_int_eq(d->fd, FD);
	ck_assert_int_eq(d->events, POLLOUT);
	ck_assert(d->until_ms == 1234);
	d = step_for_nothing(at, d);
	d = step_for_nothing(at, d);
	ck_assert_int_eq(dial_step(d, 0), -EINPROGRESS);
	ck_assert_int_eq(d->events, POLLIN);
	ck_assert_uint_eq(f.n_sent, 3);
	d = move(at, d);
	d->fd = f.fd = MOVED;
	while ((err = dial_step(d, 0)) == -EINPROGRESS) {
		if (f.answer_pos == f.there) {
			d = step_for_nothing(at, d);
			f.there += _i == GOOD_LEN ? 1 : sizeof(good) - 1 - f.there;
		}
		d = move(at, d);
	}
	ck_assert_int_eq(err, 0);
	ck_assert_int_eq(d->events, 0);
	ck_assert_uint_eq(f.answer_pos, GOOD_LEN);
	ck_assert_uint_eq(f.n_sent, 3 + 5 + 11 + 2);
	ck_assert_int_eq(f.dissolved, 0);
	ck_assert_int_eq(f.connects, 4);
	ck_assert_int_eq(f.flags, FLAGS);
	ck_assert_int_eq(f.waits, 0);
}
END_TEST

START_TEST(the_time_of_one_address_is_not_the_dials)
{
	struct dial d = fresh("192.0.2.1:1080", "192.0.2.2:1081");
	struct endpoint dst = unit_endpoint("example.org:80");

	d.deadline_ms = clock_ms() + 60000;
	f.connect_errno[0] = f.connect_errno[1] = EINPROGRESS;
	ck_assert_int_eq(dial_begin(&d, FD, &dst), -EINPROGRESS);
	ck_assert(d.until_ms < d.deadline_ms);
	ck_assert_int_eq(dial_step(&d, -ETIMEDOUT), -EINPROGRESS);
	ck_assert_int_eq(f.dissolved, 1);
	ck_assert(d.until_ms == d.deadline_ms);
	if (_i == 0) {
		ck_assert_int_eq(dial_step(&d, -ETIMEDOUT), -ETIMEDOUT);
		ck_assert(!d.report.reached);
	} else {
		ck_assert_int_eq(dial_step(&d, 0), -EINPROGRESS);
		ck_assert_int_eq(d.events, POLLIN);
		ck_assert_int_eq(dial_step(&d, -ETIMEDOUT), -ETIMEDOUT);
		ck_assert(d.report.reached);
		ck_assert_int_eq(d.report.stage, CLIENT_STAGE_METHOD);
	}
	ck_assert_int_eq(f.dissolved, 2);
	ck_assert_int_eq(d.report.hop.port, 1081);
}
END_TEST

/* Where the second and the third connect() tell of the first two addresses. */
static const struct {
	int connect_errno[4], n_hops, err, connects;
} direct[] = {
	{ { ECONNREFUSED, ECONNREFUSED, 0 }, 3, 0, 3 },
	{ { ECONNREFUSED, ECONNREFUSED, EINPROGRESS, 0 }, 3, 0, 4 },
	{ { ENETUNREACH, EINPROGRESS, ECONNREFUSED, 0 }, 3, 0, 4 },
	{ { EINPROGRESS, EISCONN }, 3, 0, 2 },
	{ { ECONNREFUSED, ENETUNREACH, EHOSTUNREACH }, 3, EHOSTUNREACH, 3 },
	{ { 0 }, 0, EAFNOSUPPORT, 0 },
};

START_TEST(without_a_proxy_tcp_is_all)
{
	struct dial d = fresh("192.0.2.1:80", "192.0.2.2:80");
	char text[256];
	int err;

	hops[2] = unit_endpoint("192.0.2.3:80");
	d.proxy = NULL;
	d.n_hops = (size_t)direct[_i].n_hops;
	f.lowat = 100;
	memcpy(f.connect_errno, direct[_i].connect_errno, sizeof(f.connect_errno));
	err = go(&d);
	ck_assert_int_eq(err, -direct[_i].err);
	ck_assert_int_eq(f.connects, direct[_i].connects);
	ck_assert_int_eq(d.report.reached, err == 0);
	ck_assert_uint_eq(f.n_sent, 0);
	ck_assert_uint_eq(f.answer_pos, 0);
	ck_assert_int_eq(f.lowest_lowat, 99);
	dial_explain(&d, err, text, sizeof(text));
	if (err == -EHOSTUNREACH)
		ck_assert_ptr_eq(strstr(text, "TCP to 192.0.2.3:80: no route to host, after "),
		                 text);
	ck_assert_ptr_null(strstr(text, "proxy"));
}
END_TEST

static const struct {
	int connect_errno;
	enum client_stage stage;
} midway[] = { { EINPROGRESS, 0 }, { 0, CLIENT_STAGE_METHOD } };

START_TEST(what_was_abandoned_is_not_touched_again)
{
	struct dial d = fresh("192.0.2.1:1080", "192.0.2.2:1081");
	struct endpoint dst = unit_endpoint("example.org:80");

	f.lowat = 100;
	f.connect_errno[0] = midway[_i].connect_errno;
	ck_assert_int_eq(dial_begin(&d, FD, &dst), -EINPROGRESS);
	dial_abandon(&d, FD);
	ck_assert_int_eq(f.dissolved, 1);
	ck_assert_int_eq(f.lowat, 100);
	f.fd = -1; /* no call of any is right from here on */
	ck_assert_int_eq(dial_step(&d, -EINTR), -EINTR);
	ck_assert_int_lt(dial_step(&d, 0), 0);
	ck_assert_int_eq(f.dissolved, 1);
	ck_assert_int_eq(d.report.stage, midway[_i].stage);
	ck_assert_int_eq(d.report.cause, CLIENT_CAUSE_NONE);
	ck_assert_int_ge(d.report.step_us[_i == 0 ? DIAL_TCP : DIAL_METHOD], 0);
}
END_TEST

/* The answer ends after so many octets; the wait for it in @waited, or in a dial_abandon(). */
static const char welcome[] = "\5\2\1\0\5\0\0\1\177\0\0\1\0\11";
static const struct {
	int octets, waited;
	bool abandons;
} ends[] = {
	{ .octets = 14 },
	{ .octets = 0 },
	{ .octets = 2 },
	{ .octets = 4 },
	{ .octets = 2, .waited = -EINTR },
	{ .octets = 2, .waited = -ETIMEDOUT },
	{ .octets = 2, .waited = -ECANCELED },
	{ .octets = 2, .abandons = true },
};

START_TEST(no_end_leaves_a_password)
{
	struct dial d = fresh("192.0.2.1:1080", NULL);
	struct endpoint dst = unit_endpoint("example.org:80");
	struct proxy px = { .protocol = SOCKS_V5,
		            .user_len = 3,
		            .user = "joe",
		            .password_len = 7,
		            .password = "hunter2" };
	int err;

	d.proxy = &px;
	f.answer = (const uint8_t *)welcome;
	f.answer_len = (size_t)ends[_i].octets;
	err = dial_begin(&d, FD, &dst);
	while (err == -EINPROGRESS && !(f.n_sent > 4 && (ends[_i].waited || ends[_i].abandons)))
		err = dial_step(&d, 0);
	if (ends[_i].waited)
		ck_assert_int_eq(dial_step(&d, ends[_i].waited), ends[_i].waited);
	else if (ends[_i].abandons)
		dial_abandon(&d, FD);
	else
		ck_assert_int_eq(err, ends[_i].octets == 14 ? 0 : -ECONNREFUSED);
	ck_assert_ptr_null(memmem(&d, sizeof(d), "hunter2", 7));
	ck_assert_ptr_null(memmem(&d, sizeof(d), "example", 7));
}
END_TEST

UNIT_MAIN("tunnel dial", { exactly_the_handshake_is_read, 6 }, { a_slow_connect_is_waited_for, 0 },
          { the_next_address_is_tried_when_tcp_fails, 0 },
          { no_error_of_one_address_hides_the_next, ROWS(hop_errors) },
          { a_silent_address_gets_its_share, 0 }, { a_proxy_that_answered_is_not_asked_twice, 0 },
          { the_kernels_word_on_the_sockets_state_is_passed_on, ROWS(state_errors) },
          { after_a_failure_the_socket_is_dissolved, ROWS(failures) },
          { an_answer_cut_anywhere_fails, GOOD_LEN },
          { options_that_hinder_are_lifted_and_put_back, 0 },
          { families_reach_what_they_can, ROWS(families) },
          { ipv6_comes_before_ipv4_where_both_can_be_reached, ROWS(orders) },
          { what_the_protocol_cannot_say_reaches_nobody, 0 },
          { steps_that_were_come_to_have_a_time, 2 }, { what_another_protocol_says_is_heard, 0 },
          { nothing_is_heard_after_a_password_was_sent, 0 },
          { the_line_says_how_far_it_came, ROWS(lines) },
          { each_step_goes_as_far_as_it_can, GOOD_LEN + 1 },
          { the_time_of_one_address_is_not_the_dials, 2 },
          { without_a_proxy_tcp_is_all, ROWS(direct) },
          { what_was_abandoned_is_not_touched_again, ROWS(midway) },
          { no_end_leaves_a_password, ROWS(ends) })
