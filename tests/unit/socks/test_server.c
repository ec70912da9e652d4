#include <errno.h>
#include <socks/server.h>
#include <unit.h>

/* What a test's server does at each event. */
struct policy {
	uint8_t method;
	bool accept;
};

struct outcome {
	enum server_event event;
	size_t used;
	uint8_t out[1024];
	size_t out_len;
	char request[ENDPOINT_TEXT_MAX + SOCKS4_USER_MAX + 32]; /* "version cmd dst user" */
	char credentials[2 * SOCKS5_CRED_MAX + 2];
	int requests;
};

static void drain(struct socks_server *s, struct outcome *o, size_t chunk)
{
	const uint8_t *out;
	size_t n;

	while (out = server_out(s, &n), n > 0) {
		n = n < chunk ? n : chunk;
		memcpy(o->out + o->out_len, out, n);
		o->out_len += n;
		server_sent(s, n);
	}
}

/* Feed all of @in, @chunk octets at a time, up to a request or a close. */
static void play(struct socks_server *s, const struct policy *p, const uint8_t *in, size_t len,
                 size_t chunk, struct outcome *o)
{
	memset(o, 0, sizeof(*o));
	for (;;) {
		size_t left = len - o->used, n = left < chunk ? left : chunk, used = 99;
		/* Memory of exactly that size, so that a sanitizer sees the octet beyond. */
		uint8_t *copy = malloc(n ? n : 1);

		memcpy(copy, in + o->used, n);
		o->event = server_feed(s, copy, n, &used);
		free(copy);
		ck_assert_uint_le(used, n);
		o->used += used;
		if (o->event == SERVER_MORE)
			ck_assert_uint_eq(used, n);
		if (o->event == SERVER_METHOD || o->event == SERVER_CREDENTIALS ||
		    o->event == SERVER_REQUEST) {
			/* Until it is answered, the event stays, and nothing more is taken. */
			ck_assert_int_eq(server_feed(s, (const uint8_t *)"\x05\x01", 2, &used),
			                 o->event);
			ck_assert_uint_eq(used, 0);
		}
		if (o->event == SERVER_METHOD)
			o->event = server_choose(s, p->method);
		if (o->event == SERVER_CREDENTIALS) {
			const struct socks5_userpass *up = server_userpass(s);

			snprintf(o->credentials, sizeof(o->credentials), "%s:%s", up->user,
			         up->password);
			o->event = server_accept(s, p->accept);
		}
		drain(s, o, chunk);
		if (o->event == SERVER_REQUEST) {
			const struct server_request *rq = server_request(s);

			snprintf(o->request, sizeof(o->request), "%d %02x %s %s", rq->version,
			         rq->cmd, ENDPOINT_TEXT(&rq->dst), rq->user);
			o->requests++;
			return;
		}
		if (o->event == SERVER_CLOSE || o->used == len)
			return;
	}
}

#define IN(text) text, sizeof(text) - 1
#define HELLO    "\x05\x01\x00"
#define ZEROS    "\x00\x01\x00\x00\x00\x00\x00\x00"
#define REJECTED "\x00\x5b\x00\x00\x00\x00\x00\x00"

static const struct policy open_door = { SOCKS5_METHOD_NONE, false };
static const struct policy right = { SOCKS5_METHOD_USERPASS, true };
static const struct policy wrong = { SOCKS5_METHOD_USERPASS, false };

