/*
 * The client's machine and the server's talk to each other over memory. Everything that can vary
 * does: protocol, command, destination, credentials, glue, what the server says, and where each
 * write is cut.
 */
#include <errno.h>
#include <socks/client.h>
#include <socks/server.h>
#include <unit.h>

#define TALKS 20000

struct wire {
	uint8_t buf[4096];
	size_t len, pos;
};

static size_t left(const struct wire *w)
{
	return w->len - w->pos;
}

static void append(struct wire *w, const uint8_t *from, size_t n)
{
	ck_assert_uint_le(n, sizeof(w->buf) - w->len);
	memcpy(w->buf + w->len, from, n);
	w->len += n;
}

/* One conversation's dice, and what comes of it. */
struct talk {
	uint64_t dice;
	enum socks_protocol protocol;
	uint8_t cmd;
	struct endpoint dst, bnd[2];
	char user[255], password[255];
	size_t user_len, password_len;
	bool glue, demand, accept;
	int answer[2]; /* errnos for the first and BIND's second reply */

	struct socks_client client;
	struct socks_server server;
	struct wire to_server, to_client;
	int requests, answered;
	bool server_closed;
};

static size_t roll(struct talk *t, size_t n)
{
	return unit_below(&t->dice, n);
}

static void random_octets(struct talk *t, char *buf, size_t n, uint8_t least)
{
	for (size_t i = 0; i < n; i++)
		buf[i] = (char)(least + roll(t, 256u - least));
}

static void random_endpoint(struct talk *t, struct endpoint *ep, bool names)
{
	uint8_t ip[16];
	char name[64];
	size_t n = 1 + roll(t, 63);
	uint16_t port = (uint16_t)(1 + roll(t, 65535));

	random_octets(t, (char *)ip, sizeof(ip), 1);
	for (size_t i = 0; i < n; i++)
		name[i] = (char)('a' + roll(t, 26));
	switch (roll(t, names ? 3 : 2)) {
	case 0:
		endpoint_set_ipv4(ep, ip, port);
		break;
	case 1:
		endpoint_set_ipv6(ep, ip, port);
		break;
	default:
		endpoint_set_name(ep, name, n, port);
	}
}

static void make_talk(struct talk *t)
{
	static const uint8_t cmds[] = { SOCKS5_CONNECT, SOCKS5_BIND, SOCKS5_RESOLVE,
		                        SOCKS5_RESOLVE_PTR, SOCKS5_UDP_ASSOCIATE };
	static const int errs[] = {
		0, 0, 0, -ECONNREFUSED, -ENETUNREACH, -EHOSTUNREACH, -EACCES, -ETIMEDOUT
	};

	t->protocol = (enum socks_protocol)roll(t, 3);
	t->cmd = cmds[roll(t, t->protocol == SOCKS_V5 ? 5 : 4)];
	do {
		random_endpoint(t, &t->dst,
		                t->protocol != SOCKS_V4 && t->cmd != SOCKS5_RESOLVE_PTR);
	} while (t->protocol != SOCKS_V5 && t->dst.kind == ENDPOINT_IPV6);
	for (int i = 0; i < 2; i++) {
		random_endpoint(t, &t->bnd[i], false);
		t->answer[i] = errs[roll(t, sizeof(errs) / sizeof(errs[0]))];
	}
	t->user_len = roll(t, 3) ? 1 + roll(t, 255) : 0;
	t->password_len = t->user_len && t->protocol == SOCKS_V5 ? 1 + roll(t, 255) : 0;
	random_octets(t, t->user, t->user_len, t->protocol != SOCKS_V5);
	random_octets(t, t->password, t->password_len, 0);
	t->glue = roll(t, 2);
	t->demand = roll(t, 2);
	t->accept = roll(t, 4) != 0;
}

static void check_request(struct talk *t)
{
	const struct server_request *rq = server_request(&t->server);

	t->requests++;
	ck_assert_uint_eq(rq->version, t->protocol == SOCKS_V5 ? 5 : 4);
	ck_assert_uint_eq(rq->cmd, t->cmd);
	ck_assert_endpoint_eq(&rq->dst, &t->dst);
	if (t->protocol != SOCKS_V5) {
		ck_assert_uint_eq(rq->user_len, t->user_len);
		ck_assert_mem_eq(rq->user, t->user, t->user_len);
	}
}

static enum server_event handle(struct talk *t, enum server_event ev)
{
	const struct socks5_userpass *up;
	uint8_t want = t->demand ? SOCKS5_METHOD_USERPASS : SOCKS5_METHOD_NONE;

	switch (ev) {
	case SERVER_METHOD:
		return server_choose(&t->server, want);
	case SERVER_CREDENTIALS:
		up = server_userpass(&t->server);
		ck_assert_uint_eq(up->user_len, t->user_len);
		ck_assert_mem_eq(up->user, t->user, t->user_len);
		ck_assert_uint_eq(up->password_len, t->password_len);
		ck_assert_mem_eq(up->password, t->password, t->password_len);
		return server_accept(&t->server, t->accept);
	case SERVER_REQUEST:
		check_request(t);
		server_answer(&t->server, t->answer[0], &t->bnd[0]);
		t->answered = 1;
		break;
	case SERVER_MORE:
	case SERVER_CLOSE:
		break;
	}
	return ev;
}

