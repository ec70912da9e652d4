/*
 * How it works: a tunnel has four sockets. The relay has the two in the middle; the test plays the
 * client's and the target's end, and epoll too: poll(2) with the relay's own masks, whose bits are
 * the same.
 */
#include "unit.h"

#include <address.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <relay.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PATIENCE_MS 20000
#define SMALL       1 /* the kernel takes its own least for it */
/*
 * A receiver's buffer of few segments, and segments that are small: with less, the kernel itself
 * would fall back on probing a window that is shut, and that takes seconds.
 */
#define SMALL_RECEIVER 16384
#define SMALL_SEGMENT  1024

enum kind { PAIRS, TCP };
enum means { COPY, SPLICE, NO_PIPE, MEANS };

struct tunnel {
	struct relay r;
	int fd[2];  /* the relay's, by side */
	int far[2]; /* the client and the target */
	uint8_t scratch[4096];
	size_t scratch_len;
	struct pipe_pool pipes;
	enum means means;
};

static enum relay_side other(enum relay_side side)
{
	return side == RELAY_CLIENT ? RELAY_TARGET : RELAY_CLIENT;
}

static void set(int fd, int level, int option, int value)
{
	ck_assert_int_eq(setsockopt(fd, level, option, &value, sizeof(value)), 0);
}

/* @buffer  of what the relay writes; 0: the kernel's own */
static void tcp_pair(int *near, int *far, int buffer)
{
	const struct endpoint any = unit_endpoint("127.0.0.1:0");
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	union address at;

	address_from_endpoint(&at, &any);
	ck_assert_int_eq(bind(listener, &at.sa, address_len(&at)), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	address_of_socket(&at, listener);
	*far = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (buffer > 0) {
		set(*far, SOL_SOCKET, SO_RCVBUF, SMALL_RECEIVER);
		set(*far, IPPROTO_TCP, TCP_MAXSEG, SMALL_SEGMENT);
	}
	ck_assert_int_eq(connect(*far, &at.sa, address_len(&at)), 0);
	*near = accept(listener, NULL, NULL);
	ck_assert_int_ge(*near, 0);
	if (buffer > 0)
		set(*near, SOL_SOCKET, SO_SNDBUF, buffer);
	close(listener);
}

static void tunnel_init(struct tunnel *t, enum kind kind, enum means means, int buffer,
                        size_t scratch_len)
{
	relay_init(&t->r);
	t->scratch_len = scratch_len;
	t->means = means;
	t->pipes = (struct pipe_pool){ .pass = means == NO_PIPE ? UINT_MAX : 0 };
	for (int side = 0; side < 2; side++) {
		int pair[2];

		if (kind == TCP) {
			tcp_pair(&t->fd[side], &t->far[side], buffer);
		} else {
			ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
			                 0);
			if (buffer > 0)
				set(pair[0], SOL_SOCKET, SO_SNDBUF, buffer);
			t->fd[side] = pair[0];
			t->far[side] = pair[1];
		}
		ck_assert_int_eq(fcntl(t->fd[side], F_SETFL, O_NONBLOCK), 0);
	}
}

static void tunnel_fini(struct tunnel *t)
{
	relay_fini(&t->r);
	/* Pipes come back whatever was in them, and one at a time was enough. */
	ck_assert_uint_eq(t->pipes.n_out, 0);
	ck_assert_uint_le(t->pipes.n_idle, 2);
	pipe_pool_trim(&t->pipes);
	for (int side = 0; side < 2; side++) {
		close(t->fd[side]);
		if (t->far[side] >= 0)
			close(t->far[side]);
	}
}

/* What the session's close of both passes on. */
static enum relay_res done(struct tunnel *t, enum relay_res res)
{
	for (int side = 0; side < 2 && res == RELAY_DONE; side++)
		(void)shutdown(t->fd[side], SHUT_WR);
	return res;
}

