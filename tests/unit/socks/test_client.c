#include <errno.h>
#include <socks/client.h>
#include <unit.h>

/* clang-format off */
#define SEND(text) { 's', text, sizeof(text) - 1 }
#define RECV(text) { 'r', text, sizeof(text) - 1 }
#define CLOSED     { 'c', "", 0 }
#define NEXT       { 'n', "", 0 } /* client_next_reply() after the first CLIENT_DONE */
/* clang-format on */

struct step {
	char what;
	const char *octets;
	size_t len;
};

/* A conversation, and how it ends. */
struct talk {
	const char *name;
	enum socks_protocol protocol;
	uint8_t cmd;
	const char *dst, *user, *password;
	bool glue;
	struct step steps[9];
	int err;
	enum client_stage stage;
	int code;
	const char *bound; /* where it ends well */
	const char *why;   /* part of it, where it doesn't */
};

#define V4_REQUEST   "\x04\x01\x00\x50\xc0\x00\x02\x01\x00"
#define V5_GREETING  "\x05\x01\x00"
#define V5_GREETING2 "\x05\x02\x00\x02"
#define V5_REQUEST             \
	"\x05\x01\x00\x03\x0b" \
	"example.org\x00\x50"
#define V5_JOE "\x01\x03joe\x06secret"
#define V5_YES "\x05\x00\x00\x01\xc0\x00\x02\x07\x04\x38"

