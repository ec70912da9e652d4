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
	ck_assert_int_eq(fd, FD);
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

	ck_assert_int_eq(fd, FD);
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

	ck_assert_int_eq(fd, FD);
	ck_assert_int_eq(flags, MSG_DONTWAIT);
	if (stutters())
		return -1;
	if (f.recv_errno) {
		errno = f.recv_errno;
		return -1;
	}
	if (n > left)
		n = left;
	memcpy(buf, f.answer + f.answer_pos, n);
	f.answer_pos += n;
	return (ssize_t)n;
}

static int fake_getsockopt(int fd, int level, int name, void *val, socklen_t *len)
{
	int value = 0;

	ck_assert_int_eq(fd, FD);
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
	ck_assert_int_eq(fd, FD);
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
	ck_assert_int_eq(fd, FD);
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
	ck_assert_int_eq(fd, FD);
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

UNIT_MAIN("tunnel dial", { exactly_the_handshake_is_read, 6 }, { a_slow_connect_is_waited_for, 0 },
          { the_next_address_is_tried_when_tcp_fails, 0 },
          { no_error_of_one_address_hides_the_next, ROWS(hop_errors) },
          { a_silent_address_gets_its_share, 0 }, { a_proxy_that_answered_is_not_asked_twice, 0 },
          { the_kernels_word_on_the_sockets_state_is_passed_on, ROWS(state_errors) },
          { after_a_failure_the_socket_is_dissolved, ROWS(failures) },
          { an_answer_cut_anywhere_fails, GOOD_LEN },
          { options_that_hinder_are_lifted_and_put_back, 0 },
          { families_reach_what_they_can, ROWS(families) },
          { what_the_protocol_cannot_say_reaches_nobody, 0 },
          { steps_that_were_come_to_have_a_time, 2 }, { what_another_protocol_says_is_heard, 0 },
          { nothing_is_heard_after_a_password_was_sent, 0 },
          { the_line_says_how_far_it_came, ROWS(lines) })
