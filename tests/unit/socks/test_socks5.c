#include <socks/socks5.h>
#include <unit.h>

/*
 * Each message has a get_ and a put_ of its own type. One signature for them all lets every message
 * be cut at every length, and written at every capacity, by the same tests.
 */
union message {
	struct socks5_greeting greeting;
	struct socks5_request request;
	struct socks5_reply reply;
	struct socks5_userpass userpass;
	struct socks5_udp_header udp;
	uint8_t octet;
};

enum kind { GREETING, METHOD, REQUEST, REPLY, USERPASS, STATUS, UDP };

static enum wire_res get(enum kind kind, const void *in, size_t len, union message *m, size_t *used)
{
	/* Memory of exactly that size, so that a sanitizer sees the octet beyond. */
	uint8_t *copy = malloc(len ? len : 1);
	enum wire_res res = WIRE_BAD;

	memcpy(copy, in, len);
	switch (kind) {
	case GREETING:
		res = socks5_get_greeting(copy, len, &m->greeting, used);
		break;
	case METHOD:
		res = socks5_get_method(copy, len, &m->octet, used);
		break;
	case REQUEST:
		res = socks5_get_request(copy, len, &m->request, used, NULL);
		break;
	case REPLY:
		res = socks5_get_reply(copy, len, &m->reply, used);
		break;
	case USERPASS:
		res = socks5_get_userpass(copy, len, &m->userpass, used);
		break;
	case STATUS:
		res = socks5_get_userpass_status(copy, len, &m->octet, used);
		break;
	case UDP:
		res = socks5_get_udp_header(copy, len, &m->udp, used);
		break;
	}
	free(copy);
	return res;
}

static void put(enum kind kind, struct writer *w, const union message *m)
{
	switch (kind) {
	case GREETING:
		socks5_put_greeting(w, &m->greeting);
		break;
	case METHOD:
		socks5_put_method(w, m->octet);
		break;
	case REQUEST:
		socks5_put_request(w, &m->request);
		break;
	case REPLY:
		socks5_put_reply(w, &m->reply);
		break;
	case USERPASS:
		socks5_put_userpass(w, &m->userpass);
		break;
	case STATUS:
		socks5_put_userpass_status(w, m->octet);
		break;
	case UDP:
		socks5_put_udp_header(w, &m->udp);
		break;
	}
}

#define IN(text) text, sizeof(text) - 1