static enum relay_res serve(struct tunnel *t, enum relay_side side, uint32_t events)
{
	const struct relay_means means = { .scratch = t->scratch,
		                           .scratch_len = t->scratch_len,
		                           .pipes = t->means == COPY ? NULL : &t->pipes };

	return done(t, relay_serve(&t->r, &means, t->fd, side, events));
}

/* Wait for an event that the relay asks for, and serve it; or for input at @far, -1 for none. */
static enum relay_res step_or_input(struct tunnel *t, int far)
{
	enum relay_res res = RELAY_RUNS;
	struct pollfd p[3] = { [2] = { .fd = far, .events = POLLIN } };

	for (int side = 0; side < 2; side++) {
		uint32_t mask = relay_mask(&t->r, (enum relay_side)side);

		p[side] = (struct pollfd){ .fd = mask ? t->fd[side] : -1, .events = (short)mask };
	}
	ck_assert_int_gt(poll(p, 3, PATIENCE_MS), 0);
	for (int side = 0; side < 2 && res == RELAY_RUNS; side++)
		if (p[side].revents)
			res = serve(t, (enum relay_side)side, (uint32_t)p[side].revents);
	return res;
}

static enum relay_res step(struct tunnel *t)
{
	return step_or_input(t, -1);
}

static void say(struct tunnel *t, enum relay_side side, const void *buf, size_t len)
{
	ck_assert_int_eq((int)send(t->far[side], buf, len, MSG_NOSIGNAL), (int)len);
}

/* Let the relay run until that end has got exactly this. */
static void expect(struct tunnel *t, enum relay_side side, const char *want)
{
	size_t len = strlen(want), have = 0;
	char buf[256];

	while (have < len) {
		ssize_t n = recv(t->far[side], buf + have, len - have, MSG_DONTWAIT);

		if (n > 0) {
			have += (size_t)n;
			continue;
		}
		ck_assert(n < 0 && errno == EAGAIN);
		ck_assert_int_eq(step_or_input(t, t->far[side]), RELAY_RUNS);
	}
	ck_assert_mem_eq(buf, want, len);
}

static bool is_at_end(const struct tunnel *t, enum relay_side side)
{
	char c;

	return recv(t->far[side], &c, 1, MSG_DONTWAIT) == 0;
}