/* Some of what waits goes one way or the other. False: nothing can move any more. */
static bool step_client(struct talk *t)
{
	const uint8_t *out;
	size_t n, want;

	switch (client_want(&t->client, &want)) {
	case CLIENT_SEND:
		out = client_out(&t->client, &n);
		ck_assert_uint_eq(n, want);
		n = 1 + roll(t, n);
		append(&t->to_server, out, n);
		client_sent(&t->client, n);
		return true;
	case CLIENT_RECV:
		n = left(&t->to_client);
		if (n == 0 && t->server_closed)
			client_feed(&t->client, NULL, 0);
		if (n == 0)
			return t->server_closed;
		n = 1 + roll(t, n < want ? n : want);
		client_feed(&t->client, t->to_client.buf + t->to_client.pos, n);
		t->to_client.pos += n;
		return true;
	case CLIENT_DONE:
		if (t->cmd != SOCKS5_BIND || t->answered != 1 || client_result(&t->client) != 0)
			return false;
		client_next_reply(&t->client);
		server_answer(&t->server, t->answer[1], &t->bnd[1]);
		t->answered = 2;
		return true;
	case CLIENT_FAILED:
		break;
	}
	return false;
}

static bool step_server(struct talk *t)
{
	enum server_event ev;
	const uint8_t *out;
	size_t n, used;

	out = server_out(&t->server, &n);
	if (n > 0 && roll(t, 2)) {
		n = 1 + roll(t, n);
		append(&t->to_client, out, n);
		server_sent(&t->server, n);
		return true;
	}
	if (t->answered || t->server_closed || left(&t->to_server) == 0)
		return n > 0;
	n = 1 + roll(t, left(&t->to_server));
	ev = server_feed(&t->server, t->to_server.buf + t->to_server.pos, n, &used);
	t->to_server.pos += used;
	if (handle(t, ev) == SERVER_CLOSE) {
		out = server_out(&t->server, &n);
		append(&t->to_client, out, n);
		server_sent(&t->server, n);
		t->server_closed = true;
	}
	return true;
}

static int expected(const struct talk *t)
{
	bool v5 = t->protocol == SOCKS_V5;
	int last = t->answer[0] == 0 && t->cmd == SOCKS5_BIND ? t->answer[1] : t->answer[0];
	/* Glued credentials leave the proxy no choice, see client.h. */
	bool offers_none = !(t->glue && t->user_len > 0);

	if (v5 && t->demand && (t->user_len == 0 || !t->accept))
		return -EACCES;
	if (v5 && !t->demand && !offers_none)
		return -EACCES;
	if (!v5 && last < 0)
		return -ECONNREFUSED;
	return last;
}

static void check_end(struct talk *t)
{
	int want = expected(t);
	const struct endpoint *bnd = client_bound(&t->client);
	const struct endpoint *sent = &t->bnd[t->cmd == SOCKS5_BIND];

	ck_assert_int_eq(client_result(&t->client), want);
	ck_assert_uint_eq(left(&t->to_client), 0);
	ck_assert_int_le(t->requests, 1);
	/* PROTOCOL 72: what is glued to wrong credentials is never executed. */
	if (t->protocol == SOCKS_V5 && t->demand && !t->accept)
		ck_assert_int_eq(t->requests, 0);
	if (want == 0 && (t->protocol == SOCKS_V5 || sent->kind == ENDPOINT_IPV4))
		ck_assert_endpoint_eq(bnd, sent);
	if (want == 0)
		ck_assert_uint_eq(left(&t->to_server), 0);
}

START_TEST(machines_understand_each_other)
{
	static struct talk t;
	uint64_t seed = unit_seed();

	for (int i = 0; i < TALKS; i++) {
		struct client_params params;
		bool moved = true;

		memset(&t, 0, sizeof(t));
		t.dice = unit_random(&seed);
		make_talk(&t);
		params = (struct client_params){ .protocol = t.protocol,
			                         .cmd = t.cmd,
			                         .dst = &t.dst,
			                         .user = t.user,
			                         .user_len = t.user_len,
			                         .password = t.password,
			                         .password_len = t.password_len,
			                         .glue = t.glue };
		ck_assert_int_eq(client_init(&t.client, &params), 0);
		server_init(&t.server);
		while (moved) {
			moved = roll(&t, 2) ? step_client(&t) : step_server(&t);
			if (!moved)
				moved = step_client(&t) || step_server(&t);
		}
		check_end(&t);
	}
}
END_TEST

/* An octet at a time each way, without dice: PROTOCOL 41. */
START_TEST(what_follows_the_request_is_left_alone)
{
	static const uint8_t in[] = "\x05\x01\x00\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50"
				    "GET / HTTP/1.0\r\n\r\n";
	struct socks_server s;
	size_t at = 0, used;

	server_init(&s);
	for (;;) {
		enum server_event ev = server_feed(&s, in + at, 1, &used);

		at += used;
		if (ev == SERVER_METHOD)
			server_choose(&s, SOCKS5_METHOD_NONE);
		if (ev == SERVER_REQUEST)
			break;
	}
	ck_assert_uint_eq(at, 13);
	server_answer(&s, 0, NULL);
	ck_assert_int_eq(server_feed(&s, in + at, sizeof(in) - at, &used), SERVER_MORE);
	ck_assert_uint_eq(used, 0);
}
END_TEST

UNIT_MAIN("machines", { machines_understand_each_other, 0 },
          { what_follows_the_request_is_left_alone, 0 })