static const struct {
	const char *name; /* with PROTOCOL's number, where it has one */
	const struct policy *policy;
	const char *in;
	size_t len;
	enum server_event event;
	const char *request; /* with SERVER_REQUEST */
	const char *out;
	size_t out_len;
	size_t used; /* 0: all of it */
} rows[] = {
	/* SOCKS4 */
	{ "1 connect", &open_door, IN("\x04\x01\x00\x50\xc0\x00\x02\x01\x00"), SERVER_REQUEST,
	  "4 01 192.0.2.1:80 ", IN(""), 0 },
	{ "9 data glued", &open_door,
	  IN("\x04\x01\x00\x50\xc0\x00\x02\x01joe\x00"
	     "data"),
	  SERVER_REQUEST, "4 01 192.0.2.1:80 joe", IN(""), 12 },
	{ "7 no end", &open_door, IN("\x04\x01\x00\x50\xc0\x00\x02\x01joe"), SERVER_MORE, "",
	  IN(""), 0 },
	{ "8 unknown command", &open_door, IN("\x04\x03"), SERVER_CLOSE, "", IN(REJECTED), 0 },
	{ "10 bind", &open_door, IN("\x04\x02\x00\x50\xc0\x00\x02\x01\x00"), SERVER_REQUEST,
	  "4 02 192.0.2.1:80 ", IN(""), 0 },
	{ "11 bind for anybody", &open_door, IN("\x04\x02\x00\x00\x00\x00\x00\x00\x00"),
	  SERVER_REQUEST, "4 02 0.0.0.0:0 ", IN(""), 0 },
	{ "14 0.0.0.1", &open_door,
	  IN("\x04\x01\x00\x50\x00\x00\x00\x01\x00"
	     "a.b\x00"
	     "GET"),
	  SERVER_REQUEST, "4 01 a.b:80 ", IN(""), 13 },
	{ "14 0.0.0.255", &open_door,
	  IN("\x04\x01\x00\x50\x00\x00\x00\xff"
	     "u\x00"
	     "a.b\x00"),
	  SERVER_REQUEST, "4 01 a.b:80 u", IN(""), 0 },
	{ "15 0.0.0.0", &open_door, IN("\x04\x01\x00\x50\x00\x00\x00\x00\x00"), SERVER_CLOSE, "",
	  IN(REJECTED), 0 },
	{ "17 empty name", &open_door, IN("\x04\x01\x00\x50\x00\x00\x00\x01\x00\x00"), SERVER_CLOSE,
	  "", IN(REJECTED), 0 },
	{ "17 bad name", &open_door,
	  IN("\x04\x01\x00\x50\x00\x00\x00\x01\x00"
	     "a..b\x00"),
	  SERVER_CLOSE, "", IN(REJECTED), 0 },
	{ "port 0", &open_door, IN("\x04\x01\x00\x00\xc0\x00\x02\x01\x00"), SERVER_CLOSE, "",
	  IN(REJECTED), 0 },
	{ "name is an address", &open_door,
	  IN("\x04\x01\x00\x50\x00\x00\x00\x01\x00"
	     "192.0.2.1\x00"),
	  SERVER_REQUEST, "4 01 192.0.2.1:80 ", IN(""), 0 },
	{ "name is an IPv6 address", &open_door,
	  IN("\x04\x01\x00\x50\x00\x00\x00\x01\x00"
	     "2001:db8::1\x00"),
	  SERVER_REQUEST, "4 01 [2001:db8::1]:80 ", IN(""), 0 },
	{ "83 resolve", &open_door,
	  IN("\x04\xf0\x00\x00\x00\x00\x00\x01\x00"
	     "a.b\x00"),
	  SERVER_REQUEST, "4 f0 a.b:0 ", IN(""), 0 },
	{ "84 resolve_ptr", &open_door, IN("\x04\xf1\x00\x00\xc0\x00\x02\x01\x00"), SERVER_REQUEST,
	  "4 f1 192.0.2.1:0 ", IN(""), 0 },

	/* greeting */
	{ "19 no auth", &open_door, IN(HELLO), SERVER_MORE, "", IN("\x05\x00"), 0 },
	{ "20 auth", &right, IN("\x05\x02\x00\x02"), SERVER_MORE, "", IN("\x05\x02"), 0 },
	{ "21 auth not offered", &right, IN(HELLO), SERVER_CLOSE, "", IN("\x05\xff"), 0 },
	{ "21 none not offered", &open_door, IN("\x05\x01\x02"), SERVER_CLOSE, "", IN("\x05\xff"),
	  0 },
	{ "23 no methods", &open_door, IN("\x05\x00"), SERVER_CLOSE, "", IN("\x05\xff"), 0 },
	{ "25 duplicates", &open_door, IN("\x05\x04\x00\x00\x02\x00"), SERVER_MORE, "",
	  IN("\x05\x00"), 0 },
	{ "26 garbage", &open_door, IN("\x16\x03\x01"), SERVER_CLOSE, "", IN(""), 0 },
	{ "26 nearly HTTP", &open_door, IN("GEN "), SERVER_CLOSE, "", IN(""), 0 },
	{ "26 maybe HTTP", &open_door, IN("GE"), SERVER_MORE, "", IN(""), 0 },

	/* request */
	{ "28 IPv4", &open_door, IN(HELLO "\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50"),
	  SERVER_REQUEST, "5 01 192.0.2.1:80 ", IN("\x05\x00"), 0 },
	{ "28 IPv6", &open_door,
	  IN(HELLO "\x05\x01\x00\x04\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	           "\x01\x00\x50"),
	  SERVER_REQUEST, "5 01 [2001:db8::1]:80 ", IN("\x05\x00"), 0 },
	{ "28 name", &open_door,
	  IN(HELLO "\x05\x01\x00\x03\x03"
	           "a.b\x00\x50"),
	  SERVER_REQUEST, "5 01 a.b:80 ", IN("\x05\x00"), 0 },
	{ "29 literal", &open_door,
	  IN(HELLO "\x05\x01\x00\x03\x09"
	           "192.0.2.1\x00\x50"),
	  SERVER_REQUEST, "5 01 192.0.2.1:80 ", IN("\x05\x00"), 0 },
	{ "29 IPv6 literal", &open_door,
	  IN(HELLO "\x05\x01\x00\x03\x03"
	           "::1\x00\x50"),
	  SERVER_REQUEST, "5 01 [::1]:80 ", IN("\x05\x00"), 0 },
	{ "29 IPv6 literal in brackets", &open_door,
	  IN(HELLO "\x05\x01\x00\x03\x05"
	           "[::1]\x00\x50"),
	  SERVER_REQUEST, "5 01 [::1]:80 ", IN("\x05\x00"), 0 },
	{ "no interface of ours", &open_door,
	  IN(HELLO "\x05\x01\x00\x03\x0a"
	           "fe80::1%lo\x00\x50"),
	  SERVER_REQUEST, "5 01 fe80::1%lo:80 ", IN("\x05\x00"), 0 },
	{ "30 v4-mapped", &open_door,
	  IN(HELLO "\x05\x01\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc0\x00\x02"
	           "\x01\x00\x50"),
	  SERVER_REQUEST, "5 01 192.0.2.1:80 ", IN("\x05\x00"), 0 },
	{ "30 v4-mapped literal", &open_door,
	  IN(HELLO "\x05\x01\x00\x03\x0e"
	           "::ffff:1.2.3.4\x00\x50"),
	  SERVER_REQUEST, "5 01 1.2.3.4:80 ", IN("\x05\x00"), 0 },
	{ "31 length 0", &open_door, IN(HELLO "\x05\x01\x00\x03\x00"), SERVER_CLOSE, "",
	  IN("\x05\x00\x05\x01" ZEROS), 0 },
	{ "31 a NUL", &open_door,
	  IN(HELLO "\x05\x01\x00\x03\x03"
	           "a\x00"
	           "b\x00\x50"),
	  SERVER_CLOSE, "", IN("\x05\x00\x05\x01" ZEROS), 0 },
	{ "31 a label of 64", &open_door,
	  IN(HELLO "\x05\x01\x00\x03\x40"
	           "0123456789012345678901234567890123456789012345678901234567890123"
	           "\x00\x50"),
	  SERVER_CLOSE, "", IN("\x05\x00\x05\x01" ZEROS), 0 },
	{ "32 port 0", &open_door, IN(HELLO "\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x00"),
	  SERVER_CLOSE, "", IN("\x05\x00\x05\x01" ZEROS), 0 },
	{ "33 RSV", &open_door, IN(HELLO "\x05\x01\xff\x01\xc0\x00\x02\x01\x00\x50"),
	  SERVER_REQUEST, "5 01 192.0.2.1:80 ", IN("\x05\x00"), 0 },
	{ "34 version", &open_door, IN(HELLO "\x04"), SERVER_CLOSE, "",
	  IN("\x05\x00\x05\x01" ZEROS), 0 },
	{ "35 early data", &open_door,
	  IN(HELLO "\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50"
	           "early"),
	  SERVER_REQUEST, "5 01 192.0.2.1:80 ", IN("\x05\x00"), 13 },
	{ "38 command", &open_door, IN(HELLO "\x05\x04"), SERVER_CLOSE, "",
	  IN("\x05\x00\x05\x07" ZEROS), 0 },
	{ "38 ATYP", &open_door, IN(HELLO "\x05\x01\x00\x02"), SERVER_CLOSE, "",
	  IN("\x05\x00\x05\x08" ZEROS), 0 },
	{ "47 bind", &open_door, IN(HELLO "\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00"),
	  SERVER_REQUEST, "5 02 0.0.0.0:0 ", IN("\x05\x00"), 0 },
	{ "53 associate", &open_door,
	  IN(HELLO "\x05\x03\x00\x03\x07"
	           "0.0.0.0\x00\x00"),
	  SERVER_REQUEST, "5 03 0.0.0.0:0 ", IN("\x05\x00"), 0 },
	{ "83 resolve in 5", &open_door,
	  IN(HELLO "\x05\xf0\x00\x03\x03"
	           "a.b\x00\x00"),
	  SERVER_REQUEST, "5 f0 a.b:0 ", IN("\x05\x00"), 0 },
	{ "84 resolve_ptr in 5", &open_door, IN(HELLO "\x05\xf1\x00\x01\xc0\x00\x02\x01\x00\x00"),
	  SERVER_REQUEST, "5 f1 192.0.2.1:0 ", IN("\x05\x00"), 0 },
	{ "84 resolve_ptr of a name", &open_door,
	  IN(HELLO "\x05\xf1\x00\x03\x03"
	           "a.b\x00\x00"),
	  SERVER_CLOSE, "", IN("\x05\x00\x05\x01" ZEROS), 0 },

	/* user and password */
	{ "credentials", &right, IN("\x05\x01\x02\x01\x03joe\x06secret"), SERVER_MORE, "",
	  IN("\x05\x02\x01\x00"), 0 },
	{ "69 version", &right, IN("\x05\x01\x02\x05\x03joe\x06secret"), SERVER_CLOSE, "",
	  IN("\x05\x02\x01\x01"), 0 },
	{ "70 no user", &right, IN("\x05\x01\x02\x01\x00\x06secret"), SERVER_CLOSE, "",
	  IN("\x05\x02\x01\x01"), 0 },
	{ "70 no password", &right, IN("\x05\x01\x02\x01\x03joe\x00"), SERVER_CLOSE, "",
	  IN("\x05\x02\x01\x01"), 0 },
	{ "72 request glued to wrong credentials", &wrong,
	  IN("\x05\x01\x02\x01\x03joe\x06secret\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50"),
	  SERVER_CLOSE, "", IN("\x05\x02\x01\x01"), 15 },
	{ "73 all glued", &right,
	  IN("\x05\x01\x02\x01\x03joe\x06secret\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50"
	     "data"),
	  SERVER_REQUEST, "5 01 192.0.2.1:80 ", IN("\x05\x02\x01\x00"), 25 },
};

/* The code of the reply in what a row's handshake has said; -1 where it has none. */
static int reply_code(const uint8_t *out, size_t len)
{
	if (len == 8 && out[0] == 0)
		return out[1];
	if (len >= 10 && out[0] == 5)
		return out[len - 9];
	return -1;
}

static void check_row(int i, size_t chunk)
{
	struct socks_server s;
	struct outcome o;

	server_init(&s);
	play(&s, rows[i].policy, (const uint8_t *)rows[i].in, rows[i].len, chunk, &o);
	ck_assert_msg(o.event == rows[i].event, "%s: event %d", rows[i].name, (int)o.event);
	ck_assert_msg(strcmp(o.request, rows[i].request) == 0, "%s: %s", rows[i].name, o.request);
	ck_assert_msg(o.out_len == rows[i].out_len && memcmp(o.out, rows[i].out, o.out_len) == 0,
	              "%s: answer of %zu octets", rows[i].name, o.out_len);
	/* How much of a message that closes the connection was taken is nobody's business. */
	if (o.event == SERVER_REQUEST)
		ck_assert_uint_eq(o.used, rows[i].used ? rows[i].used : rows[i].len);
	if (rows[i].used)
		ck_assert_uint_eq(o.used, rows[i].used);
	ck_assert_int_eq(o.requests, o.event == SERVER_REQUEST);
	ck_assert_int_eq(server_code(&s), reply_code(o.out, o.out_len));
	if (rows[i].policy != &open_door && o.out_len > 2 && rows[i].event != SERVER_CLOSE)
		ck_assert_str_eq(o.credentials, "joe:secret");
}

START_TEST(handshakes_come_out_the_same_however_they_are_cut)
{
	for (size_t chunk = 1; chunk < 30; chunk++)
		check_row(_i, chunk);
	check_row(_i, 4096);
}
END_TEST

/* Cut short anywhere before its end, a good handshake is neither a request nor a failure. */
START_TEST(a_handshake_waits_at_every_cut)
{
	size_t end = rows[_i].used ? rows[_i].used : rows[_i].len;

	if (rows[_i].event != SERVER_REQUEST)
		return;
	for (size_t n = 0; n < end; n++) {
		struct socks_server s;
		struct outcome o;

		server_init(&s);
		play(&s, rows[_i].policy, (const uint8_t *)rows[_i].in, n, 4096, &o);
		ck_assert_int_eq(o.event, SERVER_MORE);
		ck_assert_uint_eq(o.used, n);
	}
}
END_TEST

START_TEST(browsers_are_told)
{
	static const char *const methods[] = { "GET ",    "POST",   "CONNECT x:1", "HEAD", "PUT ",
		                               "OPTIONS", "DELETE", "PATCH",       "TRACE" };
	const char *in = methods[_i];
	const char *body, *length;
	struct socks_server s;
	struct outcome o;

	for (size_t chunk = 1; chunk < 5; chunk++) {
		server_init(&s);
		play(&s, &open_door, (const uint8_t *)in, strlen(in), chunk, &o);
		ck_assert_int_eq(o.event, SERVER_CLOSE);
		o.out[o.out_len] = '\0';
		ck_assert_ptr_eq(strstr((char *)o.out, "HTTP/1.1 501 "), o.out);
		ck_assert_ptr_nonnull(strstr((char *)o.out, "SOCKS"));
		body = strstr((char *)o.out, "\r\n\r\n");
		length = strstr((char *)o.out, "Content-Length: ");
		ck_assert(body && length);
		ck_assert_int_eq(atoi(length + 16), (int)strlen(body + 4));
		ck_assert_int_eq(server_code(&s), -1);
	}
}
END_TEST

START_TEST(all_values_of_the_first_octet)
{
	uint8_t octet = (uint8_t)_i;
	bool maybe = octet == 4 || octet == 5 || (octet && strchr("GPCHODT", octet));
	struct socks_server s;
	size_t used;

	server_init(&s);
	ck_assert_int_eq(server_feed(&s, &octet, 1, &used), maybe ? SERVER_MORE : SERVER_CLOSE);
	ck_assert_uint_eq(used, 1);
	server_out(&s, &used);
	ck_assert_uint_eq(used, 0);
}
END_TEST

START_TEST(all_values_of_the_command)
{
	const uint8_t in4[] = { 4, (uint8_t)_i, 0, 80, 192, 0, 2, 1, 0 };
	const uint8_t in5[] = { 5, 1, 0, 5, (uint8_t)_i, 0, 1, 192, 0, 2, 1, 0, 80 };
	bool known4 = _i == 1 || _i == 2 || _i == 0xf0 || _i == 0xf1;
	struct socks_server s;
	struct outcome o;

	server_init(&s);
	play(&s, &open_door, in4, sizeof(in4), 64, &o);
	ck_assert_int_eq(o.event, known4 ? SERVER_REQUEST : SERVER_CLOSE);
	ck_assert_uint_eq(o.out_len, known4 ? 0 : 8);
	server_init(&s);
	play(&s, &open_door, in5, sizeof(in5), 64, &o);
	ck_assert_int_eq(o.event, known4 || _i == 3 ? SERVER_REQUEST : SERVER_CLOSE);
	if (o.event == SERVER_CLOSE)
		ck_assert_uint_eq(o.out[3], SOCKS5_BAD_COMMAND);
}
END_TEST

START_TEST(all_values_of_a_requests_other_octets)
{
	uint8_t in[] = { 5, 1, 0, 5, 1, 0, (uint8_t)_i, 1, 'a', 0, 80, 0, 80,
		         0, 0, 0, 0, 0, 0, 0,           0, 0,   0, 0,  0 };
	struct socks_server s;
	struct outcome o;

	server_init(&s);
	play(&s, &open_door, in, sizeof(in), 64, &o);
	if (_i == 1 || _i == 3 || _i == 4)
		ck_assert_int_ne(o.event, SERVER_MORE);
	else
		ck_assert_uint_eq(o.out[3], SOCKS5_BAD_ADDRESS_TYPE);

	in[6] = 1;
	in[3] = (uint8_t)_i; /* VER */
	server_init(&s);
	play(&s, &open_door, in, sizeof(in), 64, &o);
	ck_assert_int_eq(o.event, _i == 5 ? SERVER_REQUEST : SERVER_CLOSE);
	in[3] = 5;
	in[5] = (uint8_t)_i; /* RSV */
	server_init(&s);
	play(&s, &open_door, in, sizeof(in), 64, &o);
	ck_assert_int_eq(o.event, SERVER_REQUEST);
}
END_TEST

/* PROTOCOL 21: each octet offered alone is met with itself or FF, whatever is chosen. */
START_TEST(all_values_of_the_method)
{
	const uint8_t in[] = { 5, 1, (uint8_t)_i };
	struct socks_server s;
	size_t used, n;

	server_init(&s);
	ck_assert(!server_offers(&s, 0));
	ck_assert_int_eq(server_feed(&s, in, 3, &used), SERVER_METHOD);
	for (int m = 0; m < 256; m++)
		ck_assert_int_eq(server_offers(&s, (uint8_t)m), m == _i);
	if (_i == 0 || _i == 2) {
		ck_assert_int_eq(server_choose(&s, (uint8_t)_i), SERVER_MORE);
		ck_assert_uint_eq(server_out(&s, &n)[1], _i);
	} else {
		ck_assert_int_eq(server_choose(&s, (uint8_t)_i), SERVER_CLOSE);
		ck_assert_uint_eq(server_out(&s, &n)[1], 0xff);
	}
	ck_assert_uint_eq(n, 2);
	ck_assert(!server_offers(&s, (uint8_t)_i));
}
END_TEST

/* PROTOCOL 24 */
START_TEST(the_last_of_255_methods_is_found)
{
	uint8_t in[257] = { 5, 255 };
	struct socks_server s;
	struct outcome o;

	memset(in + 2, 0x80, 255);
	in[256] = 0;
	for (size_t chunk = 1; chunk < 300; chunk += 37) {
		server_init(&s);
		play(&s, &open_door, in, sizeof(in), chunk, &o);
		ck_assert_int_eq(o.event, SERVER_MORE);
		ck_assert_mem_eq(o.out, "\x05\x00", 2);
	}
}
END_TEST

/* PROTOCOL 6 and 43: bounded, and refused at the octet too many. */
START_TEST(a_socks4_user_has_its_limit)
{
	uint8_t in[8 + 256 + 1] = "\x04\x01\x00\x50\xc0\x00\x02\x01";
	struct socks_server s;
	struct outcome o;

	memset(in + 8, 'u', 255);
	in[8 + 255] = '\0';
	server_init(&s);
	play(&s, &open_door, in, 8 + 256, 64, &o);
	ck_assert_int_eq(o.event, SERVER_REQUEST);
	ck_assert_uint_eq(server_request(&s)->user_len, 255);
	in[8 + 255] = 'u';
	server_init(&s);
	play(&s, &open_door, in, 8 + 255, 64, &o);
	ck_assert_int_eq(o.event, SERVER_MORE);
	server_init(&s);
	play(&s, &open_door, in, 8 + 256, 64, &o);
	ck_assert_int_eq(o.event, SERVER_CLOSE);
	ck_assert_mem_eq(o.out, REJECTED, 8);
}
END_TEST

START_TEST(the_longest_messages_are_taken_whole)
{
	uint8_t in[3 + SOCKS5_USERPASS_MAX + SOCKS5_REQUEST_MAX + 3] = { 5, 1, 2, 1, 255 };
	size_t at = 5;
	struct socks_server s;
	struct outcome o;

	memset(in + at, 'u', 255);
	at += 255;
	in[at++] = 255;
	memset(in + at, 'p', 255);
	at += 255;
	memcpy(in + at, "\x05\x01\x00\x03\xfd", 5);
	at += 5;
	for (int i = 0; i < 253; i++)
		in[at++] = i % 2 ? '.' : 'n';
	in[at++] = 0;
	in[at++] = 80;
	memcpy(in + at, "abc", 3);
	for (size_t chunk = 1; chunk < 800; chunk += 53) {
		server_init(&s);
		play(&s, &right, in, at + 3, chunk, &o);
		ck_assert_int_eq(o.event, SERVER_REQUEST);
		ck_assert_uint_eq(o.used, at);
		ck_assert_uint_eq(strlen(o.credentials), 511);
		ck_assert_uint_eq(server_request(&s)->dst.name_len, 253);
	}
}
END_TEST

static void until_request(struct socks_server *s, const char *in, size_t len)
{
	struct outcome o;

	server_init(s);
	play(s, &open_door, (const uint8_t *)in, len, 4096, &o);
	ck_assert_int_eq(o.event, SERVER_REQUEST);
}

#define CONNECT4 IN("\x04\x01\x00\x50\xc0\x00\x02\x01\x00")
#define BIND4    IN("\x04\x02\x00\x50\xc0\x00\x02\x01\x00")
#define PTR4     IN("\x04\xf1\x00\x50\xc0\x00\x02\x01\x00")
#define CONNECT5 IN(HELLO "\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50")
#define BIND5    IN(HELLO "\x05\x02\x00\x01\xc0\x00\x02\x01\x00\x50")
#define PTR5     IN(HELLO "\x05\xf1\x00\x01\xc0\x00\x02\x01\x00\x50")

static const struct {
	const char *in;
	size_t len;
	int err;
	const char *bnd; /* NULL: NULL */
	const char *out;
	size_t out_len;
} answers[] = {
	{ CONNECT4, 0, "192.0.2.7:1080", IN("\x00\x5a\x04\x38\xc0\x00\x02\x07") },
	{ CONNECT4, 0, NULL, IN("\x00\x5a\x00\x00\x00\x00\x00\x00") },
	{ CONNECT4, 0, "[::1]:1080", IN("\x00\x5a\x04\x38\x00\x00\x00\x00") },
	{ CONNECT4, 0, "a:1080", IN("\x00\x5a\x00\x00\x00\x00\x00\x00") },
	{ CONNECT4, -ETIMEDOUT, "192.0.2.7:1080", IN("\x00\x5b\x00\x00\x00\x00\x00\x00") },
	{ PTR4, 0, "a:0", IN("\x00\x5a\x00\x00\x00\x00\x00\x00") },
	{ CONNECT5, 0, "192.0.2.7:1080", IN("\x05\x00\x00\x01\xc0\x00\x02\x07\x04\x38") },
	{ CONNECT5, 0, "[::1]:1080",
	  IN("\x05\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x04"
	     "\x38") },
	{ CONNECT5, 0, "a:1080", IN("\x05\x00" ZEROS) },
	{ CONNECT5, 0, NULL, IN("\x05\x00" ZEROS) },
	{ CONNECT5, -ETIMEDOUT, "192.0.2.7:1080", IN("\x05\x06" ZEROS) },
	{ CONNECT5, ECONNREFUSED, NULL, IN("\x05\x05" ZEROS) },
	{ CONNECT5, -EMFILE, NULL, IN("\x05\x01" ZEROS) },
	{ PTR5, 0, "a:0",
	  IN("\x05\x00\x00\x03\x01"
	     "a\x00\x00") },
};

START_TEST(answers_are_in_the_requests_protocol)
{
	struct endpoint bnd = unit_endpoint(answers[_i].bnd ? answers[_i].bnd : "");
	bool granted = answers[_i].err == 0;
	struct socks_server s;
	const uint8_t *out;
	size_t n, used;

	until_request(&s, answers[_i].in, answers[_i].len);
	server_answer(&s, answers[_i].err, answers[_i].bnd ? &bnd : NULL);
	out = server_out(&s, &n);
	ck_assert_uint_eq(n, answers[_i].out_len);
	ck_assert_mem_eq(out, answers[_i].out, n);
	ck_assert_int_eq(server_code(&s), out[1]);
	/* It is over: nothing is taken, and no second answer given. */
	ck_assert_int_eq(server_feed(&s, (const uint8_t *)"x", 1, &used),
	                 granted ? SERVER_MORE : SERVER_CLOSE);
	ck_assert_uint_eq(used, 0);
	server_answer(&s, 0, NULL);
	server_out(&s, &n);
	ck_assert_uint_eq(n, answers[_i].out_len);
	server_sent(&s, 10000);
	server_out(&s, &n);
	ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(bind_is_answered_twice)
{
	const struct endpoint first = unit_endpoint("192.0.2.7:1080"),
			      second = unit_endpoint("[::1]:1081");
	struct socks_server s;
	size_t n, used;

	until_request(&s, BIND5);
	server_answer(&s, 0, &first);
	server_answer(&s, 0, &second); /* while the first is not yet sent */
	server_out(&s, &n);
	ck_assert_uint_eq(n, 10 + 22);
	server_answer(&s, 0, &second);
	server_out(&s, &n);
	ck_assert_uint_eq(n, 10 + 22);
	ck_assert_int_eq(server_feed(&s, NULL, 0, &used), SERVER_MORE);

	until_request(&s, BIND4);
	server_answer(&s, 0, &first);
	ck_assert_int_eq(server_feed(&s, NULL, 0, &used), SERVER_MORE);
	server_sent(&s, 8);
	ck_assert_int_eq(server_code(&s), SOCKS4_GRANTED);
	server_answer(&s, -ETIMEDOUT, NULL);
	ck_assert_mem_eq(server_out(&s, &n), REJECTED, 8);
	ck_assert_int_eq(server_code(&s), SOCKS4_REJECTED);
	ck_assert_int_eq(server_feed(&s, NULL, 0, &used), SERVER_CLOSE);
}
END_TEST

START_TEST(all_codes_of_ones_own)
{
	struct socks_server s;
	size_t n, used;

	until_request(&s, CONNECT5);
	server_answer_code(&s, (uint8_t)_i, NULL);
	ck_assert_uint_eq(server_out(&s, &n)[1], _i);
	ck_assert_int_eq(server_code(&s), _i);
	ck_assert_int_eq(server_feed(&s, NULL, 0, &used), _i == 0 ? SERVER_MORE : SERVER_CLOSE);
	until_request(&s, CONNECT4);
	server_answer_code(&s, (uint8_t)_i, NULL);
	ck_assert_uint_eq(server_out(&s, &n)[1], _i);
	ck_assert_int_eq(server_feed(&s, NULL, 0, &used), _i == 0x5a ? SERVER_MORE : SERVER_CLOSE);
}
END_TEST

/* All that one handshake can leave unsent has room. */
START_TEST(answers_queue_up)
{
	struct endpoint bnd;
	char name[255];
	struct socks_server s;
	size_t n, used, at;
	const uint8_t *in = (const uint8_t *)"\x05\x01\x02\x01\x03joe\x06secret"
					     "\x05\xf1\x00\x01\xc0\x00\x02\x01\x00\x50";

	memset(name, 'x', sizeof(name));
	endpoint_set_name(&bnd, name, sizeof(name), 0);
	server_init(&s);
	ck_assert_int_eq(server_feed(&s, in, 25, &used), SERVER_METHOD);
	ck_assert_uint_eq(used, 3);
	ck_assert_int_eq(server_choose(&s, 2), SERVER_MORE);
	ck_assert_int_eq(server_feed(&s, in + 3, 22, &used), SERVER_CREDENTIALS);
	ck_assert_uint_eq(used, 12);
	ck_assert_int_eq(server_accept(&s, true), SERVER_MORE);
	at = 3 + used;
	ck_assert_int_eq(server_feed(&s, in + at, 25 - at, &used), SERVER_REQUEST);
	ck_assert_int_eq(server_code(&s), -1);
	server_answer(&s, 0, &bnd);
	server_out(&s, &n);
	ck_assert_uint_eq(n, 2 + 2 + SOCKS5_REPLY_MAX);
	ck_assert_int_eq(server_code(&s), SOCKS5_SUCCEEDED);
}
END_TEST

START_TEST(judged_credentials_are_wiped)
{
	struct socks_server s;
	size_t used;

	server_init(&s);
	server_feed(&s, (const uint8_t *)"\x05\x01\x02", 3, &used);
	server_choose(&s, 2);
	ck_assert_int_eq(server_feed(&s, (const uint8_t *)"\x01\x01u\x07hunter2", 11, &used),
	                 SERVER_CREDENTIALS);
	server_accept(&s, _i == 1);
	ck_assert_ptr_null(memmem(&s, sizeof(s), "hunter2", 7));
}
END_TEST

/* Calls that fit no event change nothing. */
START_TEST(answers_to_no_question_are_ignored)
{
	struct socks_server s;
	size_t n, used;

	server_init(&s);
	ck_assert_int_eq(server_feed(&s, NULL, 0, &used), SERVER_MORE);
	ck_assert_int_eq(server_choose(&s, 0), SERVER_MORE);
	ck_assert_int_eq(server_accept(&s, true), SERVER_MORE);
	server_answer(&s, 0, NULL);
	server_sent(&s, 5);
	server_out(&s, &n);
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(server_feed(&s, (const uint8_t *)HELLO, 3, &used), SERVER_METHOD);
	ck_assert_int_eq(server_accept(&s, true), SERVER_METHOD);
	server_answer(&s, 0, NULL);
	ck_assert_int_eq(server_choose(&s, 0), SERVER_MORE);
	ck_assert_int_eq(server_choose(&s, 0), SERVER_MORE);
	server_out(&s, &n);
	ck_assert_uint_eq(n, 2);
}
END_TEST

UNIT_MAIN("server", { handshakes_come_out_the_same_however_they_are_cut, ROWS(rows) },
          { a_handshake_waits_at_every_cut, ROWS(rows) }, { browsers_are_told, 9 },
          { all_values_of_the_first_octet, 256 }, { all_values_of_the_command, 256 },
          { all_values_of_a_requests_other_octets, 256 }, { all_values_of_the_method, 256 },
          { the_last_of_255_methods_is_found, 0 }, { a_socks4_user_has_its_limit, 0 },
          { the_longest_messages_are_taken_whole, 0 },
          { answers_are_in_the_requests_protocol, ROWS(answers) }, { bind_is_answered_twice, 0 },
          { all_codes_of_ones_own, 256 }, { answers_queue_up, 0 },
          { judged_credentials_are_wiped, 2 }, { answers_to_no_question_are_ignored, 0 })