static bool is_quiet(const struct tunnel *t, enum relay_side side)
{
	char c;

	return recv(t->far[side], &c, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* The end of one side arrives at the other. */
static void expect_end(struct tunnel *t, enum relay_side side)
{
	struct pollfd p = { .fd = t->far[side], .events = POLLIN };

	while (t->r.way[other(side)].st != RELAY_WAY_OVER)
		step(t);
	ck_assert_int_eq(poll(&p, 1, PATIENCE_MS), 1);
	ck_assert(is_at_end(t, side));
}

/* The octet at a place of what a side says. */
static uint8_t octet_at(int side, size_t at)
{
	return (uint8_t)((at * 2654435761u) >> 13 ^ at ^ (unsigned)side << 7);
}

static const struct {
	enum kind kind;
	int buffer;
	size_t scratch;
	size_t len[2];
} flows[] = {
	{ PAIRS, 0, 4096, { 0, 0 } },
	{ PAIRS, 0, 4096, { 1, 0 } },
	{ PAIRS, 0, 1, { 700, 900 } },
	{ PAIRS, SMALL, 4096, { 300000, 0 } },
	{ PAIRS, SMALL, 4096, { 300000, 400000 } },
	{ PAIRS, SMALL, 37, { 20000, 100 } },
	{ TCP, 0, 4096, { 3000000, 1000000 } },
	{ TCP, SMALL, 4096, { 300000, 200000 } },
	{ TCP, SMALL, 4096, { 0, 300000 } },
	{ TCP, SMALL, 100, { 30000, 30000 } },
};

static size_t play_sender(int fd, int side, size_t at, size_t len, uint64_t *seed)
{
	uint8_t buf[9000];
	size_t n = 1 + unit_below(seed, sizeof(buf));
	ssize_t sent;

	n = n < len - at ? n : len - at;
	if (n == 0) {
		ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
		return at;
	}
	for (size_t i = 0; i < n; i++)
		buf[i] = octet_at(side, at + i);
	sent = send(fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	ck_assert(sent > 0 || (sent < 0 && errno == EAGAIN));
	at += sent > 0 ? (size_t)sent : 0;
	if (at == len)
		ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	return at;
}

/* Returns the new place; *@ended where the end came. */
static size_t play_receiver(int fd, int from, size_t at, uint64_t *seed, bool *ended)
{
	uint8_t buf[9000];
	ssize_t n = recv(fd, buf, 1 + unit_below(seed, sizeof(buf)), MSG_DONTWAIT);

	ck_assert(n >= 0 || errno == EAGAIN);
	*ended = n == 0;
	for (ssize_t i = 0; i < n; i++)
		if (buf[i] != octet_at(from, at + (size_t)i))
			ck_abort_msg("octet %zu is not what was sent", at + (size_t)i);
	return at + (n > 0 ? (size_t)n : 0);
}

/* Both ways at once, with stops at random, then both ends. */
START_TEST(every_octet_arrives_in_its_place)
{
	const int row = _i / MEANS;
	size_t sent[2] = { 0 }, got[2] = { 0 };
	bool shut[2] = { false }, ended[2] = { false };
	enum relay_res res = RELAY_RUNS;
	uint64_t seed = unit_seed();
	struct tunnel t;

	tunnel_init(&t, flows[row].kind, (enum means)(_i % MEANS), flows[row].buffer,
	            flows[row].scratch);
	while (!ended[0] || !ended[1]) {
		struct pollfd p[4];

		for (int s = 0; s < 2; s++) {
			uint32_t mask = relay_mask(&t.r, (enum relay_side)s);
			short far = (short)((shut[s] ? 0 : POLLOUT) | (ended[s] ? 0 : POLLIN));

			p[s] = (struct pollfd){ .fd = mask && res == RELAY_RUNS ? t.fd[s] : -1,
				                .events = (short)mask };
			p[2 + s] = (struct pollfd){ .fd = far ? t.far[s] : -1, .events = far };
		}
		ck_assert_int_gt(poll(p, 4, PATIENCE_MS), 0);
		for (int s = 0; s < 2; s++) {
			/* Now and then somebody is late. */
			if (p[s].revents && res == RELAY_RUNS && unit_below(&seed, 4) > 0)
				res = serve(&t, (enum relay_side)s, (uint32_t)p[s].revents);
			if (p[2 + s].revents & POLLOUT && !shut[s]) {
				sent[s] = play_sender(t.far[s], s, sent[s], flows[row].len[s],
				                      &seed);
				shut[s] = sent[s] == flows[row].len[s];
			}
			if (p[2 + s].revents & (POLLIN | POLLHUP) && !ended[s] &&
			    unit_below(&seed, 4) > 0)
				got[s] = play_receiver(t.far[s], 1 - s, got[s], &seed, &ended[s]);
		}
	}
	ck_assert_int_eq(res, RELAY_DONE);
	for (int s = 0; s < 2; s++) {
		ck_assert_uint_eq(got[s], flows[row].len[1 - s]);
		ck_assert_uint_eq(t.r.way[s].octets, flows[row].len[s]);
		ck_assert(!relay_holds(&t.r, (enum relay_side)s));
		ck_assert_uint_eq(relay_mask(&t.r, (enum relay_side)s), 0);
	}
	tunnel_fini(&t);
}
END_TEST

/* _i is kind and side. */
START_TEST(a_half_close_travels_and_the_other_way_lives_on)
{
	enum relay_side side = (enum relay_side)(_i % 2), far = other(side);
	struct tunnel t;

	tunnel_init(&t, (enum kind)(_i / 2), SPLICE, 0, 4096);
	say(&t, side, "last words", 10);
	shutdown(t.far[side], SHUT_WR);
	expect(&t, far, "last words");
	expect_end(&t, far);
	ck_assert_int_eq(t.r.way[far].st, RELAY_WAY_OPEN);
	/* Nothing is asked of the side that has ended, but whether it lives. */
	ck_assert_uint_eq(relay_mask(&t.r, side), EPOLLERR);
	for (int i = 0; i < 3; i++) {
		say(&t, far, "answer", 6);
		expect(&t, side, "answer");
	}
	shutdown(t.far[far], SHUT_WR);
	while (t.r.way[far].st != RELAY_WAY_OVER)
		ck_assert_int_ne(step(&t), RELAY_RESET);
	ck_assert(!t.r.reset[0] && !t.r.reset[1]);
	ck_assert_int_eq(relay_flush(&t.r, t.fd), RELAY_DONE);
	expect_end(&t, side);
	tunnel_fini(&t);
}
END_TEST

/* Say so much that the relay must hold some of it: in a pipe, where it splices. */
static size_t fill(struct tunnel *t, enum relay_side side)
{
	size_t said = 0, lump = t->means == SPLICE ? 20480 : 2048;
	uint8_t buf[20480];
	ssize_t n;

	if (t->means == SPLICE)
		t->r.way[side].full = RELAY_FULL_RUN;
	while (!relay_holds(&t->r, side)) {
		for (size_t i = 0; i < lump; i++)
			buf[i] = octet_at(side, said + i);
		n = send(t->far[side], buf, lump, MSG_DONTWAIT | MSG_NOSIGNAL);
		ck_assert(n > 0 || errno == EAGAIN);
		said += n > 0 ? (size_t)n : 0;
		if (said > (1u << 24))
			ck_abort_msg("16 MiB, and nothing held");
		ck_assert_int_eq(serve(t, side, EPOLLIN), RELAY_RUNS);
	}
	ck_assert((t->r.way[side].pipe != NULL) == (t->means == SPLICE));
	return said;
}

static size_t held_len(const struct tunnel *t, enum relay_side from)
{
	const struct relay_way *w = &t->r.way[from];

	return w->pipe ? w->pipe->len : w->held_len - w->held_pos;
}

/* The relay runs to its end, and that side reads until it has @len octets. */
static enum relay_res drain(struct tunnel *t, enum relay_side to, size_t len)
{
	struct pollfd input = { .fd = t->far[to], .events = POLLIN };
	enum relay_res res = RELAY_RUNS;
	uint64_t seed = 1;
	size_t got = 0;
	bool ended = false;

	while (got < len || res == RELAY_RUNS) {
		if (res == RELAY_RUNS)
			res = step_or_input(t, got < len ? input.fd : -1);
		else
			ck_assert_int_eq(poll(&input, 1, PATIENCE_MS), 1);
		if (got < len)
			got = play_receiver(input.fd, other(to), got, &seed, &ended);
		ck_assert(!ended);
	}
	ck_assert_uint_eq(got, len);
	return res;
}

START_TEST(the_end_waits_behind_what_is_held)
{
	enum relay_side side = (enum relay_side)(_i % 2), far = other(side);
	size_t said;
	struct tunnel t;

	tunnel_init(&t, (enum kind)(_i / 2 % 2), (enum means)(_i / 4), SMALL, 4096);
	said = fill(&t, side);
	shutdown(t.far[side], SHUT_WR);
	shutdown(t.far[far], SHUT_WR);
	/* The slow one is waited for, and the sender is not read. */
	ck_assert_uint_eq(relay_mask(&t.r, side) & EPOLLIN, 0);
	ck_assert_uint_eq(relay_mask(&t.r, far) & EPOLLOUT, EPOLLOUT);
	ck_assert_int_eq(drain(&t, far, said), RELAY_DONE);
	ck_assert_uint_eq(t.r.way[side].octets, said);
	expect_end(&t, far);
	tunnel_fini(&t);
}
END_TEST

static void reset(struct tunnel *t, enum relay_side side)
{
	static const struct linger now = { .l_onoff = 1, .l_linger = 0 };
	struct pollfd p = { .fd = t->fd[side] };

	ck_assert_int_eq(setsockopt(t->far[side], SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	close(t->far[side]);
	t->far[side] = -1;
	ck_assert_int_eq(poll(&p, 1, PATIENCE_MS), 1);
	ck_assert(p.revents & POLLERR);
}

/* What came before a reset is not lost to it, and no good end is told. */
START_TEST(a_reset_sender_has_all_it_said_passed_on)
{
	enum relay_side side = (enum relay_side)(_i % 2), far = other(side);
	size_t said;
	struct tunnel t;
	int there = 0;

	tunnel_init(&t, TCP, (enum means)(_i / 2), SMALL, 4096);
	said = fill(&t, side);
	for (int i = 0; i < 500; i++, said++) {
		uint8_t octet = octet_at(side, said);

		say(&t, side, &octet, 1);
	}
	/* TCP keeps no promise for what is still under way. */
	while ((size_t)there + t.r.way[side].octets + held_len(&t, side) < said)
		ck_assert_int_eq(ioctl(t.fd[side], FIONREAD, &there), 0);
	reset(&t, side);
	ck_assert_int_eq(serve(&t, side, EPOLLERR | EPOLLHUP | EPOLLIN), RELAY_RUNS);
	/* No event of the dead side could help before the other side has room. */
	ck_assert_uint_eq(relay_mask(&t.r, side), 0);
	ck_assert_uint_eq(relay_mask(&t.r, far) & EPOLLOUT, EPOLLOUT);
	ck_assert_int_eq(drain(&t, far, said), RELAY_RESET);
	ck_assert(t.r.reset[side] && !t.r.reset[far]);
	ck_assert(is_quiet(&t, far));
	tunnel_fini(&t);
}
END_TEST

START_TEST(a_reset_receiver_ends_it_and_frees_what_is_held)
{
	enum relay_side side = (enum relay_side)(_i % 2), far = other(side);
	enum relay_res res = RELAY_RUNS;
	struct tunnel t;

	tunnel_init(&t, TCP, (enum means)(_i / 2), SMALL, 4096);
	fill(&t, side);
	reset(&t, far);
	while (res == RELAY_RUNS)
		res = step(&t);
	ck_assert_int_eq(res, RELAY_RESET);
	ck_assert(t.r.reset[far] && !t.r.reset[side]);
	ck_assert(!relay_holds(&t.r, side));
	ck_assert(is_quiet(&t, side));
	tunnel_fini(&t);
}
END_TEST

START_TEST(a_reset_of_an_idle_side_is_a_reset)
{
	enum relay_side side = (enum relay_side)_i, far = other(side);
	struct tunnel t;

	tunnel_init(&t, TCP, SPLICE, 0, 4096);
	reset(&t, side);
	ck_assert_int_eq(step(&t), RELAY_RESET);
	ck_assert(t.r.reset[side] && !t.r.reset[far]);
	ck_assert(is_quiet(&t, far));
	tunnel_fini(&t);
}
END_TEST

/* Also one that had said its last word, and waits for the answer. */
START_TEST(a_reset_after_a_half_close_is_a_reset)
{
	enum relay_side side = (enum relay_side)_i, far = other(side);
	struct tunnel t;

	tunnel_init(&t, TCP, SPLICE, 0, 4096);
	shutdown(t.far[side], SHUT_WR);
	expect_end(&t, far);
	say(&t, far, "answer", 6);
	expect(&t, side, "answer");
	/* Octets that it has not read make a reset of its close. */
	say(&t, far, "more", 4);
	while (t.r.way[far].octets < 10)
		ck_assert_int_eq(step(&t), RELAY_RUNS);
	reset(&t, side);
	ck_assert_int_eq(step(&t), RELAY_RESET);
	ck_assert(t.r.reset[side] && !t.r.reset[far]);
	tunnel_fini(&t);
}
END_TEST

START_TEST(early_data_goes_first)
{
	enum relay_side side = (enum relay_side)(_i % 2), far = other(side);
	struct tunnel t;

	tunnel_init(&t, (enum kind)(_i / 2), SPLICE, 0, 4096);
	ck_assert_int_eq(relay_hold(&t.r, side, "", 0), 0);
	ck_assert(!relay_holds(&t.r, side));
	ck_assert_uint_eq(relay_mask(&t.r, side), EPOLLIN);
	ck_assert_int_eq(relay_hold(&t.r, side, "early ", 6), 0);
	ck_assert_int_eq(relay_hold(&t.r, side, "data ", 5), 0);
	ck_assert_int_eq(relay_hold(&t.r, far, "reply ", 6), 0);
	say(&t, side, "and more", 8);
	ck_assert_uint_eq(relay_mask(&t.r, side), EPOLLOUT);
	ck_assert_int_eq(relay_flush(&t.r, t.fd), RELAY_RUNS);
	ck_assert_uint_eq(relay_mask(&t.r, side), EPOLLIN);
	ck_assert(!relay_holds(&t.r, side));
	expect(&t, far, "early data and more");
	expect(&t, side, "reply ");
	ck_assert_uint_eq(t.r.way[side].octets, 19);
	tunnel_fini(&t);
}
END_TEST

START_TEST(early_data_may_be_more_than_fits)
{
	size_t len = 1u << 20;
	uint8_t *early = malloc(len);
	struct tunnel t;

	tunnel_init(&t, (enum kind)_i, SPLICE, SMALL, 4096);
	for (size_t i = 0; i < len; i++)
		early[i] = octet_at(RELAY_CLIENT, i);
	ck_assert_int_eq(relay_hold(&t.r, RELAY_CLIENT, early, len), 0);
	free(early);
	shutdown(t.far[RELAY_CLIENT], SHUT_WR);
	shutdown(t.far[RELAY_TARGET], SHUT_WR);
	ck_assert_int_eq(relay_flush(&t.r, t.fd), RELAY_RUNS);
	ck_assert_ptr_nonnull(t.r.way[RELAY_CLIENT].held);
	ck_assert_int_eq(drain(&t, RELAY_TARGET, len), RELAY_DONE);
	tunnel_fini(&t);
}
END_TEST

/* It is not read to its end while others wait. */
START_TEST(who_talks_without_end_is_left_for_a_while)
{
	char much[4096];
	struct tunnel t;

	memset(much, 'x', sizeof(much));
	tunnel_init(&t, (enum kind)_i, COPY, 0, 64);
	say(&t, RELAY_CLIENT, much, sizeof(much));
	ck_assert_int_eq(step(&t), RELAY_RUNS);
	ck_assert_uint_gt(t.r.way[RELAY_CLIENT].octets, 0);
	ck_assert_uint_lt(t.r.way[RELAY_CLIENT].octets, sizeof(much));
	ck_assert_uint_eq(relay_mask(&t.r, RELAY_CLIENT), EPOLLIN);
	while (t.r.way[RELAY_CLIENT].octets < sizeof(much))
		ck_assert_int_eq(step(&t), RELAY_RUNS);
	tunnel_fini(&t);
}
END_TEST

static void say_much(struct tunnel *t, enum relay_side side, size_t at, size_t len)
{
	uint8_t *much = malloc(len);

	for (size_t i = 0; i < len; i++)
		much[i] = octet_at(side, at + i);
	say(t, side, much, len);
	free(much);
}

static void hear(struct tunnel *t, enum relay_side side, size_t at, size_t to)
{
	struct pollfd input = { .fd = t->far[side], .events = POLLIN };
	uint64_t seed = 2;
	bool ended;

	while (at < to) {
		if (poll(&input, 1, 0) == 0)
			ck_assert_int_eq(step_or_input(t, input.fd), RELAY_RUNS);
		else
			at = play_receiver(input.fd, other(side), at, &seed, &ended);
	}
	ck_assert_uint_eq(at, to);
}

/* No pipe is made for little, and none is kept while nothing is in it. */
START_TEST(who_talks_much_is_spliced_until_it_is_dry)
{
	enum relay_side side = (enum relay_side)_i, far = other(side);
	struct relay_way *w;
	struct tunnel t;
	size_t at = 0;

	tunnel_init(&t, TCP, SPLICE, 0, 4096);
	w = &t.r.way[side];
	for (; at < 20 * 4000; at += 4000) {
		say_much(&t, side, at, 4000);
		hear(&t, far, at, at + 4000);
	}
	ck_assert_uint_eq(t.pipes.n_idle, 0);
	ck_assert_uint_eq(w->full, 0);
	say_much(&t, side, at, 65536);
	hear(&t, far, at, at + 65536);
	ck_assert_uint_eq(w->full, RELAY_FULL_RUN);
	at += 65536;
	say_much(&t, side, at, 20000);
	hear(&t, far, at, at + 20000);
	at += 20000;
	ck_assert_uint_eq(t.pipes.n_idle, 1);
	ck_assert_uint_eq(t.pipes.n_out, 0);
	/* The other way is not concerned. */
	ck_assert_uint_eq(t.r.way[far].full, 0);
	say_much(&t, side, at, 10);
	hear(&t, far, at, at + 10);
	ck_assert_uint_eq(w->full, 0);
	ck_assert_uint_eq(w->octets, at + 10);
	tunnel_fini(&t);
}
END_TEST

/* It runs dry while octets are in the pipe. */
START_TEST(what_waits_in_a_pipe_goes_before_what_is_copied)
{
	enum relay_side side = (enum relay_side)_i, far = other(side);
	size_t said, later;
	struct tunnel t;

	tunnel_init(&t, TCP, SPLICE, SMALL, 4096);
	said = fill(&t, side);
	t.r.way[side].full = 0;
	for (later = said; later < said + 3000; later += 100) {
		say_much(&t, side, later, 100);
		ck_assert_int_eq(serve(&t, side, EPOLLIN), RELAY_RUNS);
	}
	ck_assert_ptr_nonnull(t.r.way[side].pipe);
	hear(&t, far, 0, later);
	ck_assert(!relay_holds(&t.r, side));
	tunnel_fini(&t);
}
END_TEST

/* What is no pipe stands for a kernel that doesn't want to. */
START_TEST(where_splice_is_refused_it_is_not_tried_again)
{
	enum relay_side side = (enum relay_side)_i, far = other(side);
	struct pipe *fake = malloc(sizeof(*fake));
	struct tunnel t;

	tunnel_init(&t, TCP, SPLICE, 0, 4096);
	*fake = (struct pipe){
		.in = dup(t.fd[0]), .out = dup(t.fd[0]), .size = PIPE_LEAST, .pool = &t.pipes
	};
	t.pipes.idle = fake;
	t.pipes.n_idle = 1;
	t.r.way[side].full = RELAY_FULL_RUN;
	for (size_t at = 0; at < 60000; at += 20000) {
		say_much(&t, side, at, 20000);
		hear(&t, far, at, at + 20000);
		ck_assert_uint_eq(t.r.way[side].full, RELAY_NO_SPLICE);
	}
	tunnel_fini(&t);
}
END_TEST

/* splice(2) never steps over one: it would be asked again and again. */
START_TEST(urgent_octets_stop_nothing)
{
	enum relay_side side = (enum relay_side)_i, far = other(side);
	struct tunnel t;

	tunnel_init(&t, TCP, SPLICE, 0, 4096);
	t.r.way[side].full = RELAY_FULL_RUN;
	say(&t, side, "before", 6);
	ck_assert_int_eq((int)send(t.far[side], "!", 1, MSG_OOB), 1);
	say(&t, side, "behind", 6);
	expect(&t, far, "beforebehind");
	tunnel_fini(&t);
}
END_TEST

static const struct {
	enum relay_way_state from, towards;
	bool from_held, towards_held, hung;
	uint32_t mask;
} masks[] = {
	{ RELAY_WAY_OPEN, RELAY_WAY_OPEN, false, false, false, EPOLLIN },
	{ RELAY_WAY_OPEN, RELAY_WAY_OPEN, true, false, false, EPOLLERR },
	{ RELAY_WAY_OPEN, RELAY_WAY_OPEN, false, true, false, EPOLLIN | EPOLLOUT },
	{ RELAY_WAY_OPEN, RELAY_WAY_OPEN, true, true, false, EPOLLOUT },
	{ RELAY_WAY_OPEN, RELAY_WAY_OVER, false, false, false, EPOLLIN },
	{ RELAY_WAY_OPEN, RELAY_WAY_OVER, true, false, false, EPOLLERR },
	{ RELAY_WAY_OPEN, RELAY_WAY_ENDED, false, true, false, EPOLLIN | EPOLLOUT },
	{ RELAY_WAY_ENDED, RELAY_WAY_OPEN, true, false, false, EPOLLERR },
	{ RELAY_WAY_ENDED, RELAY_WAY_OPEN, true, true, false, EPOLLOUT },
	{ RELAY_WAY_ENDED, RELAY_WAY_ENDED, true, true, false, EPOLLOUT },
	{ RELAY_WAY_ENDED, RELAY_WAY_OVER, true, false, false, 0 },
	{ RELAY_WAY_OVER, RELAY_WAY_OPEN, false, false, false, EPOLLERR },
	{ RELAY_WAY_OVER, RELAY_WAY_OPEN, false, true, false, EPOLLOUT },
	{ RELAY_WAY_OVER, RELAY_WAY_OVER, false, false, false, 0 },
	/* a side that is dead is asked nothing but what can still be read */
	{ RELAY_WAY_OPEN, RELAY_WAY_OVER, true, false, true, 0 },
	{ RELAY_WAY_OPEN, RELAY_WAY_OPEN, true, true, true, 0 },
	{ RELAY_WAY_OPEN, RELAY_WAY_OVER, false, false, true, EPOLLIN },
	{ RELAY_WAY_ENDED, RELAY_WAY_OVER, true, false, true, 0 },
};

START_TEST(the_mask_is_what_the_state_says)
{
	for (int s = 0; s < 2; s++) {
		enum relay_side side = (enum relay_side)s;
		struct relay r;

		relay_init(&r);
		if (masks[_i].from_held)
			ck_assert_int_eq(relay_hold(&r, side, "x", 1), 0);
		if (masks[_i].towards_held)
			ck_assert_int_eq(relay_hold(&r, other(side), "x", 1), 0);
		r.way[side].st = masks[_i].from;
		r.way[other(side)].st = masks[_i].towards;
		r.hung[side] = masks[_i].hung;
		ck_assert_uint_eq(relay_mask(&r, side), masks[_i].mask);
		relay_fini(&r);
	}
}
END_TEST

UNIT_MAIN("server relay", { every_octet_arrives_in_its_place, MEANS *ROWS(flows) },
          { a_half_close_travels_and_the_other_way_lives_on, 4 },
          { the_end_waits_behind_what_is_held, 4 * MEANS },
          { a_reset_sender_has_all_it_said_passed_on, 2 * MEANS },
          { a_reset_receiver_ends_it_and_frees_what_is_held, 2 * MEANS },
          { who_talks_much_is_spliced_until_it_is_dry, 2 },
          { what_waits_in_a_pipe_goes_before_what_is_copied, 2 },
          { where_splice_is_refused_it_is_not_tried_again, 2 }, { urgent_octets_stop_nothing, 2 },
          { a_reset_of_an_idle_side_is_a_reset, 2 }, { a_reset_after_a_half_close_is_a_reset, 2 },
          { early_data_goes_first, 4 }, { early_data_may_be_more_than_fits, 2 },
          { who_talks_without_end_is_left_for_a_while, 2 },
          { the_mask_is_what_the_state_says, ROWS(masks) })