/* A row is a few lines, not twenty. */
/* clang-format off */
static const struct talk talks[] = {
	{ "SOCKS4", SOCKS_V4, 1, "192.0.2.1:80", "", "", false, { SEND(V4_REQUEST),
	  RECV("\x00\x5a\x00\x00\x00\x00\x00\x00") }, 0, CLIENT_STAGE_OVER, 0x5a, "0.0.0.0:0",
	  NULL },
	{ "SOCKS4, glue changes nothing", SOCKS_V4, 1, "192.0.2.1:80", "", "", true,
	  { SEND(V4_REQUEST), RECV("\x00\x5a\x00\x00\x00\x00\x00\x00") }, 0, CLIENT_STAGE_OVER,
	  0x5a, "0.0.0.0:0", NULL },
	{ "SOCKS4, v4-mapped", SOCKS_V4, 1, "[::ffff:192.0.2.1]:80", "", "", false,
	  { SEND(V4_REQUEST), RECV("\x00\x5a\x00\x00\x00\x00\x00\x00") }, 0, CLIENT_STAGE_OVER,
	  0x5a, "0.0.0.0:0", NULL },
	{ "SOCKS4, reply version 4", SOCKS_V4, 1, "192.0.2.1:80", "joe", "ignored", false,
	  { SEND("\x04\x01\x00\x50\xc0\x00\x02\x01joe\x00"),
	  RECV("\x04\x5a\x04\x38\xc0\x00\x02\x07") }, 0, CLIENT_STAGE_OVER, 0x5a,
	  "192.0.2.7:1080", NULL },
	{ "SOCKS4 refused", SOCKS_V4, 1, "192.0.2.1:80", "", "", false, { SEND(V4_REQUEST),
	  RECV("\x00\x5b\x00\x00\x00\x00\x00\x00") }, -ECONNREFUSED, CLIENT_STAGE_REPLY, 0x5b,
	  NULL, "rejected or failed" },
	{ "SOCKS4 no identd", SOCKS_V4, 1, "192.0.2.1:80", "", "", false, { SEND(V4_REQUEST),
	  RECV("\x00\x5c\x00\x00\x00\x00\x00\x00") }, -EACCES, CLIENT_STAGE_REPLY, 0x5c, NULL,
	  "identd" },
	{ "SOCKS4 refused and cut", SOCKS_V4, 1, "192.0.2.1:80", "", "", false,
	  { SEND(V4_REQUEST), RECV("\x00\x5d\x00"), CLOSED }, -EACCES, CLIENT_STAGE_REPLY, 0x5d,
	  NULL, "another user" },
	{ "SOCKS4 granted and cut", SOCKS_V4, 1, "192.0.2.1:80", "", "", false,
	  { SEND(V4_REQUEST), RECV("\x00\x5a\x00"), CLOSED }, -ECONNREFUSED, CLIENT_STAGE_REPLY,
	  -1, NULL, "closed" },
	{ "SOCKS4 to a SOCKS5 proxy", SOCKS_V4, 1, "192.0.2.1:80", "", "", false,
	  { SEND(V4_REQUEST), RECV("\x05\x01\x00\x01\x00\x00\x00\x00") }, -EPROTO,
	  CLIENT_STAGE_REPLY, -1, NULL, "SOCKS5 only" },
	{ "SOCKS4 to a web server", SOCKS_V4, 1, "192.0.2.1:80", "", "", false,
	  { SEND(V4_REQUEST), RECV("HTTP/1.1") }, -EPROTO, CLIENT_STAGE_REPLY, -1, NULL, "HTTP" },
	{ "SOCKS4 to an SSH server", SOCKS_V4, 1, "192.0.2.1:80", "", "", false,
	  { SEND(V4_REQUEST), RECV("SSH-2.0-") }, -EPROTO, CLIENT_STAGE_REPLY, -1, NULL, "SSH" },
	{ "SOCKS4 to something else", SOCKS_V4, 1, "192.0.2.1:80", "", "", false,
	  { SEND(V4_REQUEST), RECV("220 mail") }, -EPROTO, CLIENT_STAGE_REPLY, -1, NULL,
	  "not SOCKS" },
	{ "SOCKS4 to a TLS server", SOCKS_V4, 1, "192.0.2.1:80", "", "", false,
	  { SEND(V4_REQUEST), RECV("\x15\x03\x01\x00\x02\x02\x46"), CLOSED }, -EPROTO,
	  CLIENT_STAGE_REPLY, -1, NULL, "TLS" },
	{ "SOCKS4 to a SOCKS5 proxy that is short", SOCKS_V4, 1, "192.0.2.1:80", "", "", false,
	  { SEND(V4_REQUEST), RECV("\x05\xff"), CLOSED }, -EPROTO, CLIENT_STAGE_REPLY, -1, NULL,
	  "SOCKS5 only" },
	{ "SOCKS4a", SOCKS_V4A, 1, "example.org:80", "joe", "", false,
	  { SEND("\x04\x01\x00\x50\x00\x00\x00\x01joe\x00" "example.org\x00"),
	  RECV("\x00\x5a\x00\x00\x00\x00\x00\x00") }, 0, CLIENT_STAGE_OVER, 0x5a, "0.0.0.0:0",
	  NULL },
	{ "SOCKS4a RESOLVE", SOCKS_V4A, 0xf0, "example.org:0", "", "", false,
	  { SEND("\x04\xf0\x00\x00\x00\x00\x00\x01\x00" "example.org\x00"),
	  RECV("\x00\x5a\x00\x00\xc0\x00\x02\x07") }, 0, CLIENT_STAGE_OVER, 0x5a, "192.0.2.7:0",
	  NULL },
	{ "SOCKS4 BIND for anybody", SOCKS_V4, 2, "0.0.0.0:0", "", "", false,
	  { SEND("\x04\x02\x00\x00\x00\x00\x00\x00\x00"),
	  RECV("\x00\x5a\x04\x38\xc0\x00\x02\x07"), NEXT,
	  RECV("\x00\x5a\x04\x39\xc0\x00\x02\x08") }, 0, CLIENT_STAGE_OVER, 0x5a,
	  "192.0.2.8:1081", NULL },
	{ "SOCKS5", SOCKS_V5, 1, "example.org:80", "", "", false, { SEND(V5_GREETING),
	  RECV("\x05\x00"), SEND(V5_REQUEST), RECV(V5_YES) }, 0, CLIENT_STAGE_OVER, 0,
	  "192.0.2.7:1080", NULL },
	{ "SOCKS5, v4-mapped", SOCKS_V5, 1, "[::ffff:192.0.2.1]:80", "", "", false,
	  { SEND(V5_GREETING), RECV("\x05\x00"), SEND("\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50"),
	  RECV(V5_YES) }, 0, CLIENT_STAGE_OVER, 0, "192.0.2.7:1080", NULL },
	{ "SOCKS5, IPv6 reply", SOCKS_V5, 1, "192.0.2.1:80", "", "", false, { SEND(V5_GREETING),
	  RECV("\x05\x00"), SEND("\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50"),
	  RECV("\x05\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	       "\x00\x00\x00\x01" "\x04\x38") },
	  0, CLIENT_STAGE_OVER, 0, "[::1]:1080", NULL },
	{ "SOCKS5, reply with a name", SOCKS_V5, 0xf1, "192.0.2.1:0", "", "", false,
	  { SEND(V5_GREETING), RECV("\x05\x00"), SEND("\x05\xf1\x00\x01\xc0\x00\x02\x01\x00\x00"),
	  RECV("\x05\x00\x00\x03\x01" "a\x04\x38") }, 0, CLIENT_STAGE_OVER, 0, "a:1080", NULL },
	{ "SOCKS5 UDP ASSOCIATE", SOCKS_V5, 3, "0.0.0.0:0", "", "", false, { SEND(V5_GREETING),
	  RECV("\x05\x00"), SEND("\x05\x03\x00\x01\x00\x00\x00\x00\x00\x00"), RECV(V5_YES) }, 0,
	  CLIENT_STAGE_OVER, 0, "192.0.2.7:1080", NULL },
	{ "SOCKS5 BIND", SOCKS_V5, 2, "192.0.2.1:0", "", "", false, { SEND(V5_GREETING),
	  RECV("\x05\x00"), SEND("\x05\x02\x00\x01\xc0\x00\x02\x01\x00\x00"), RECV(V5_YES), NEXT,
	  RECV("\x05\x00\x00\x03\x01" "b\x04\x39") }, 0, CLIENT_STAGE_OVER, 0, "b:1081", NULL },
	{ "SOCKS5 BIND, nobody came", SOCKS_V5, 2, "192.0.2.1:0", "", "", false,
	  { SEND(V5_GREETING), RECV("\x05\x00"), SEND("\x05\x02\x00\x01\xc0\x00\x02\x01\x00\x00"),
	  RECV(V5_YES), NEXT, RECV("\x05\x06\x00\x01\x00\x00\x00\x00\x00\x00") }, -ETIMEDOUT,
	  CLIENT_STAGE_SECOND_REPLY, 6, NULL, "did not answer" },
	{ "SOCKS5 BIND, closed", SOCKS_V5, 2, "192.0.2.1:0", "", "", false, { SEND(V5_GREETING),
	  RECV("\x05\x00"), SEND("\x05\x02\x00\x01\xc0\x00\x02\x01\x00\x00"), RECV(V5_YES), NEXT,
	  CLOSED }, -ECONNREFUSED, CLIENT_STAGE_SECOND_REPLY, 0, NULL, "closed" },
	{ "SOCKS5, credentials unused", SOCKS_V5, 1, "example.org:80", "joe", "secret", false,
	  { SEND(V5_GREETING2), RECV("\x05\x00"), SEND(V5_REQUEST), RECV(V5_YES) }, 0,
	  CLIENT_STAGE_OVER, 0, "192.0.2.7:1080", NULL },
	{ "SOCKS5, credentials", SOCKS_V5, 1, "example.org:80", "joe", "secret", false,
	  { SEND(V5_GREETING2), RECV("\x05\x02"), SEND(V5_JOE), RECV("\x01\x00"),
	  SEND(V5_REQUEST), RECV(V5_YES) }, 0, CLIENT_STAGE_OVER, 0, "192.0.2.7:1080", NULL },
	{ "SOCKS5, no password", SOCKS_V5, 1, "example.org:80", "joe", "", false,
	  { SEND(V5_GREETING2), RECV("\x05\x02"), SEND("\x01\x03joe\x00"), RECV("\x05\x00"),
	  SEND(V5_REQUEST), RECV(V5_YES) }, 0, CLIENT_STAGE_OVER, 0, "192.0.2.7:1080", NULL },
	{ "SOCKS5, credentials refused", SOCKS_V5, 1, "example.org:80", "joe", "secret", false,
	  { SEND(V5_GREETING2), RECV("\x05\x02"), SEND(V5_JOE), RECV("\x01\x01") }, -EACCES,
	  CLIENT_STAGE_CREDENTIALS, -1, NULL, "refuses this user and password" },
	{ "SOCKS5, credentials answered with nonsense", SOCKS_V5, 1, "example.org:80", "joe",
	  "secret", false, { SEND(V5_GREETING2), RECV("\x05\x02"), SEND(V5_JOE),
	  RECV("\x02\x00") }, -EPROTO, CLIENT_STAGE_CREDENTIALS, -1, NULL, "not SOCKS" },
	{ "SOCKS5, credentials wanted", SOCKS_V5, 1, "example.org:80", "", "", false,
	  { SEND(V5_GREETING), RECV("\x05\x02") }, -EACCES, CLIENT_STAGE_METHOD, -1, NULL,
	  "wants a user and password, and none is set" },
	{ "SOCKS5, no method", SOCKS_V5, 1, "example.org:80", "", "", false, { SEND(V5_GREETING),
	  RECV("\x05\xff") }, -EACCES, CLIENT_STAGE_METHOD, -1, NULL, "no user is set" },
	{ "SOCKS5, no method but credentials", SOCKS_V5, 1, "example.org:80", "joe", "secret",
	  false, { SEND(V5_GREETING2), RECV("\x05\xff") }, -EACCES, CLIENT_STAGE_METHOD, -1, NULL,
	  "neither" },
	{ "SOCKS5, GSSAPI unasked", SOCKS_V5, 1, "example.org:80", "", "", false,
	  { SEND(V5_GREETING), RECV("\x05\x01") }, -EPROTO, CLIENT_STAGE_METHOD, -1, NULL,
	  "GSSAPI" },
	{ "SOCKS5 to a SOCKS4 proxy", SOCKS_V5, 1, "example.org:80", "", "", false,
	  { SEND(V5_GREETING), RECV("\x00\x5b") }, -EPROTO, CLIENT_STAGE_METHOD, -1, NULL,
	  "SOCKS4 only" },
	{ "SOCKS5 to zeros", SOCKS_V5, 1, "example.org:80", "", "", false, { SEND(V5_GREETING),
	  RECV("\x00\x00") }, -EPROTO, CLIENT_STAGE_METHOD, -1, NULL, "not SOCKS" },
	{ "SOCKS5 to more than SOCKS4's codes", SOCKS_V5, 1, "example.org:80", "", "", false,
	  { SEND(V5_GREETING), RECV("\x00\x5e") }, -EPROTO, CLIENT_STAGE_METHOD, -1, NULL,
	  "not SOCKS" },
	{ "SOCKS5 to a web server", SOCKS_V5, 1, "example.org:80", "", "", false,
	  { SEND(V5_GREETING), RECV("HT") }, -EPROTO, CLIENT_STAGE_METHOD, -1, NULL, "HTTP" },
	{ "SOCKS5 to a TLS server", SOCKS_V5, 1, "example.org:80", "", "", false,
	  { SEND(V5_GREETING), RECV("\x15\x03") }, -EPROTO, CLIENT_STAGE_METHOD, -1, NULL, "TLS" },
	{ "SOCKS5 to a TLS server that talks", SOCKS_V5, 1, "example.org:80", "", "", false,
	  { SEND(V5_GREETING), RECV("\x16\x03") }, -EPROTO, CLIENT_STAGE_METHOD, -1, NULL, "TLS" },
	{ "SOCKS5 to an SSH server", SOCKS_V5, 1, "example.org:80", "", "", false,
	  { SEND(V5_GREETING), RECV("SS") }, -EPROTO, CLIENT_STAGE_METHOD, -1, NULL, "SSH" },
	{ "SOCKS5, an odd method", SOCKS_V5, 1, "example.org:80", "", "", false,
	  { SEND(V5_GREETING), RECV("\x05\x80") }, -EPROTO, CLIENT_STAGE_METHOD, -1, NULL,
	  "not offered" },
	{ "SOCKS5, closed after the greeting", SOCKS_V5, 1, "example.org:80", "", "", false,
	  { SEND(V5_GREETING), CLOSED }, -ECONNREFUSED, CLIENT_STAGE_METHOD, -1, NULL, "closed" },
	{ "SOCKS5, closed in the method", SOCKS_V5, 1, "example.org:80", "", "", false,
	  { SEND(V5_GREETING), RECV("\x05"), CLOSED }, -ECONNREFUSED, CLIENT_STAGE_METHOD, -1,
	  NULL, "closed" },
	{ "SOCKS5, closed in the reply", SOCKS_V5, 1, "example.org:80", "", "", false,
	  { SEND(V5_GREETING), RECV("\x05\x00"), SEND(V5_REQUEST), RECV("\x05"), CLOSED },
	  -ECONNREFUSED, CLIENT_STAGE_REPLY, -1, NULL, "closed" },
	{ "SOCKS5, granted and cut", SOCKS_V5, 1, "example.org:80", "", "", false,
	  { SEND(V5_GREETING), RECV("\x05\x00"), SEND(V5_REQUEST), RECV("\x05\x00\x00\x01\x00"),
	  CLOSED }, -ECONNREFUSED, CLIENT_STAGE_REPLY, -1, NULL, "closed" },
	{ "SOCKS5, refused and cut", SOCKS_V5, 1, "example.org:80", "", "", false,
	  { SEND(V5_GREETING), RECV("\x05\x00"), SEND(V5_REQUEST), RECV("\x05\x05"), CLOSED },
	  -ECONNREFUSED, CLIENT_STAGE_REPLY, 5, NULL, "refused by the destination" },
	{ "SOCKS5, refused without an ATYP", SOCKS_V5, 1, "example.org:80", "", "", false,
	  { SEND(V5_GREETING), RECV("\x05\x00"), SEND(V5_REQUEST), RECV("\x05\x03\x00\x00") },
	  -ENETUNREACH, CLIENT_STAGE_REPLY, 3, NULL, "unreachable" },
	{ "SOCKS5, granted without an ATYP", SOCKS_V5, 1, "example.org:80", "", "", false,
	  { SEND(V5_GREETING), RECV("\x05\x00"), SEND(V5_REQUEST), RECV("\x05\x00\x00\x00") },
	  -EPROTO, CLIENT_STAGE_REPLY, -1, NULL, "not SOCKS" },
	{ "SOCKS5, a reply of another version", SOCKS_V5, 1, "example.org:80", "", "", false,
	  { SEND(V5_GREETING), RECV("\x05\x00"), SEND(V5_REQUEST), RECV("\x04\x01\x00\x01") },
	  -EPROTO, CLIENT_STAGE_REPLY, -1, NULL, "not SOCKS" },
	{ "glued", SOCKS_V5, 1, "example.org:80", "", "", true, { SEND(V5_GREETING V5_REQUEST),
	  RECV("\x05\x00"), RECV(V5_YES) }, 0, CLIENT_STAGE_OVER, 0, "192.0.2.7:1080", NULL },
	{ "glued, with credentials", SOCKS_V5, 1, "example.org:80", "joe", "secret", true,
	  { SEND("\x05\x01\x02" V5_JOE V5_REQUEST), RECV("\x05\x02"), RECV("\x01\x00"),
	  RECV(V5_YES) }, 0, CLIENT_STAGE_OVER, 0, "192.0.2.7:1080", NULL },
	{ "glued, credentials refused", SOCKS_V5, 1, "example.org:80", "joe", "secret", true,
	  { SEND("\x05\x01\x02" V5_JOE V5_REQUEST), RECV("\x05\x02"), RECV("\x01\xff") }, -EACCES,
	  CLIENT_STAGE_CREDENTIALS, -1, NULL, "refuses" },
	{ "glued, credentials not wanted", SOCKS_V5, 1, "example.org:80", "joe", "secret", true,
	  { SEND("\x05\x01\x02" V5_JOE V5_REQUEST), RECV("\x05\x00") }, -EPROTO,
	  CLIENT_STAGE_METHOD, -1, NULL, "not offered" },
	{ "glued, credentials wanted", SOCKS_V5, 1, "example.org:80", "", "", true,
	  { SEND(V5_GREETING V5_REQUEST), RECV("\x05\x02") }, -EACCES, CLIENT_STAGE_METHOD, -1,
	  NULL, "none is set" },
};
/* clang-format on */

static int init(struct socks_client *c, const struct talk *t)
{
	struct endpoint dst = unit_endpoint(t->dst);
	const struct client_params params = {
		.protocol = t->protocol,
		.cmd = t->cmd,
		.dst = &dst,
		.user = t->user,
		.user_len = strlen(t->user),
		.password = t->password,
		.password_len = strlen(t->password),
		.glue = t->glue,
	};
	int err = client_init(c, &params);

	memset(&dst, 0xff, sizeof(dst)); /* it was copied */
	return err;
}

static void play_send(struct socks_client *c, const struct step *step, size_t chunk)
{
	size_t done = 0, n, len;

	while (done < step->len) {
		ck_assert_int_eq(client_want(c, &n), CLIENT_SEND);
		ck_assert_uint_eq(n, step->len - done);
		ck_assert_mem_eq(client_out(c, &len), step->octets + done, n);
		ck_assert_uint_eq(len, n);
		ck_assert_int_eq(client_result(c), -EINPROGRESS);
		n = n < chunk ? n : chunk;
		client_sent(c, n);
		done += n;
	}
}

static void play_recv(struct socks_client *c, const struct step *step, size_t chunk, bool cut)
{
	size_t done = 0, n;

	while (done < step->len) {
		ck_assert_int_eq(client_want(c, &n), CLIENT_RECV);
		ck_assert_uint_gt(n, 0);
		/* The one promise of all: not an octet beyond the message. */
		if (!cut)
			ck_assert_uint_le(n, step->len - done);
		ck_assert_int_eq(client_result(c), -EINPROGRESS);
		if (n > step->len - done)
			n = step->len - done;
		n = n < chunk ? n : chunk;
		client_feed(c, (const uint8_t *)step->octets + done, n);
		done += n;
	}
}

static void play(const struct talk *t, size_t chunk)
{
	struct socks_client c;

	ck_assert_int_eq(init(&c, t), 0);
	for (const struct step *step = t->steps; step->what; step++) {
		if (step->what == 's')
			play_send(&c, step, chunk);
		if (step->what == 'r')
			play_recv(&c, step, chunk, step[1].what == 'c');
		if (step->what == 'c')
			client_feed(&c, NULL, 0);
		if (step->what == 'n') {
			ck_assert_int_eq(client_want(&c, NULL), CLIENT_DONE);
			ck_assert_int_eq(client_result(&c), 0);
			client_next_reply(&c);
			ck_assert_int_eq(client_where(&c), CLIENT_STAGE_SECOND_REPLY);
		}
	}
	ck_assert_msg(client_result(&c) == t->err, "%s: %d", t->name, client_result(&c));
	ck_assert_int_eq(client_want(&c, NULL), t->err ? CLIENT_FAILED : CLIENT_DONE);
	ck_assert_int_eq(client_where(&c), t->stage);
	ck_assert_int_eq(client_code(&c), t->code);
	if (t->bound)
		ck_assert_str_eq(ENDPOINT_TEXT(client_bound(&c)), t->bound);
	if (t->why)
		ck_assert_msg(strstr(client_why(&c), t->why) != NULL, "%s: %s", t->name,
		              client_why(&c));
	else
		ck_assert_str_eq(client_why(&c), "");
}

START_TEST(talks_end_as_they_must_however_they_are_cut)
{
	for (size_t chunk = 1; chunk < 12; chunk++)
		play(&talks[_i], chunk);
	play(&talks[_i], 4096);
}
END_TEST

/*
 * Wherever the proxy closes, before a send too, the machine fails, and calls after that change
 * nothing.
 */
START_TEST(a_close_ends_it_anywhere)
{
	const struct talk *t = &talks[_i];
	struct socks_client c;

	for (size_t stop = 0; stop < 8 && t->steps[stop].what; stop++) {
		size_t len, n;

		if (t->steps[stop].what != 'r' && t->steps[stop].what != 's')
			continue;
		ck_assert_int_eq(init(&c, t), 0);
		for (size_t i = 0; i < stop; i++) {
			if (t->steps[i].what == 's')
				play_send(&c, &t->steps[i], 4096);
			if (t->steps[i].what == 'r')
				play_recv(&c, &t->steps[i], 4096, false);
			if (t->steps[i].what == 'n')
				client_next_reply(&c);
		}
		client_feed(&c, NULL, 0);
		ck_assert_int_eq(client_result(&c), -ECONNREFUSED);
		client_feed(&c, (const uint8_t *)"\x05\x00", 2);
		client_sent(&c, 100);
		client_next_reply(&c);
		ck_assert_int_eq(client_result(&c), -ECONNREFUSED);
		ck_assert_int_eq(client_want(&c, &n), CLIENT_FAILED);
		ck_assert_uint_eq(n, 0);
		client_out(&c, &len);
		ck_assert_uint_eq(len, 0);
	}
}
END_TEST

/* Calls that a confused driver might make. */
START_TEST(more_than_was_asked_for_is_not_taken)
{
	struct socks_client c;
	size_t n;

	ck_assert_int_eq(init(&c, &talks[0]), 0);
	client_feed(&c, (const uint8_t *)"\x00\x5a", 2);
	ck_assert_int_eq(client_want(&c, NULL), CLIENT_SEND);
	client_sent(&c, 100000);
	ck_assert_int_eq(client_want(&c, &n), CLIENT_RECV);
	client_feed(&c, (const uint8_t *)"\x00\x5a\x00\x50\xc0\x00\x02\x01xxxxxxxx", 16);
	ck_assert_int_eq(client_want(&c, &n), CLIENT_DONE);
	ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(all_values_of_the_method)
{
	const uint8_t in[] = { 5, (uint8_t)_i };
	struct talk t = {
		.protocol = SOCKS_V5, .cmd = 1, .dst = "a:1", .user = "", .password = ""
	};
	struct socks_client c;

	ck_assert_int_eq(init(&c, &t), 0);
	client_sent(&c, 3);
	client_feed(&c, in, 2);
	if (_i == 0)
		ck_assert_int_eq(client_want(&c, NULL), CLIENT_SEND);
	else
		ck_assert_int_eq(client_result(&c), _i == 2 || _i == 255 ? -EACCES : -EPROTO);
}
END_TEST

START_TEST(all_values_of_the_status)
{
	const uint8_t in[] = { 1, (uint8_t)_i };
	struct talk t = {
		.protocol = SOCKS_V5, .cmd = 1, .dst = "a:1", .user = "u", .password = "p"
	};
	struct socks_client c;

	ck_assert_int_eq(init(&c, &t), 0);
	client_sent(&c, 4);
	client_feed(&c, (const uint8_t *)"\x05\x02", 2);
	client_sent(&c, 5);
	client_feed(&c, in, 2);
	ck_assert_int_eq(client_result(&c), _i == 0 ? -EINPROGRESS : -EACCES);
}
END_TEST

START_TEST(all_values_of_the_code)
{
	const uint8_t in5[] = { 5, (uint8_t)_i, 0, 1, 0, 0, 0, 0, 0, 0 };
	const uint8_t in4[] = { 0, (uint8_t)_i, 0, 0, 0, 0, 0, 0 };
	struct talk t = { .protocol = SOCKS_V5,
		          .cmd = 1,
		          .dst = "1.2.3.4:1",
		          .user = "",
		          .password = "",
		          .glue = true };
	struct socks_client c;

	ck_assert_int_eq(init(&c, &t), 0);
	client_sent(&c, 13);
	client_feed(&c, (const uint8_t *)"\x05\x00", 2);
	client_feed(&c, in5, 4);
	client_feed(&c, in5 + 4, 6);
	ck_assert_int_eq(client_want(&c, NULL), _i == 0 ? CLIENT_DONE : CLIENT_FAILED);
	ck_assert_int_eq(client_code(&c), _i);

	t.protocol = SOCKS_V4;
	ck_assert_int_eq(init(&c, &t), 0);
	client_sent(&c, 9);
	client_feed(&c, in4, 8);
	ck_assert_int_eq(client_want(&c, NULL), _i == 0x5a ? CLIENT_DONE : CLIENT_FAILED);
	ck_assert_int_eq(client_code(&c), _i);
}
END_TEST

static const struct {
	enum socks_protocol protocol;
	uint8_t cmd;
	const char *dst, *user, *password;
	int err;
} refused[] = {
	{ SOCKS_V4, 1, "", "", "", -EINVAL },
	{ SOCKS_V5, 1, "", "", "", -EINVAL },
	{ SOCKS_V4, 1, "[::1]:1", "", "", -EAFNOSUPPORT },
	{ SOCKS_V4A, 1, "[::1]:1", "", "", -EAFNOSUPPORT },
	{ SOCKS_V4, 1, "a:1", "", "", -EAFNOSUPPORT },
	{ SOCKS_V4, 3, "1.2.3.4:1", "", "", -EAFNOSUPPORT },
	{ SOCKS_V4A, 3, "a:1", "", "", -EAFNOSUPPORT },
	{ SOCKS_V4, 1, "0.0.0.1:1", "", "", -EHOSTUNREACH },
	{ SOCKS_V4A, 1, "0.0.0.255:1", "", "", -EHOSTUNREACH },
	{ SOCKS_V5, 1, "a:1", "", "secret", -EINVAL },
};

START_TEST(what_cannot_be_asked_fails_at_once)
{
	const struct talk t = { .protocol = refused[_i].protocol,
		                .cmd = refused[_i].cmd,
		                .dst = refused[_i].dst,
		                .user = refused[_i].user,
		                .password = refused[_i].password };
	struct socks_client c;
	size_t n = 1;

	ck_assert_int_eq(init(&c, &t), refused[_i].err);
	ck_assert_int_eq(client_result(&c), refused[_i].err);
	ck_assert_int_eq(client_want(&c, &n), CLIENT_FAILED);
	ck_assert_uint_eq(n, 0);
	ck_assert_str_ne(client_why(&c), "");
	ck_assert_int_ne(client_cause(&c), CLIENT_CAUSE_NONE);
}
END_TEST

START_TEST(a_missing_destination_fails_at_once)
{
	const struct client_params params = { .protocol = SOCKS_V5, .cmd = 1 };
	struct socks_client c;

	ck_assert_int_eq(client_init(&c, &params), -EINVAL);
}
END_TEST

START_TEST(credentials_have_their_limits)
{
	const struct endpoint dst = unit_endpoint("1.2.3.4:1");
	char octets[256];
	struct client_params params = { .cmd = 1, .dst = &dst, .user = octets, .password = octets };
	struct socks_client c;

	memset(octets, 'x', sizeof(octets));
	for (int protocol = SOCKS_V4; protocol <= SOCKS_V5; protocol++) {
		bool v5 = protocol == SOCKS_V5;

		params.protocol = (enum socks_protocol)protocol;
		params.user_len = 255;
		params.password_len = 255;
		ck_assert_int_eq(client_init(&c, &params), 0);
		params.user_len = 256;
		ck_assert_int_eq(client_init(&c, &params), -EINVAL);
		params.user_len = 1;
		params.password_len = 256;
		ck_assert_int_eq(client_init(&c, &params), v5 ? -EINVAL : 0);
		params.password_len = 1;
		params.user_len = 200;
		octets[100] = '\0';
		ck_assert_int_eq(client_init(&c, &params), v5 ? 0 : -EINVAL);
		octets[100] = 'x';
	}
}
END_TEST

START_TEST(the_longest_handshake_fits)
{
	struct endpoint dst;
	char octets[255];
	const struct client_params params = { .protocol = SOCKS_V5,
		                              .cmd = 1,
		                              .dst = &dst,
		                              .user = octets,
		                              .user_len = 255,
		                              .password = octets,
		                              .password_len = 255,
		                              .glue = true };
	struct socks_client c;
	size_t n;

	memset(octets, 'x', sizeof(octets));
	ck_assert_int_eq(endpoint_set_name(&dst, octets, 255, 1), 0);
	ck_assert_int_eq(client_init(&c, &params), 0);
	client_want(&c, &n);
	ck_assert_uint_eq(n, 3 + SOCKS5_USERPASS_MAX + SOCKS5_REQUEST_MAX);
}
END_TEST

START_TEST(a_sent_password_is_forgotten)
{
	struct talk t = { .protocol = SOCKS_V5,
		          .cmd = 1,
		          .dst = "a:1",
		          .user = "u",
		          .password = "hunter2",
		          .glue = _i == 1 };
	struct socks_client c;

	ck_assert_int_eq(init(&c, &t), 0);
	client_sent(&c, 10000);
	client_feed(&c, (const uint8_t *)"\x05\x02", 2);
	client_sent(&c, 10000);
	ck_assert_ptr_null(memmem(&c, sizeof(c), "hunter2", 7));
}
END_TEST

START_TEST(a_message_and_its_answer_are_one_stage_to_people)
{
	static const char *const words[] = {
		[CLIENT_STAGE_GREETING] = "method",
		[CLIENT_STAGE_METHOD] = "method",
		[CLIENT_STAGE_CREDENTIALS] = "credentials",
		[CLIENT_STAGE_REQUEST] = "request",
		[CLIENT_STAGE_REPLY] = "request",
		[CLIENT_STAGE_SECOND_REPLY] = "second reply",
		[CLIENT_STAGE_OVER] = "over",
	};

	for (int i = 0; i < ROWS(words); i++)
		ck_assert_str_eq(client_stage_text((enum client_stage)i), words[i]);
}
END_TEST

START_TEST(what_was_heard_instead_is_kept)
{
	struct talk t = {
		.protocol = SOCKS_V5, .cmd = 1, .dst = "a:1", .user = "", .password = ""
	};
	struct socks_client c;
	size_t len;

	ck_assert_int_eq(init(&c, &t), 0);
	client_sent(&c, 3);
	client_heard(&c, &len);
	ck_assert_uint_eq(len, 0);
	client_feed(&c, (const uint8_t *)"22", 2);
	ck_assert_int_eq(client_cause(&c), CLIENT_CAUSE_NOISE);
	ck_assert_mem_eq(client_heard(&c, &len), "22", 2);
	ck_assert_uint_eq(len, 2);
}
END_TEST

UNIT_MAIN("client", { talks_end_as_they_must_however_they_are_cut, ROWS(talks) },
          { a_close_ends_it_anywhere, ROWS(talks) }, { more_than_was_asked_for_is_not_taken, 0 },
          { all_values_of_the_method, 256 }, { all_values_of_the_status, 256 },
          { all_values_of_the_code, 256 }, { what_cannot_be_asked_fails_at_once, ROWS(refused) },
          { a_missing_destination_fails_at_once, 0 }, { credentials_have_their_limits, 0 },
          { the_longest_handshake_fits, 0 }, { a_sent_password_is_forgotten, 2 },
          { a_message_and_its_answer_are_one_stage_to_people, 0 },
          { what_was_heard_instead_is_kept, 0 })
