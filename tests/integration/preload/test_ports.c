/*
 * The loopback ports that stand for name servers: what comes there, from whom it may, and what it
 * costs others; and that they are gone when nobody needs them.
 */
#include "alone.h"
#include "asking.h"
#include "async.h"
#include "libc.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY     1000
#define CROWD    70 /* more than are served, or asked for, at once */
#define SERVFAIL 2
#define NXDOMAIN 3
#define FDS_MAX  64

static uint8_t out[ASKING_MAX + 2], in[ASKING_MAX];

static uint32_t dice = 1;

static uint32_t roll(void)
{
	dice = dice * 1664525u + 1013904223u;
	return dice >> 8;
}

START_TEST(datagrams_of_garbage_are_no_harm)
{
	int fd = asking_udp(), past = asking_past(SOCK_DGRAM, asking_port(fd));

	for (int i = 0; i < 3000; i++) {
		size_t len = i % 100 == 0 ? 65507 : i % 50 == 0 ? 0 : roll() % 600;

		for (size_t j = 0; j < len && j < 600; j++)
			out[j] = (uint8_t)roll();
		/* Some look like questions, and end in the midst of something. */
		if (i % 2 && len > 12)
			asking_put(out, (uint16_t)i, "garbage.example", ASKING_A);
		(void)send(past, out, len, MSG_DONTWAIT);
		if (i % 20 == 0)
			asking_works(fd);
	}
	asking_works(fd);
	close(past);
	close(fd);
}
END_TEST

START_TEST(a_thousand_questions_at_once_are_answered_in_order)
{
	int fd = asking_tcp();

	for (int i = 0; i < MANY; i++)
		asking_send(fd, (uint16_t)i, "many.example", ASKING_A);
	if (_i)
		ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	for (int i = 0; i < MANY; i++)
		asking_check(in, asking_receive(fd, in), (uint16_t)i, 0, 1);
	if (_i)
		ck_assert_uint_eq(asking_receive(fd, in), 0);
	close(fd);
}
END_TEST

/* Each is sent the moment that the one before is answered: the helper finds it there at once. */
START_TEST(questions_in_haste_are_all_answered)
{
	int fd = _i ? asking_tcp() : asking_udp();

	for (int i = 0; i < 10 * MANY; i++)
		ck_assert(asking_does(fd));
	close(fd);
}
END_TEST

/* Both answers come, wherever the octets of two questions are cut. */
START_TEST(a_question_may_come_octet_by_octet)
{
	size_t len = asking_put(out + 2, 1, "slow.example", ASKING_A);
	int fd = asking_tcp(), other = asking_tcp();

	out[0] = 0;
	out[1] = (uint8_t)len;
	memcpy(out + 2 + len, out, 2 + len);
	for (size_t i = 0; i < 2 * (2 + len); i++) {
		ck_assert_int_eq(send(fd, out + i, 1, 0), 1);
		/* Nobody waits for it meanwhile, and it has been seen to when that one is. */
		asking_works(other);
	}
	asking_check(in, asking_receive(fd, in), 1, 0, 1);
	asking_check(in, asking_receive(fd, in), 1, 0, 1);
	close(other);
	close(fd);
}
END_TEST

START_TEST(the_longest_message_is_read)
{
	int fd = asking_tcp();

	for (int i = 0; i < 5; i++) {
		size_t len = 2 + 65535;

		memset(out, 0, len);
		asking_put(out + 2, (uint16_t)i, "long.example", ASKING_A);
		out[0] = out[1] = 0xff;
		for (size_t at = 0; at < len;) {
			ssize_t n = send(fd, out + at, len - at, 0);

			ck_assert_int_gt(n, 0);
			at += (size_t)n;
		}
		asking_check(in, asking_receive(fd, in), (uint16_t)i, 0, 1);
		asking_works(fd);
	}
	close(fd);
}
END_TEST

