#include <socks/socks4.h>
#include <unit.h>

#define IN(text) text, sizeof(text) - 1

static const struct {
	const char *in;
	size_t len;
	uint8_t cmd;
	const char *dst, *user;
} requests[] = {
	{ IN("\x04\x01\x00\x50\xc0\x00\x02\x01\x00"), 1, "192.0.2.1:80", "" },
	{ IN("\x04\x02\xff\xff\x00\x00\x00\x00"
	     "joe\x00"),
	  2, "0.0.0.0:65535", "joe" },
	{ IN("\x04\x01\x01\xbb\x00\x00\x00\x01\x00"
	     "example.org\x00"),
	  1, "example.org:443", "" },
	{ IN("\x04\x01\x01\xbb\x00\x00\x00\xff"
	     "joe\x00"
	     "a\x00"),
	  1, "a:443", "joe" },
	{ IN("\x04\xf0\x00\x00\x00\x00\x00\x01\x00"
	     "[::1]\x00"),
	  0xf0, NULL, "" },
	{ IN("\x04\x01\x00\x50\x00\x00\x01\x00\x00"), 1, "0.0.1.0:80", "" },
	{ IN("\x04\x01\x00\x50\x00\x01\x00\x01\x00"), 1, "0.1.0.1:80", "" },
	{ IN("\x04\x01\x00\x50\x01\x00\x00\x01\x00"), 1, "1.0.0.1:80", "" },
};

static enum wire_res get_request(const void *in, size_t len, struct socks4_request *rq,
                                 size_t *used)
{
	/* Memory of exactly that size, so that a sanitizer sees the octet beyond. */
	uint8_t *copy = malloc(len ? len : 1);
	enum wire_res res;

	memcpy(copy, in, len);
	res = socks4_get_request(copy, len, rq, used);
	free(copy);
	return res;
}

START_TEST(requests_are_read)
{
	struct socks4_request rq;
	uint8_t glued[64];
	size_t used = 0;

	memset(glued, 'x', sizeof(glued));
	memcpy(glued, requests[_i].in, requests[_i].len);
	for (size_t extra = 0; extra < 3; extra++) {
		ck_assert_int_eq(get_request(glued, requests[_i].len + extra, &rq, &used), WIRE_OK);
		ck_assert_uint_eq(used, requests[_i].len);
		ck_assert_uint_eq(rq.cmd, requests[_i].cmd);
		ck_assert_str_eq(rq.user, requests[_i].user);
		ck_assert_uint_eq(rq.user_len, strlen(requests[_i].user));
		if (requests[_i].dst)
			ck_assert_str_eq(ENDPOINT_TEXT(&rq.dst), requests[_i].dst);
	}
}
END_TEST

START_TEST(a_request_is_short_at_every_cut)
{
	struct socks4_request rq, untouched;

	memset(&rq, 0x5a, sizeof(rq));
	untouched = rq;
	for (size_t n = 0; n < requests[_i].len; n++) {
		size_t used = 0;

		ck_assert_int_eq(get_request(requests[_i].in, n, &rq, &used), WIRE_SHORT);
		ck_assert_uint_gt(used, n);
		ck_assert_uint_le(used, requests[_i].len);
		ck_assert_mem_eq(&rq, &untouched, sizeof(rq));
	}
}
END_TEST

START_TEST(requests_go_there_and_back)
{
	struct socks4_request rq, back;
	uint8_t buf[SOCKS4_REQUEST_MAX];
	struct writer w;
	size_t used;

	ck_assert_int_eq(get_request(requests[_i].in, requests[_i].len, &rq, &used), WIRE_OK);
	for (size_t cap = 0; cap <= sizeof(buf); cap++) {
		writer_init(&w, buf, cap);
		socks4_put_request(&w, &rq);
		ck_assert_int_eq(w.over, cap < requests[_i].len);
	}
	ck_assert_uint_eq(w.pos, requests[_i].len);
	ck_assert_int_eq(get_request(buf, w.pos, &back, &used), WIRE_OK);
	ck_assert_endpoint_eq(&back.dst, &rq.dst);
	ck_assert_str_eq(back.user, rq.user);
	ck_assert_uint_eq(back.cmd, rq.cmd);
}
END_TEST

