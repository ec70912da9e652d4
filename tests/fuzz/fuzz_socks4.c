/* Any octets as each message of SOCKS4: what is read can be written and read again, the same. */
#include <fuzz.h>
#include <socks/socks4.h>

static bool same_request(const struct socks4_request *a, const struct socks4_request *b)
{
	return a->cmd == b->cmd && a->user_len == b->user_len &&
	       memcmp(a->user, b->user, a->user_len + 1u) == 0 && endpoint_equal(&a->dst, &b->dst);
}

static void fuzz_request(const uint8_t *data, size_t size)
{
	uint8_t buf[SOCKS4_REQUEST_MAX], longer[2 * SOCKS4_REQUEST_MAX] = { 0 };
	struct socks4_request rq, back;
	struct writer w;
	size_t used = 0, again = 0;

	switch (socks4_get_request(data, size, &rq, &used)) {
	case WIRE_OK:
		REQUIRE(used > 0 && used <= size && used <= SOCKS4_REQUEST_MAX);
		REQUIRE(socks4_get_request(data, used - 1, &back, &again) == WIRE_SHORT);
		writer_init(&w, buf, sizeof(buf));
		socks4_put_request(&w, &rq);
		REQUIRE(!w.over && w.pos == used);
		REQUIRE(socks4_get_request(buf, w.pos, &back, &again) == WIRE_OK);
		REQUIRE(again == used && same_request(&rq, &back));
		break;
	case WIRE_SHORT:
		REQUIRE(used > size && used <= SOCKS4_REQUEST_MAX);
		break;
	case WIRE_BAD:
		/* Nothing that follows can make it good. */
		REQUIRE(size > 0);
		size = size < SOCKS4_REQUEST_MAX ? size : SOCKS4_REQUEST_MAX;
		memcpy(longer, data, size);
		REQUIRE(socks4_get_request(longer, sizeof(longer), &rq, &used) == WIRE_BAD);
		break;
	}
}

static void fuzz_reply(const uint8_t *data, size_t size)
{
	struct socks4_reply rp, back;
	uint8_t buf[SOCKS4_REPLY_LEN];
	struct writer w;
	size_t used = 0;

	switch (socks4_get_reply(data, size, &rp, &used)) {
	case WIRE_OK:
		REQUIRE(used == SOCKS4_REPLY_LEN && size >= used);
		writer_init(&w, buf, sizeof(buf));
		socks4_put_reply(&w, &rp);
		REQUIRE(!w.over && w.pos == used);
		REQUIRE(memcmp(buf + 1, data + 1, used - 1) == 0);
		REQUIRE(socks4_get_reply(buf, w.pos, &back, &used) == WIRE_OK);
		REQUIRE(back.code == rp.code && endpoint_equal(&back.bnd, &rp.bnd));
		break;
	case WIRE_SHORT:
		REQUIRE(used == SOCKS4_REPLY_LEN && size < used);
		break;
	case WIRE_BAD:
		REQUIRE(size > 0);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_request(data, size);
	fuzz_reply(data, size);
	return 0;
}