/* Lengths that lie, and messages that are none, have no answer; what follows has. */
START_TEST(a_stream_of_garbage_is_no_harm)
{
	int fd, other = asking_tcp();

	for (int i = 0; i < 100; i++) {
		size_t len = 1 + roll() % sizeof(out);

		fd = asking_past(SOCK_STREAM, asking_port(other));
		for (size_t j = 0; j < len; j++)
			out[j] = (uint8_t)roll();
		(void)send(fd, out, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (i % 2)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 },
			           sizeof(struct linger));
		close(fd);
		asking_works(other);
	}
	fd = asking_tcp();
	ck_assert_int_eq(send(fd, "\0\0\0\1x\0\3xyz", 10, 0), 10);
	asking_works(fd);
	close(fd);
	close(other);
}
END_TEST

START_TEST(one_that_takes_no_answers_holds_up_nobody)
{
	int fd = asking_tcp(), other = asking_tcp();
	size_t len = asking_put(out + 2, 7, "deaf.example", ASKING_A), sent = 0, n = 0;
	ssize_t r;

	out[0] = 0;
	out[1] = (uint8_t)len;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	len += 2;
	/* Until nothing goes any more, and it stays so when another one was seen to. */
	for (int stuck = 0; stuck < 20; asking_works(other)) {
		stuck++;
		while ((r = send(fd, out + sent % len, len - sent % len, 0)) > 0) {
			sent += (size_t)r;
			stuck = 0;
		}
	}
	fcntl(fd, F_SETFL, 0);
	shutdown(fd, SHUT_WR);
	while (asking_receive(fd, in) > 0)
		n++;
	ck_assert_uint_ge(n, 1000);
	ck_assert_uint_eq(n, sent / len);
	close(other);
	close(fd);
}
END_TEST

START_TEST(connections_beyond_the_limit_end_the_oldest)
{
	int fds[CROWD];

	for (int i = 0; i < CROWD; i++) {
		fds[i] = asking_tcp();
		asking_works(fds[i]);
	}
	ck_assert_uint_eq(asking_receive(fds[0], in), 0);
	asking_works(fds[CROWD - 1]);
	for (int i = 0; i < CROWD; i++)
		close(fds[i]);
}
END_TEST

START_TEST(the_proxy_knows_the_names_of_addresses)
{
	int fd = _i ? asking_tcp() : asking_udp();

	asking_check(in, asking_ask(fd, 1, "203.0.113.77", ASKING_PTR, in), 1, 0, 1);
	ck_assert_ptr_nonnull(memmem(in, 512, "\3h77\4test", 9));
	asking_check(in, asking_ask(fd, 2, "203.0.113.101", ASKING_PTR, in), 2, NXDOMAIN, 0);
	asking_works(fd);
	close(fd);
}
END_TEST

/* Past the library, which is in the child, too, and would answer it there. */
static int be_a_stranger(void *at)
{
	const uint16_t *ports = at;
	size_t len = asking_put(out, 1, "stranger.example", ASKING_A);
	int udp, tcp;

	if (setuid(65534) < 0)
		return 1;
	udp = asking_past(SOCK_DGRAM, ports[0]);
	LIBC(send)(udp, out, len, 0);
	tcp = asking_past(SOCK_STREAM, ports[1]);
	/* It is closed without an answer: by then the datagram was seen to, too. */
	if (LIBC(recv)(tcp, in, 1, 0) > 0)
		return 2;
	if (LIBC(recv)(udp, in, 1, MSG_DONTWAIT) > 0)
		return 3;
	return 0;
}

START_TEST(strangers_are_not_answered)
{
	int udp = asking_udp(), tcp = asking_tcp();
	uint16_t at[2] = { asking_port(udp), asking_port(tcp) };

	if (geteuid() == 0)
		async_in_child(be_a_stranger, at);
	asking_works(udp);
	asking_works(tcp);
	close(udp);
	close(tcp);
}
END_TEST

