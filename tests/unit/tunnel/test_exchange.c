#include "unit.h"

#include <dns/message.h>
#include <errno.h>
#include <sys/socket.h>
#include <tunnel/exchange.h>
#include <unistd.h>

#define ROOM 64 /* of the buffer */

/* A question of a header alone, id 1234; and what a server may say, lengths before. */
#define QUESTION "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
#define ANSWER   "\x00\x0f\x12\x34\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00yes"
#define OTHER    "\x00\x0d\x12\x35\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00x"
#define ECHOED   "\x00\x0c" QUESTION

static int pair[2]; /* ours, the server's */

static void begin(struct exchange *x, const struct sys *sys, uint8_t buf[ROOM])
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	memcpy(buf + 2, QUESTION, DNS_HEADER_LEN);
	exchange_init(x, sys, buf, ROOM, DNS_HEADER_LEN);
	ck_assert_int_eq(exchange_events(x), POLLOUT);
}

static void end(void)
{
	close(pair[0]);
	close(pair[1]);
}

static void say(const char *what, size_t len)
{
	ck_assert_int_eq(send(pair[1], what, len, MSG_NOSIGNAL), len);
}

static void hear_question(void)
{
	static const char right[] = "\x00\x0c" QUESTION;
	char got[ROOM];

	ck_assert_int_eq(recv(pair[1], got, sizeof(got), 0), sizeof(right) - 1);
	ck_assert_mem_eq(got, right, sizeof(right) - 1);
}

/* What comes after the question, and what it makes. */
static const struct {
	const char *in;
	size_t len;
	int result;
} rows[] = {
#define ROW(in, result)                    \
	{                                  \
		in, sizeof(in) - 1, result \
	}
	ROW(ANSWER, 15),
	ROW(OTHER ANSWER, 15),
	ROW(ECHOED ANSWER, 15),
	ROW(ECHOED OTHER OTHER ANSWER, 15),
	ROW("\x00\x0b", -EPROTO),
	ROW(OTHER "\x00\x00", -EPROTO),
	ROW("\x00\x3f", -EMSGSIZE),
	ROW("\xff\xff", -EMSGSIZE),
#undef ROW
};

START_TEST(answers_cut_at_every_octet)
{
	size_t len = rows[_i].len;

	for (size_t cut = 0; cut < len; cut++) {
		struct exchange x;
		uint8_t buf[ROOM];

		begin(&x, &sys_libc, buf);
		ck_assert_int_eq(exchange_step(&x, pair[0]), -EINPROGRESS);
		ck_assert_int_eq(exchange_events(&x), POLLIN);
		hear_question();
		if (cut > 0)
			say(rows[_i].in, cut);
		ck_assert_int_eq(exchange_step(&x, pair[0]), -EINPROGRESS);
		ck_assert_int_eq(exchange_events(&x), POLLIN);
		say(rows[_i].in + cut, len - cut);
		ck_assert_int_eq(exchange_step(&x, pair[0]), rows[_i].result);
		if (rows[_i].result > 0)
			ck_assert_mem_eq(buf, ANSWER, sizeof(ANSWER) - 1);
		end();
	}
}
END_TEST

START_TEST(answers_an_octet_at_a_time)
{
	struct exchange x;
	uint8_t buf[ROOM];
	size_t i;

	begin(&x, &sys_libc, buf);
	for (i = 0; i + 1 < rows[_i].len; i++) {
		ck_assert_int_eq(exchange_step(&x, pair[0]), -EINPROGRESS);
		say(rows[_i].in + i, 1);
	}
	ck_assert_int_eq(exchange_step(&x, pair[0]), -EINPROGRESS);
	say(rows[_i].in + i, 1);
	ck_assert_int_eq(exchange_step(&x, pair[0]), rows[_i].result);
	end();
}
END_TEST

START_TEST(what_comes_after_the_answer_stays)
{
	struct exchange x;
	uint8_t buf[ROOM];
	char next[8];

	begin(&x, &sys_libc, buf);
	say(ANSWER "next", sizeof(ANSWER "next") - 1);
	ck_assert_int_eq(exchange_step(&x, pair[0]), 15);
	ck_assert_int_eq(recv(pair[0], next, sizeof(next), 0), 4);
	end();
}
END_TEST