START_TEST(all_values_of_the_version)
{
	uint8_t in[] = { (uint8_t)_i, 1, 0, 80, 192, 0, 2, 1, 0 };
	struct socks4_request rq;
	size_t used;

	ck_assert_int_eq(get_request(in, 1, &rq, &used), _i == 4 ? WIRE_SHORT : WIRE_BAD);
	ck_assert_int_eq(get_request(in, sizeof(in), &rq, &used), _i == 4 ? WIRE_OK : WIRE_BAD);
}
END_TEST

START_TEST(all_values_of_the_command)
{
	uint8_t in[] = { 4, (uint8_t)_i, 0, 80, 192, 0, 2, 1, 0 };
	struct socks4_request rq;
	size_t used;

	ck_assert_int_eq(get_request(in, sizeof(in), &rq, &used), WIRE_OK);
	ck_assert_uint_eq(rq.cmd, _i);
}
END_TEST

/* PROTOCOL 14: every 0.0.0.x but 0.0.0.0 announces a name. */
START_TEST(all_values_of_the_last_octet)
{
	uint8_t in[] = { 4, 1, 0, 80, 0, 0, 0, (uint8_t)_i, 0, 'a', 0 };
	struct socks4_request rq;
	size_t used;

	ck_assert_int_eq(get_request(in, sizeof(in), &rq, &used), WIRE_OK);
	ck_assert_int_eq(rq.dst.kind, _i == 0 ? ENDPOINT_IPV4 : ENDPOINT_NAME);
	ck_assert_uint_eq(used, _i == 0 ? 9 : 11);
}
END_TEST

/* @user and @name octets of each, the name with all its octets 'n'. */
static size_t build(uint8_t *buf, size_t user, size_t name)
{
	size_t len = 8;

	memcpy(buf, "\x04\x01\x00\x50\x00\x00\x00\x01", 8);
	memset(buf + len, 'u', user);
	len += user;
	buf[len++] = 0;
	memset(buf + len, 'n', name);
	len += name;
	buf[len++] = 0;
	return len;
}

START_TEST(the_longest_request_is_read)
{
	uint8_t buf[SOCKS4_REQUEST_MAX + 8];
	struct socks4_request rq;
	size_t used, len = build(buf, SOCKS4_USER_MAX, ENDPOINT_NAME_MAX);
	struct writer w;

	ck_assert_uint_eq(len, SOCKS4_REQUEST_MAX);
	for (size_t n = 0; n < len; n++)
		ck_assert_int_eq(get_request(buf, n, &rq, &used), WIRE_SHORT);
	ck_assert_int_eq(get_request(buf, len, &rq, &used), WIRE_OK);
	ck_assert_uint_eq(strlen(rq.user), SOCKS4_USER_MAX);
	ck_assert_uint_eq(rq.dst.name_len, ENDPOINT_NAME_MAX);
	writer_init(&w, buf, SOCKS4_REQUEST_MAX);
	socks4_put_request(&w, &rq);
	ck_assert(!w.over);
}
END_TEST

/* Bad as soon as the octet too many is there: nobody need buffer more. */
START_TEST(a_longer_user_or_name_is_bad)
{
	uint8_t buf[SOCKS4_REQUEST_MAX + 8];
	struct socks4_request rq;
	size_t used;

	build(buf, SOCKS4_USER_MAX + 1, 1);
	ck_assert_int_eq(get_request(buf, 8 + SOCKS4_USER_MAX, &rq, &used), WIRE_SHORT);
	ck_assert_int_eq(get_request(buf, 8 + SOCKS4_USER_MAX + 1, &rq, &used), WIRE_BAD);
	build(buf, 3, ENDPOINT_NAME_MAX + 1);
	ck_assert_int_eq(get_request(buf, 12 + ENDPOINT_NAME_MAX, &rq, &used), WIRE_SHORT);
	ck_assert_int_eq(get_request(buf, 12 + ENDPOINT_NAME_MAX + 1, &rq, &used), WIRE_BAD);
	ck_assert_int_eq(get_request(buf, build(buf, 3, 0), &rq, &used), WIRE_BAD);
}
END_TEST