/* Numbers of ours are moved away where the program wants them, and stay open when it closes all. */
START_TEST(its_numbers_are_the_programs_to_take)
{
	int udp = asking_udp(), tcp = asking_tcp(), null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	asking_works(udp);
	asking_works(tcp);
	for (int fd = 4096; fd < 4130; fd++) {
		ck_assert_int_eq(dup2(null, fd), fd);
		asking_works(udp);
		asking_works(tcp);
	}
	ck_assert_int_eq(close_range((unsigned)tcp + 1, ~0u, 0), 0);
	asking_works(udp);
	asking_works(tcp);
	close(udp);
	close(tcp);
}
END_TEST

static bool has_helper(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *de;
	bool found = false;

	ck_assert_ptr_nonnull(dir);
	while ((de = readdir(dir))) {
		char path[64], name[32] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%.16s/comm", de->d_name);
		f = fopen(path, "re");
		if (f && fgets(name, sizeof(name), f) && strcmp(name, "socksify\n") == 0)
			found = true;
		if (f)
			fclose(f);
	}
	closedir(dir);
	return found;
}

static void await_no_helper(void)
{
	while (has_helper())
		poll(NULL, 0, 10);
}

static int leave_nothing(void *at)
{
	int before[FDS_MAX], after[FDS_MAX], n = 0, m;

	(void)at;
	/* At first there may be ports of the parent's. */
	for (int round = 0; round < 3; round++) {
		int udp = asking_udp(), tcp = asking_tcp();

		asking_works(udp);
		asking_works(tcp);
		ck_assert(has_helper());
		close(udp);
		close(tcp);
		await_no_helper();
		m = async_descriptors(after, FDS_MAX);
		if (round == 0)
			n = async_descriptors(before, FDS_MAX);
		ck_assert_int_eq(m, n);
		ck_assert_mem_eq(before, after, (size_t)n * sizeof(int));
		for (int i = 0; i < n; i++)
			ck_assert_int_lt(after[i], 4096);
	}
	return 0;
}

START_TEST(nothing_is_left_of_them)
{
	async_in_child(leave_nothing, NULL);
}
END_TEST

/* An answer that is read late still comes from the name server; and its port is the same again. */
static int read_late(void *at)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		                  .sin_port = htons(53),
		                  .sin_addr = { htonl(INADDR_LOOPBACK) } },
			   from;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	size_t n = asking_put(out, 9, "late.example", ASKING_A);
	socklen_t len = sizeof(from);
	ssize_t got;

	(void)at;
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(sendto(fd, out, n, 0, (struct sockaddr *)&sa, sizeof(sa)),
		                 (ssize_t)n);
	/* It takes its name when it runs. */
	while (!has_helper())
		poll(NULL, 0, 1);
	await_no_helper();
	for (int i = 0; i < 2; i++) {
		got = recvfrom(fd, in, sizeof(in), MSG_DONTWAIT, (struct sockaddr *)&from, &len);
		ck_assert_int_gt(got, 0);
		asking_check(in, (size_t)got, 9, 0, 1);
		ck_assert_mem_eq(&from.sin_addr, &sa.sin_addr, sizeof(sa.sin_addr));
		ck_assert_uint_eq(from.sin_port, sa.sin_port);
	}
	close(fd);
	fd = asking_udp();
	asking_works(fd);
	close(fd);
	return 0;
}

START_TEST(what_is_read_late_is_known)
{
	async_in_child(read_late, NULL);
}
END_TEST

/* write() is no hook: the port must be there for a socket that is connected. */
static int stay(void *at)
{
	int fd = asking_udp();
	size_t len = asking_put(out, 3, "stay.example", ASKING_A);

	(void)at;
	asking_works(fd);
	/* Nothing tells when it would have been given up. */
	poll(NULL, 0, 7500);
	ck_assert_int_eq(write(fd, out, len), (ssize_t)len);
	asking_check(in, (size_t)recv(fd, in, sizeof(in), 0), 3, 0, 1);
	return 0;
}

START_TEST(a_connected_socket_keeps_its_port)
{
	async_in_child(stay, NULL);
}
END_TEST