static const struct {
	enum kind kind;
	const char *in;
	size_t len;
} messages[] = {
	{ GREETING, IN("\x05\x00") },
	{ GREETING, IN("\x05\x01\x00") },
	{ GREETING, IN("\x05\x03\x00\x01\x02") },
	{ METHOD, IN("\x05\x02") },
	{ REQUEST, IN("\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50") },
	{ REQUEST, IN("\x05\x02\x00\x03\x0b"
	              "example.org\x01\xbb") },
	{ REQUEST, IN("\x05\x03\x00\x03\x01"
	              "a\x00\x00") },
	{ REQUEST, IN("\x05\xf0\x00\x04 "
	              "\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\xff\xff") },
	{ REPLY, IN("\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00") },
	{ REPLY, IN("\x05\x05\x00\x03\x01"
	            "a\x00\x50") },
	{ REPLY, IN("\x05\xf7\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	            "\x01\x00\x50") },
	{ USERPASS, IN("\x01\x03"
	               "joe\x06"
	               "secret") },
	{ USERPASS, IN("\x01\x00\x00") },
	{ USERPASS, IN("\x01\x00\x01x") },
	{ USERPASS, IN("\x01\x02\x00\xff\x02\x00\xff") },
	{ STATUS, IN("\x01\x00") },
	{ UDP, IN("\x00\x00\x00\x01\xc0\x00\x02\x01\x00\x35") },
	{ UDP, IN("\x00\x00\x81\x03\x01"
	          "a\x00\x35") },
	{ UDP, IN("\x00\x00\x7f\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"
	          "\x00\x35") },
};

START_TEST(a_message_is_read_whatever_follows)
{
	uint8_t glued[64];
	union message m;

	memset(glued, 0xa5, sizeof(glued));
	memcpy(glued, messages[_i].in, messages[_i].len);
	for (size_t extra = 0; extra < 3; extra++) {
		size_t used = 0;

		ck_assert_int_eq(get(messages[_i].kind, glued, messages[_i].len + extra, &m, &used),
		                 WIRE_OK);
		ck_assert_uint_eq(used, messages[_i].len);
	}
}
END_TEST

START_TEST(a_message_is_short_at_every_cut)
{
	union message m, untouched;

	memset(&m, 0x5a, sizeof(m));
	untouched = m;
	for (size_t n = 0; n < messages[_i].len; n++) {
		size_t used = 0;

		ck_assert_int_eq(get(messages[_i].kind, messages[_i].in, n, &m, &used), WIRE_SHORT);
		ck_assert_uint_gt(used, n);
		ck_assert_uint_le(used, messages[_i].len);
		ck_assert_mem_eq(&m, &untouched, sizeof(m));
	}
}
END_TEST

START_TEST(a_message_goes_there_and_back)
{
	uint8_t buf[SOCKS5_USERPASS_MAX];
	struct writer w;
	union message m;
	size_t used;

	ck_assert_int_eq(get(messages[_i].kind, messages[_i].in, messages[_i].len, &m, &used),
	                 WIRE_OK);
	for (size_t cap = 0; cap <= sizeof(buf); cap++) {
		writer_init(&w, buf, cap);
		put(messages[_i].kind, &w, &m);
		ck_assert_int_eq(w.over, cap < messages[_i].len);
	}
	ck_assert_uint_eq(w.pos, messages[_i].len);
	ck_assert_mem_eq(buf, messages[_i].in, w.pos);
}
END_TEST

/* Which first octets each kind of message may have. */
START_TEST(all_values_of_the_first_octet)
{
	uint8_t in[64];
	union message m;
	size_t used;

	for (int i = 0; i < ROWS(messages); i++) {
		enum kind kind = messages[i].kind;
		bool good = _i == (uint8_t)messages[i].in[0];

		if (kind == UDP) /* RSV */
			good = true;
		if (kind == STATUS && _i == 5)
			good = true;
		memcpy(in, messages[i].in, messages[i].len);
		in[0] = (uint8_t)_i;
		ck_assert_int_eq(get(kind, in, 1, &m, &used), good ? WIRE_SHORT : WIRE_BAD);
		ck_assert_int_eq(get(kind, in, messages[i].len, &m, &used),
		                 good ? WIRE_OK : WIRE_BAD);
	}
}
END_TEST

START_TEST(all_values_of_second_and_third_octets)
{
	uint8_t octet = (uint8_t)_i;
	const uint8_t message[] = { 5, octet, (uint8_t)~octet, 1, 192, 0, 2, 1, 0, 80 };
	const uint8_t udp[] = { octet, (uint8_t)~octet, octet, 1, 192, 0, 2, 1, 0, 53 };
	const uint8_t two[] = { 5, octet };
	const uint8_t status[] = { 1, octet };
	union message m;
	size_t used;

	ck_assert_int_eq(get(REQUEST, message, sizeof(message), &m, &used), WIRE_OK);
	ck_assert_uint_eq(m.request.cmd, octet);
	ck_assert_str_eq(ENDPOINT_TEXT(&m.request.dst), "192.0.2.1:80");
	ck_assert_int_eq(get(REPLY, message, sizeof(message), &m, &used), WIRE_OK);
	ck_assert_uint_eq(m.reply.rep, octet);
	ck_assert_int_eq(get(UDP, udp, sizeof(udp), &m, &used), WIRE_OK);
	ck_assert_uint_eq(m.udp.frag, octet);
	ck_assert_int_eq(get(METHOD, two, 2, &m, &used), WIRE_OK);
	ck_assert_uint_eq(m.octet, octet);
	ck_assert_int_eq(get(STATUS, status, 2, &m, &used), WIRE_OK);
	ck_assert_uint_eq(m.octet, octet);
}
END_TEST

START_TEST(all_values_of_atyp)
{
	uint8_t in[4 + 257] = { 5, 1, 0, (uint8_t)_i, 1, 'a' };
	bool known = _i == 1 || _i == 3 || _i == 4, bad = false;
	struct socks5_request rq;
	union message m;
	size_t used;

	/* Known as soon as the octet is there. */
	ck_assert_int_eq(socks5_get_request(in, 4, &rq, &used, &bad),
	                 known ? WIRE_SHORT : WIRE_BAD);
	ck_assert_int_eq(bad, !known);
	ck_assert_int_eq(get(REPLY, in, 4, &m, &used), known ? WIRE_SHORT : WIRE_BAD);
	in[0] = 0;
	ck_assert_int_eq(get(UDP, in, 4, &m, &used), known ? WIRE_SHORT : WIRE_BAD);
	/* A bad version is no bad ATYP. */
	bad = true;
	ck_assert_int_eq(socks5_get_request(in, 4, &rq, &used, &bad), WIRE_BAD);
	ck_assert(!bad);
}
END_TEST

START_TEST(all_lengths_of_a_name)
{
	size_t n = (size_t)_i, len = 4 + 1 + n + 2, used = 0;
	uint8_t in[SOCKS5_REQUEST_MAX] = { 5, 1, 0, 3, (uint8_t)_i }, buf[SOCKS5_REQUEST_MAX];
	bool bad = true;
	struct socks5_request rq;
	struct writer w;
	union message m;

	memset(in + 5, 'n', n);
	in[len - 1] = 80;
	if (n == 0) {
		ck_assert_int_eq(socks5_get_request(in, 5, &rq, &used, &bad), WIRE_BAD);
		ck_assert(!bad);
		return;
	}
	ck_assert_int_eq(get(REQUEST, in, 5, &m, &used), WIRE_SHORT);
	ck_assert_uint_eq(used, len);
	ck_assert_int_eq(get(REQUEST, in, len - 1, &m, &used), WIRE_SHORT);
	ck_assert_uint_eq(used, len);
	ck_assert_int_eq(get(REQUEST, in, len, &m, &used), WIRE_OK);
	ck_assert_uint_eq(m.request.dst.name_len, n);
	ck_assert_uint_eq(m.request.dst.port, 80);
	writer_init(&w, buf, sizeof(buf));
	socks5_put_request(&w, &m.request);
	ck_assert(!w.over);
	ck_assert_uint_eq(w.pos, len);
	ck_assert_mem_eq(buf, in, len);

	in[5 + n / 2] = '\0';
	ck_assert_int_eq(socks5_get_request(in, len, &rq, &used, &bad), WIRE_BAD);
	ck_assert(!bad);
}
END_TEST

START_TEST(all_numbers_of_methods)
{
	size_t n = (size_t)_i, used = 0;
	uint8_t in[SOCKS5_GREETING_MAX] = { 5, (uint8_t)_i }, buf[SOCKS5_GREETING_MAX];
	struct writer w;
	union message m;

	for (size_t i = 0; i < n; i++)
		in[2 + i] = (uint8_t)(i + 1);
	ck_assert_int_eq(get(GREETING, in, 2 + n, &m, &used), WIRE_OK);
	ck_assert_uint_eq(m.greeting.n_methods, n);
	ck_assert_mem_eq(m.greeting.methods, in + 2, n);
	writer_init(&w, buf, sizeof(buf));
	socks5_put_greeting(&w, &m.greeting);
	ck_assert(!w.over);
	ck_assert_mem_eq(buf, in, 2 + n);
	if (n > 0)
		ck_assert_int_eq(get(GREETING, in, 1 + n, &m, &used), WIRE_SHORT);
}
END_TEST

/* PROTOCOL 71: any octets, up to 255 of each. */
START_TEST(all_lengths_of_user_and_password)
{
	size_t n = (size_t)_i, p = 255 - n, len = 3 + n + p, used = 0;
	uint8_t in[SOCKS5_USERPASS_MAX] = { 1, (uint8_t)_i };
	union message m;

	for (size_t i = 0; i < n; i++)
		in[2 + i] = (uint8_t)i;
	in[2 + n] = (uint8_t)p;
	for (size_t i = 0; i < p; i++)
		in[3 + n + i] = (uint8_t)(255 - i);
	ck_assert_int_eq(get(USERPASS, in, len - 1, &m, &used), WIRE_SHORT);
	ck_assert_int_eq(get(USERPASS, in, len, &m, &used), WIRE_OK);
	ck_assert_uint_eq(m.userpass.user_len, n);
	ck_assert_uint_eq(m.userpass.password_len, p);
	ck_assert_mem_eq(m.userpass.user, in + 2, n);
	ck_assert_mem_eq(m.userpass.password, in + 3 + n, p);
	ck_assert_int_eq(m.userpass.user[n], '\0');
	ck_assert_int_eq(m.userpass.password[p], '\0');
}
END_TEST

START_TEST(the_longest_credentials_fit)
{
	struct socks5_userpass up = { .user_len = 255, .password_len = 255 };
	uint8_t buf[SOCKS5_USERPASS_MAX];
	struct writer w;
	union message m;
	size_t used;

	memset(up.user, 0xff, 255);
	memset(up.password, 0x00, 255);
	writer_init(&w, buf, sizeof(buf));
	socks5_put_userpass(&w, &up);
	ck_assert(!w.over);
	ck_assert_uint_eq(w.pos, SOCKS5_USERPASS_MAX);
	ck_assert_int_eq(get(USERPASS, buf, w.pos, &m, &used), WIRE_OK);
	ck_assert_mem_eq(m.userpass.user, up.user, 256);
}
END_TEST

START_TEST(nothing_is_written_as_zeros)
{
	const struct socks5_reply rp = { .rep = 5 };
	uint8_t buf[SOCKS5_REPLY_MAX];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	socks5_put_reply(&w, &rp);
	ck_assert_uint_eq(w.pos, 10);
	ck_assert_mem_eq(buf, "\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00", 10);
}
END_TEST

START_TEST(names_that_no_decoder_takes_are_not_written)
{
	struct socks5_udp_header h = { .dst = unit_endpoint("example.org:53") };
	uint8_t buf[SOCKS5_UDP_HDR_MAX];
	struct writer w;

	h.dst.name[3] = '\0';
	writer_init(&w, buf, sizeof(buf));
	socks5_put_udp_header(&w, &h);
	ck_assert(w.over);
	h.dst.name_len = 0;
	writer_init(&w, buf, sizeof(buf));
	socks5_put_udp_header(&w, &h);
	ck_assert(w.over);
}
END_TEST

UNIT_MAIN("socks5", { a_message_is_read_whatever_follows, ROWS(messages) },
          { a_message_is_short_at_every_cut, ROWS(messages) },
          { a_message_goes_there_and_back, ROWS(messages) }, { all_values_of_the_first_octet, 256 },
          { all_values_of_second_and_third_octets, 256 }, { all_values_of_atyp, 256 },
          { all_lengths_of_a_name, 256 }, { all_numbers_of_methods, 256 },
          { all_lengths_of_user_and_password, 256 }, { the_longest_credentials_fit, 0 },
          { nothing_is_written_as_zeros, 0 }, { names_that_no_decoder_takes_are_not_written, 0 })