START_TEST(what_cannot_be_said_is_not_written)
{
	static const char *const impossible[] = { "", "[::1]:80", "[::ffff:1.2.3.4]:80",
		                                  "0.0.0.1:80", "0.0.0.255:80" };
	struct socks4_request rq = { .cmd = 1 };
	uint8_t buf[SOCKS4_REQUEST_MAX];
	struct writer w;

	for (int i = 0; i < ROWS(impossible); i++) {
		rq.dst = unit_endpoint(impossible[i]);
		writer_init(&w, buf, sizeof(buf));
		socks4_put_request(&w, &rq);
		ck_assert(w.over);
	}
	rq.dst = unit_endpoint("example.org:80");
	rq.dst.name[3] = '\0';
	writer_init(&w, buf, sizeof(buf));
	socks4_put_request(&w, &rq);
	ck_assert(w.over);
	rq.dst.name_len = 0;
	writer_init(&w, buf, sizeof(buf));
	socks4_put_request(&w, &rq);
	ck_assert(w.over);
	rq.dst = unit_endpoint("192.0.2.1:80");
	rq.user_len = 3;
	writer_init(&w, buf, sizeof(buf));
	socks4_put_request(&w, &rq);
	ck_assert(w.over);
}
END_TEST

START_TEST(replies_go_there_and_back)
{
	static const char want[] = "\x00\x5a\x04\x38\xc0\x00\x02\x01";
	struct socks4_reply rp = { .code = SOCKS4_REPLY_LEN }, back;
	uint8_t buf[SOCKS4_REPLY_LEN];
	struct writer w;
	size_t used;

	rp.code = 0x5a;
	rp.bnd = unit_endpoint("192.0.2.1:1080");
	for (size_t cap = 0; cap <= sizeof(buf); cap++) {
		writer_init(&w, buf, cap);
		socks4_put_reply(&w, &rp);
		ck_assert_int_eq(w.over, cap < SOCKS4_REPLY_LEN);
	}
	ck_assert_mem_eq(buf, want, SOCKS4_REPLY_LEN);
	for (size_t n = 0; n < SOCKS4_REPLY_LEN; n++) {
		ck_assert_int_eq(socks4_get_reply(buf, n, &back, &used), WIRE_SHORT);
		ck_assert_uint_eq(used, SOCKS4_REPLY_LEN);
	}
	ck_assert_int_eq(socks4_get_reply(buf, SOCKS4_REPLY_LEN, &back, &used), WIRE_OK);
	ck_assert_uint_eq(used, SOCKS4_REPLY_LEN);
	ck_assert_uint_eq(back.code, 0x5a);
	ck_assert_endpoint_eq(&back.bnd, &rp.bnd);
}
END_TEST

START_TEST(a_reply_without_ipv4_has_zeros)
{
	static const char *const others[] = { "", "[::1]:80", "example.org:80" };
	struct socks4_reply rp = { .code = 0x5b };
	uint8_t buf[SOCKS4_REPLY_LEN];
	struct writer w;

	rp.bnd = unit_endpoint(others[_i]);
	writer_init(&w, buf, sizeof(buf));
	socks4_put_reply(&w, &rp);
	ck_assert_mem_eq(buf,
	                 _i == 0 ? "\x00\x5b\x00\x00\x00\x00\x00\x00"
	                         : "\x00\x5b\x00\x50\x00\x00\x00\x00",
	                 SOCKS4_REPLY_LEN);
}
END_TEST

START_TEST(all_values_of_a_replys_octets)
{
	uint8_t in[SOCKS4_REPLY_LEN] = { (uint8_t)_i, 0x5a, 0, 80, 192, 0, 2, 1 };
	struct socks4_reply rp;
	bool good = _i == 0 || _i == 4;
	size_t used;

	ck_assert_int_eq(socks4_get_reply(in, 1, &rp, &used), good ? WIRE_SHORT : WIRE_BAD);
	ck_assert_int_eq(socks4_get_reply(in, sizeof(in), &rp, &used), good ? WIRE_OK : WIRE_BAD);
	in[0] = 0;
	in[1] = (uint8_t)_i;
	ck_assert_int_eq(socks4_get_reply(in, sizeof(in), &rp, &used), WIRE_OK);
	ck_assert_uint_eq(rp.code, _i);
}
END_TEST

UNIT_MAIN("socks4", { requests_are_read, ROWS(requests) },
          { a_request_is_short_at_every_cut, ROWS(requests) },
          { requests_go_there_and_back, ROWS(requests) }, { all_values_of_the_version, 256 },
          { all_values_of_the_command, 256 }, { all_values_of_the_last_octet, 256 },
          { the_longest_request_is_read, 0 }, { a_longer_user_or_name_is_bad, 0 },
          { what_cannot_be_said_is_not_written, 0 }, { replies_go_there_and_back, 0 },
          { a_reply_without_ipv4_has_zeros, 3 }, { all_values_of_a_replys_octets, 256 })