START_TEST(the_server_itself_is_asked)
{
	int fd = _i ? asking_tcp() : asking_udp(), asked = alone_questions();

	for (int i = 1; i <= 100; i++) {
		size_t len = asking_ask(fd, (uint16_t)i, "a7.test", ASKING_A, in);

		asking_check(in, len, (uint16_t)i, 0, 1);
		ck_assert_mem_eq(in + len - 4, "\300\0\2\7", 4);
	}
	asking_check(in, asking_ask(fd, 101, "none.test", ASKING_A, in), 101, NXDOMAIN, 0);
	if (!_i)
		ck_assert_int_eq(alone_questions() - asked, 101);
	close(fd);
}
END_TEST

/* A server that is silent: repeats are not passed on, but once, and the end of it is told. */
START_TEST(a_repeated_question_is_asked_once)
{
	int fd = asking_udp(), asked = alone_questions();
	size_t len = asking_put(out, 5, "silent.test", ASKING_A);

	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(send(fd, out, len, 0), (ssize_t)len);
	/* Behind them. */
	asking_check(in, asking_ask(fd, 6, "a1.test", ASKING_A, in), 6, 0, 1);
	ck_assert_int_eq(alone_questions() - asked, 2);
	asking_check(in, (size_t)recv(fd, in, sizeof(in), 0), 5, SERVFAIL, 0);
	ck_assert_int_eq(alone_questions() - asked, 3);
	close(fd);
}
END_TEST

START_TEST(questions_beyond_the_limit_fail_at_once)
{
	int fd = asking_udp(), failed = 0, at_once = 0;
	uint8_t answer[512];

	for (int i = 0; i < CROWD; i++) {
		size_t len = asking_put(out, (uint16_t)i, "silent.test", ASKING_A);

		ck_assert_int_eq(send(fd, out, len, 0), (ssize_t)len);
	}
	for (; failed < CROWD; failed++) {
		ck_assert_int_gt(recv(fd, answer, sizeof(answer), 0), 0);
		ck_assert_int_eq(answer[3] & 15, SERVFAIL);
		at_once += (answer[0] << 8 | answer[1]) >= 64;
	}
	ck_assert_int_eq(at_once, CROWD - 64);
	asking_check(in, asking_ask(fd, 600, "a1.test", ASKING_A, in), 600, 0, 1);
	close(fd);
}
END_TEST

/* Their answers come to nobody, and keep nobody from being answered. */
START_TEST(askers_who_give_up_are_no_harm)
{
	int fd = asking_udp();

	for (int i = 0; i < 50; i++) {
		int tcp = asking_tcp(), udp = asking_udp();
		size_t len = asking_put(out, (uint16_t)i, "a1.test", ASKING_A);

		asking_send(tcp, (uint16_t)i, "a1.test", ASKING_A);
		asking_send(tcp, (uint16_t)i, "a2.test", ASKING_A);
		ck_assert_int_eq(send(udp, out, len, 0), (ssize_t)len);
		close(tcp);
		close(udp);
	}
	asking_check(in, asking_ask(fd, 1, "a1.test", ASKING_A, in), 1, 0, 1);
	close(fd);
}
END_TEST

/* By TCP the program asks it there itself. */
START_TEST(the_server_is_asked_through_the_proxy)
{
	int fd = asking_udp(), asked = alone_questions();
	int before = under_requests("dns.");

	for (int i = 1; i <= 20; i++)
		asking_check(in, asking_ask(fd, (uint16_t)i, "a7.test", ASKING_A, in), (uint16_t)i,
		             0, 1);
	ck_assert_int_eq(under_requests("dns.") - before, 20);
	ck_assert_int_eq(alone_questions(), asked);
	asking_check(in, asking_ask(fd, 21, "gone.test", ASKING_A, in), 21, SERVFAIL, 0);
	asking_check(in, asking_ask(fd, 22, "a1.test", ASKING_A, in), 22, 0, 1);
	close(fd);
}
END_TEST