START_TEST(an_answer_may_fill_the_buffer)
{
	char whole[ROOM] = "\x00\x3e\x12\x34\x80";
	struct exchange x;
	uint8_t buf[ROOM];

	begin(&x, &sys_libc, buf);
	say(whole, sizeof(whole));
	ck_assert_int_eq(exchange_step(&x, pair[0]), ROOM - 2);
	end();
}
END_TEST

START_TEST(a_server_that_closes_is_a_reset)
{
	for (size_t cut = 0; cut < sizeof(ANSWER) - 1; cut++) {
		struct exchange x;
		uint8_t buf[ROOM];

		begin(&x, &sys_libc, buf);
		ck_assert_int_eq(exchange_step(&x, pair[0]), -EINPROGRESS);
		if (cut > 0)
			say(ANSWER, cut);
		hear_question();
		shutdown(pair[1], SHUT_RDWR);
		ck_assert_int_eq(exchange_step(&x, pair[0]), -ECONNRESET);
		end();
	}
}
END_TEST

START_TEST(a_server_that_is_gone_before_the_question)
{
	struct exchange x;
	uint8_t buf[ROOM];

	begin(&x, &sys_libc, buf);
	close(pair[1]);
	ck_assert_int_eq(exchange_step(&x, pair[0]), -ECONNRESET);
	close(pair[0]);
}
END_TEST

static int calls;

/* Of three calls one is interrupted, one finds no room, one moves an octet. */
static ssize_t send_slowly(int fd, const void *buf, size_t n, int flags)
{
	(void)n;
	if (calls++ % 3 == 2)
		return send(fd, buf, 1, flags);
	errno = calls % 3 == 1 ? EINTR : EAGAIN;
	return -1;
}

static ssize_t recv_interrupted(int fd, void *buf, size_t n, int flags)
{
	if (calls++ % 2)
		return recv(fd, buf, n, flags);
	errno = EINTR;
	return -1;
}

START_TEST(a_question_an_octet_at_a_time)
{
	struct sys sys = sys_libc;
	struct exchange x;
	uint8_t buf[ROOM];

	sys.send = send_slowly;
	sys.recv = recv_interrupted;
	calls = 0;
	begin(&x, &sys, buf);
	for (int sent = 0; sent < 2 + DNS_HEADER_LEN; sent++) {
		ck_assert_int_eq(exchange_events(&x), POLLOUT);
		ck_assert_int_eq(exchange_step(&x, pair[0]), -EINPROGRESS);
	}
	say(ANSWER, sizeof(ANSWER) - 1);
	ck_assert_int_eq(exchange_step(&x, pair[0]), 15);
	hear_question();
	end();
}
END_TEST

static ssize_t send_fails(int fd, const void *buf, size_t n, int flags)
{
	(void)fd;
	(void)buf;
	(void)n;
	(void)flags;
	errno = ENOBUFS;
	return -1;
}

START_TEST(other_failures_are_the_kernels)
{
	struct sys sys = sys_libc;
	struct exchange x;
	uint8_t buf[ROOM];

	sys.send = send_fails;
	begin(&x, &sys, buf);
	ck_assert_int_eq(exchange_step(&x, pair[0]), -ENOBUFS);
	ck_assert_int_eq(exchange_step(&x, -1), -ENOBUFS);
	end();
}
END_TEST

UNIT_MAIN("exchange", { answers_cut_at_every_octet, ROWS(rows) },
          { answers_an_octet_at_a_time, ROWS(rows) }, { what_comes_after_the_answer_stays, 0 },
          { an_answer_may_fill_the_buffer, 0 }, { a_server_that_closes_is_a_reset, 0 },
          { a_server_that_is_gone_before_the_question, 0 }, { a_question_an_octet_at_a_time, 0 },
          { other_failures_are_the_kernels, 0 })
