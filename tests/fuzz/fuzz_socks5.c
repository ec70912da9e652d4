/* Any octets as each message of SOCKS5: what is read can be written and read again, the same. */
#include <fuzz.h>
#include <socks/socks5.h>

union message {
	struct socks5_greeting greeting;
	struct socks5_request request;
	struct socks5_reply reply;
	struct socks5_userpass userpass;
	struct socks5_udp_header udp;
	uint8_t octet;
};

/* One signature for all. */
struct codec {
	enum wire_res (*get)(const uint8_t *buf, size_t len, union message *m, size_t *used);
	void (*put)(struct writer *w, const union message *m);
	uint8_t free_octets; /* bit i: octet i is not judged, and written in one way only */
};

static enum wire_res get_greeting(const uint8_t *buf, size_t len, union message *m, size_t *used)
{
	return socks5_get_greeting(buf, len, &m->greeting, used);
}

static void put_greeting(struct writer *w, const union message *m)
{
	socks5_put_greeting(w, &m->greeting);
}

static enum wire_res get_method(const uint8_t *buf, size_t len, union message *m, size_t *used)
{
	return socks5_get_method(buf, len, &m->octet, used);
}

static void put_method(struct writer *w, const union message *m)
{
	socks5_put_method(w, m->octet);
}

static enum wire_res get_request(const uint8_t *buf, size_t len, union message *m, size_t *used)
{
	bool atyp_bad = true;
	enum wire_res res = socks5_get_request(buf, len, &m->request, used, &atyp_bad);

	REQUIRE(!atyp_bad || (res == WIRE_BAD && len >= 4));
	return res;
}

static void put_request(struct writer *w, const union message *m)
{
	socks5_put_request(w, &m->request);
}

static enum wire_res get_reply(const uint8_t *buf, size_t len, union message *m, size_t *used)
{
	return socks5_get_reply(buf, len, &m->reply, used);
}

static void put_reply(struct writer *w, const union message *m)
{
	socks5_put_reply(w, &m->reply);
}

static enum wire_res get_userpass(const uint8_t *buf, size_t len, union message *m, size_t *used)
{
	return socks5_get_userpass(buf, len, &m->userpass, used);
}

static void put_userpass(struct writer *w, const union message *m)
{
	socks5_put_userpass(w, &m->userpass);
}

static enum wire_res get_status(const uint8_t *buf, size_t len, union message *m, size_t *used)
{
	return socks5_get_userpass_status(buf, len, &m->octet, used);
}

static void put_status(struct writer *w, const union message *m)
{
	socks5_put_userpass_status(w, m->octet);
}

static enum wire_res get_udp(const uint8_t *buf, size_t len, union message *m, size_t *used)
{
	return socks5_get_udp_header(buf, len, &m->udp, used);
}

static void put_udp(struct writer *w, const union message *m)
{
	socks5_put_udp_header(w, &m->udp);
}

static const struct codec codecs[] = {
	{ get_greeting, put_greeting, 0 },     { get_method, put_method, 0 },
	{ get_request, put_request, 1 << 2 }, /* RSV */
	{ get_reply, put_reply, 1 << 2 },      { get_userpass, put_userpass, 0 },
	{ get_status, put_status, 1 << 0 },    /* VER, which some servers get wrong */
	{ get_udp, put_udp, 1 << 0 | 1 << 1 }, /* RSV */
};

static void fuzz(const struct codec *codec, const uint8_t *data, size_t size)
{
	uint8_t buf[SOCKS5_USERPASS_MAX], longer[2 * SOCKS5_USERPASS_MAX] = { 0 };
	size_t used = 0, again = 0;
	union message m, back;
	struct writer w;

	switch (codec->get(data, size, &m, &used)) {
	case WIRE_OK:
		REQUIRE(used > 0 && used <= size && used <= sizeof(buf));
		REQUIRE(codec->get(data, used - 1, &back, &again) == WIRE_SHORT);
		REQUIRE(again == used);
		writer_init(&w, buf, sizeof(buf));
		codec->put(&w, &m);
		REQUIRE(!w.over && w.pos == used);
		for (size_t i = 0; i < used; i++)
			REQUIRE(buf[i] == data[i] || (i < 8 && codec->free_octets & 1 << i));
		REQUIRE(codec->get(buf, w.pos, &back, &again) == WIRE_OK && again == used);
		break;
	case WIRE_SHORT:
		REQUIRE(used > size && used <= sizeof(buf));
		break;
	case WIRE_BAD:
		/* Nothing that follows can make it good. */
		REQUIRE(size > 0);
		size = size < sizeof(buf) ? size : sizeof(buf);
		memcpy(longer, data, size);
		REQUIRE(codec->get(longer, sizeof(longer), &m, &used) == WIRE_BAD);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++)
		fuzz(&codecs[i], data, size);
	return 0;
}