START_TEST(without_a_proxy_it_fails)
{
	int fd = asking_udp();

	under_stop_proxy();
	asking_check(in, asking_ask(fd, 1, "a1.test", ASKING_A, in), 1, SERVFAIL, 0);
	close(fd);
}
END_TEST

static void add_answers(TCase *tc)
{
	tcase_add_test(tc, datagrams_of_garbage_are_no_harm);
	tcase_add_loop_test(tc, a_thousand_questions_at_once_are_answered_in_order, 0, 2);
	tcase_add_loop_test(tc, questions_in_haste_are_all_answered, 0, 2);
	tcase_add_test(tc, a_question_may_come_octet_by_octet);
	tcase_add_test(tc, the_longest_message_is_read);
	tcase_add_test(tc, a_stream_of_garbage_is_no_harm);
	tcase_add_test(tc, one_that_takes_no_answers_holds_up_nobody);
	tcase_add_test(tc, connections_beyond_the_limit_end_the_oldest);
	tcase_add_loop_test(tc, the_proxy_knows_the_names_of_addresses, 0, 2);
	tcase_add_test(tc, strangers_are_not_answered);
	tcase_add_test(tc, its_numbers_are_the_programs_to_take);
	tcase_add_test(tc, nothing_is_left_of_them);
	tcase_add_test(tc, what_is_read_late_is_known);
	tcase_add_test(tc, a_connected_socket_keeps_its_port);
}

static void add_ruled(TCase *tc)
{
	tcase_add_loop_test(tc, the_server_itself_is_asked, 0, 2);
	tcase_add_test(tc, a_repeated_question_is_asked_once);
	tcase_add_test(tc, questions_beyond_the_limit_fail_at_once);
	tcase_add_test(tc, askers_who_give_up_are_no_harm);
}

static void add_tunnel(TCase *tc)
{
	tcase_add_test(tc, the_server_is_asked_through_the_proxy);
	tcase_add_test(tc, askers_who_give_up_are_no_harm);
	tcase_add_test(tc, without_a_proxy_it_fails);
}

static const struct mode {
	const char *name, *variable, *value;
	void (*add)(TCase *tc);
} modes[] = {
	{ "answer", "SOCKSIFY_DNS", "answer", add_answers },
	{ "ruled", "SOCKSIFY_NO_PROXY", ".test", add_ruled },
	{ "tunnel", "SOCKSIFY_DNS", "tunnel", add_tunnel },
};

static const struct mode *mode;

static Suite *make(void)
{
	Suite *s = suite_create("ports");

	mode->add(async_case(s, mode->name));
	return s;
}

/* The name server of alone.h, by TCP: one question after the other, a connection each at a time. */
static void serve_tcp(int listener)
{
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		uint8_t msg[2 + 512];

		while (fd >= 0 && recv(fd, msg, 2, MSG_WAITALL) == 2) {
			size_t len = (size_t)msg[0] << 8 | msg[1];

			if (len > sizeof(msg) - 2 ||
			    recv(fd, msg + 2, len, MSG_WAITALL) != (ssize_t)len)
				break;
			len = alone_answer(msg + 2, len, sizeof(msg) - 2);
			msg[0] = (uint8_t)(len >> 8);
			msg[1] = (uint8_t)len;
			(void)send(fd, msg, 2 + len, MSG_NOSIGNAL);
		}
		close(fd);
	}
}

static bool begin_tcp_server(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		                  .sin_port = htons(53),
		                  .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t parent = getpid(), pid;

	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 128) < 0)
		return false;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			serve_tcp(fd);
		_exit(0);
	}
	close(fd);
	return pid > 0;
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(argv[1], modes[i].name) == 0)
			mode = &modes[i];
	if (!mode) {
		fprintf(stderr, "usage: test MODE\n");
		return 99;
	}
	if (!under_is_second_run()) {
		if (!alone_begin() || !begin_tcp_server()) {
			fprintf(stderr, "no namespaces of one's own here\n");
			return 77; /* meson's "skipped" */
		}
		setenv(mode->variable, mode->value, 1);
	}
	return under_main(argc, argv, UNDER_IPV4, make);
}
