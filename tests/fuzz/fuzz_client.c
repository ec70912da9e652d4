/*
 * Any octets as what a proxy answers. The first octet says what is asked, the second where the
 * answers are cut; how they are cut changes nothing.
 */
#include <errno.h>
#include <fuzz.h>
#include <socks/client.h>

struct outcome {
	int result, code;
	enum client_stage stage;
	struct endpoint bound;
	size_t taken, sent;
};

static void start(struct socks_client *c, uint8_t what)
{
	static const uint8_t ip[16] = { 192, 0, 2, 1 };
	static const uint8_t cmds[] = { SOCKS5_CONNECT, SOCKS5_BIND, SOCKS5_RESOLVE,
		                        SOCKS5_RESOLVE_PTR };
	struct endpoint dst;
	struct client_params params = { .protocol = (enum socks_protocol)((what & 3) % 3),
		                        .cmd = cmds[what >> 2 & 3],
		                        .dst = &dst,
		                        .glue = what >> 4 & 1 };

	if (what >> 5 & 1) {
		params.user = "joe";
		params.user_len = 3;
		params.password = "secret";
		params.password_len = params.protocol == SOCKS_V5 ? 6 : 0;
	}
	if (what >> 6 & 1 && params.protocol != SOCKS_V4)
		endpoint_set_name(&dst, "example.org", 11, 80);
	else
		endpoint_set_ipv4(&dst, ip, 80);
	REQUIRE(client_init(c, &params) == 0);
}

static void run(uint8_t what, size_t chunk, const uint8_t *data, size_t size, struct outcome *o)
{
	struct socks_client c;
	bool second = false;
	size_t n;

	memset(o, 0, sizeof(*o));
	start(&c, what);
	for (;;) {
		enum client_want want = client_want(&c, &n);

		REQUIRE((client_result(&c) == -EINPROGRESS) ==
		        (want == CLIENT_SEND || want == CLIENT_RECV));
		if (want == CLIENT_SEND) {
			REQUIRE(n > 0);
			n = n < chunk ? n : chunk;
			client_sent(&c, n);
			o->sent += n;
		} else if (want == CLIENT_RECV) {
			size_t left = size - o->taken;

			REQUIRE(n > 0 && n <= SOCKS5_REPLY_MAX);
			n = n < left ? n : left;
			n = n < chunk ? n : chunk;
			client_feed(&c, data + o->taken, n);
			o->taken += n;
		} else if (want == CLIENT_DONE && !second) {
			REQUIRE(client_result(&c) == 0);
			second = true;
			client_next_reply(&c);
		} else {
			break;
		}
	}
	o->result = client_result(&c);
	o->code = client_code(&c);
	o->stage = client_where(&c);
	o->bound = *client_bound(&c);
	REQUIRE(o->result <= 0);
	REQUIRE((o->result == 0) == (o->stage == CLIENT_STAGE_OVER));
	REQUIRE((o->result == 0) == (*client_why(&c) == '\0'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole, cut;

	if (size < 2)
		return 0;
	run(data[0], SIZE_MAX, data + 2, size - 2, &whole);
	run(data[0], data[1] % 16 + 1u, data + 2, size - 2, &cut);
	REQUIRE(whole.result == cut.result && whole.code == cut.code && whole.stage == cut.stage);
	REQUIRE(whole.taken == cut.taken && whole.sent == cut.sent);
	REQUIRE(endpoint_equal(&whole.bound, &cut.bound));
	return 0;
}
