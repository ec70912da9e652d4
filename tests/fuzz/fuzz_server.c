/*
 * Any octets as what a client sends. The first octet says what the server demands and answers, the
 * second where the client's octets are cut; how they are cut changes nothing.
 */
#include <errno.h>
#include <fuzz.h>
#include <socks/server.h>

struct outcome {
	enum server_event last;
	size_t used; /* where it came to a request */
	int requests, credentials;
	struct server_request request;
	size_t out_len;
	uint8_t out[2048];
};

static void drain(struct socks_server *s, size_t chunk, struct outcome *o)
{
	const uint8_t *out;
	size_t n;

	while (out = server_out(s, &n), n > 0) {
		n = n < chunk ? n : chunk;
		REQUIRE(n <= sizeof(o->out) - o->out_len);
		memcpy(o->out + o->out_len, out, n);
		o->out_len += n;
		server_sent(s, n);
	}
}

static void answer(struct socks_server *s, uint8_t how, struct outcome *o)
{
	static const uint8_t ip[16] = { [0] = 0x20, [15] = 1 };
	const struct server_request *rq = server_request(s);
	struct endpoint bnd;

	o->requests++;
	o->request = *rq;
	REQUIRE(rq->version == 4 || rq->version == 5);
	REQUIRE(rq->dst.kind != ENDPOINT_NONE);
	REQUIRE(rq->dst.port != 0 || rq->cmd != SOCKS5_CONNECT);
	if (rq->dst.kind == ENDPOINT_NAME)
		REQUIRE(endpoint_name_is_valid(rq->dst.name, rq->dst.name_len));
	if (how >> 2 & 1)
		endpoint_set_name(&bnd, "host.example.org", 16, 0);
	else
		endpoint_set_ipv6(&bnd, ip, 1080);
	server_answer(s, how >> 3 & 1 ? -ECONNREFUSED : 0, &bnd);
	if (how >> 4 & 1)
		server_answer(s, how >> 5 & 1 ? -ETIMEDOUT : 0, &bnd);
}

static void run(uint8_t how, size_t chunk, const uint8_t *data, size_t size, struct outcome *o)
{
	static const uint8_t methods[] = { SOCKS5_METHOD_NONE, SOCKS5_METHOD_USERPASS };
	struct socks_server s;
	size_t at = 0;

	memset(o, 0, sizeof(*o));
	server_init(&s);
	do {
		size_t n = size - at < chunk ? size - at : chunk, used = SIZE_MAX;

		o->last = server_feed(&s, data + at, n, &used);
		REQUIRE(used <= n);
		at += used;
		switch (o->last) {
		case SERVER_METHOD:
			REQUIRE(server_offers(&s, methods[how & 1]) ||
			        server_choose(&s, methods[how & 1]) == SERVER_CLOSE);
			o->last = server_choose(&s, methods[how & 1]);
			break;
		case SERVER_CREDENTIALS:
			REQUIRE(server_userpass(&s)->user_len > 0);
			REQUIRE(server_userpass(&s)->password_len > 0);
			o->credentials++;
			o->last = server_accept(&s, how >> 1 & 1);
			break;
		case SERVER_REQUEST:
			o->used = at;
			answer(&s, how, o);
			break;
		case SERVER_MORE:
			REQUIRE(used == n);
			break;
		case SERVER_CLOSE:
			break;
		}
		drain(&s, chunk, o);
	} while (o->last != SERVER_REQUEST && o->last != SERVER_CLOSE && at < size);
	/* Wrong credentials are the end of it. */
	REQUIRE(o->credentials == 0 || how >> 1 & 1 || o->last == SERVER_CLOSE);
	/* It took no more than belonged to it, and takes no more now. */
	if (o->requests) {
		size_t used = SIZE_MAX;
		enum server_event ev = server_feed(&s, data, size, &used);

		REQUIRE(used == 0 && (ev == SERVER_MORE || ev == SERVER_CLOSE));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct outcome whole, cut;

	if (size < 2)
		return 0;
	run(data[0], SIZE_MAX, data + 2, size - 2, &whole);
	run(data[0], data[1] % 16 + 1u, data + 2, size - 2, &cut);
	REQUIRE(whole.last == cut.last && whole.used == cut.used && whole.requests == cut.requests);
	REQUIRE(whole.out_len == cut.out_len && memcmp(whole.out, cut.out, cut.out_len) == 0);
	if (whole.requests) {
		const struct server_request *a = &whole.request, *b = &cut.request;

		REQUIRE(a->version == b->version && a->cmd == b->cmd &&
		        endpoint_equal(&a->dst, &b->dst));
		REQUIRE(a->user_len == b->user_len && memcmp(a->user, b->user, a->user_len) == 0);
	}
	return 0;
}
