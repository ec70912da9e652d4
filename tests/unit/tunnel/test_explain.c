#include "unit.h"

#include <errno.h>
#include <socks/reply.h>
#include <tunnel/explain.h>

#define V5  "socks5h://192.0.2.1"
#define V4A "socks4a://192.0.2.1"

/* A report, and what is to be told of it. @advice: part of it, or "" for none at all. */
static const struct {
	const char *url;
	bool reached, hop;
	enum client_stage stage;
	enum client_cause cause;
	int code;
	const char *why, *heard;
	int err;
	const char *text, *advice;
} rows[] = {
	/* TCP to the proxy. */
	{ V5, false, true, 0, 0, -1, NULL, "", ECONNREFUSED,
	  "connection refused: nothing listens there", "is socksifyd" },
	{ V5, false, true, 0, 0, -1, NULL, "", ETIMEDOUT,
	  "connection timed out: a firewall drops it, or nobody is there", "SOCKSIFY_TIMEOUT" },
	{ V5, false, true, 0, 0, -1, NULL, "", ENETUNREACH, "network is unreachable", "a route" },
	{ V5, false, true, 0, 0, -1, NULL, "", EHOSTUNREACH, "no route to host", "address" },
	{ V5, false, true, 0, 0, -1, NULL, "", EPERM,
	  "operation not permitted: this machine's firewall or a sandbox forbids it", "" },
	{ V5, false, true, 0, 0, -1, NULL, "", EMFILE, "too many open files in this process", "" },
	/* Not even that. */
	{ "proxy.test", false, false, 0, 0, -1, NULL, "", EHOSTUNREACH,
	  "the proxy's name has no address", "DNS" },
	{ V5, false, false, 0, 0, -1, NULL, "", EAFNOSUPPORT, "address family not supported", "" },
	{ V5, false, false, 0, 0, -1, "words of the caller", "", EIO, "words of the caller", "" },
	{ V4A, false, false, 0, CLIENT_CAUSE_IPV6, -1, "SOCKS4 knows no IPv6 addresses", "",
	  EAFNOSUPPORT, "SOCKS4 knows no IPv6 addresses", "socks5" },
	{ V4A, false, false, 0, CLIENT_CAUSE_NAME, -1, "SOCKS4 knows no names; SOCKS4a does", "",
	  EAFNOSUPPORT, "SOCKS4 knows no names; SOCKS4a does", "socks4a" },
	/* The proxy hung up, or was silent. */
	{ V5, true, true, CLIENT_STAGE_GREETING, CLIENT_CAUSE_CLOSED, -1, "x", "", ECONNREFUSED,
	  "the proxy closed the connection at the greeting", "SOCKS4" },
	{ V5, true, true, CLIENT_STAGE_METHOD, CLIENT_CAUSE_CLOSED, -1, "x", "", ECONNREFUSED,
	  "the proxy closed the connection at the greeting", "HTTP" },
	{ V5, true, true, CLIENT_STAGE_CREDENTIALS, CLIENT_CAUSE_CLOSED, -1, "x", "", ECONNREFUSED,
	  "the proxy closed the connection at the credentials", "check both" },
	{ V5, true, true, CLIENT_STAGE_REPLY, CLIENT_CAUSE_CLOSED, -1, "x", "", ECONNREFUSED,
	  "the proxy closed the connection at the request", "log" },
	{ V5, true, true, CLIENT_STAGE_REQUEST, CLIENT_CAUSE_CLOSED, -1, "x", "", ECONNREFUSED,
	  "the proxy closed the connection at the request", "log" },
	{ V4A, true, true, CLIENT_STAGE_REPLY, CLIENT_CAUSE_CLOSED, -1, "x", "", ECONNREFUSED,
	  "the proxy closed the connection at the request", "socks5h://" },
	{ V5, true, true, CLIENT_STAGE_METHOD, 0, -1, NULL, "", ETIMEDOUT,
	  "the proxy did not answer the greeting", "socks4a://" },
	{ V5, true, true, CLIENT_STAGE_CREDENTIALS, 0, -1, NULL, "", ETIMEDOUT,
	  "the proxy did not answer the credentials", "log" },
	{ V5, true, true, CLIENT_STAGE_REPLY, 0, -1, NULL, "", ETIMEDOUT,
	  "the proxy did not answer the request", "SOCKSIFY_TIMEOUT" },
	{ V4A, true, true, CLIENT_STAGE_REPLY, 0, -1, NULL, "", ETIMEDOUT,
	  "the proxy did not answer the request", "socks5h://" },
	/* Out of memory while waiting is nobody's fault but ours. */
	{ V5, true, true, CLIENT_STAGE_REPLY, 0, -1, NULL, "", ENOMEM, "out of memory", "" },
	{ V5, true, true, CLIENT_STAGE_REPLY, 0, -1, NULL, "", ECONNREFUSED, "connection refused",
	  "" },
	/* What it is instead. */
	{ V5, true, true, CLIENT_STAGE_METHOD, CLIENT_CAUSE_HTTP, -1, "H", "HT", EPROTO, "H",
	  "SOCKS alone" },
	{ V5, true, true, CLIENT_STAGE_METHOD, CLIENT_CAUSE_HTTP, -1, "H", "HTTP/1.0 200\r\nx",
	  EPROTO, "H; it says \"HTTP/1.0 200\"", "SOCKS alone" },
	{ V5, true, true, CLIENT_STAGE_METHOD, CLIENT_CAUSE_SSH, -1, "S", "SSH-2.0-x\n", EPROTO,
	  "S; it says \"SSH-2.0-x\"", "ssh -D" },
	{ V5, true, true, CLIENT_STAGE_METHOD, CLIENT_CAUSE_TLS, -1, "T", "\x15\3\1", EPROTO, "T",
	  "SOCKS alone" },
	{ V5, true, true, CLIENT_STAGE_METHOD, CLIENT_CAUSE_NOISE, -1, "N",
	  "\1\2\3\4\5\6\7\x80\x81", EPROTO, "N; it says 01 02 03 04 05 06 07 80", "SOCKS alone" },
	{ V5, true, true, CLIENT_STAGE_METHOD, CLIENT_CAUSE_NOISE, -1, "N", "", EPROTO, "N",
	  "SOCKS alone" },
	{ V5, true, true, CLIENT_STAGE_METHOD, CLIENT_CAUSE_SOCKS4, -1, "4", "", EPROTO, "4",
	  "socks4a://" },
	{ V4A, true, true, CLIENT_STAGE_REPLY, CLIENT_CAUSE_SOCKS5, -1, "5", "", EPROTO, "5",
	  "socks5h://" },
	/* What it wants. */
	{ V5, true, true, CLIENT_STAGE_METHOD, CLIENT_CAUSE_WANTS_SOME, -1, "w", "", EACCES, "w",
	  "SOCKSIFY_USER" },
	{ V5, true, true, CLIENT_STAGE_METHOD, CLIENT_CAUSE_WANTS_PASSWORD, -1, "w", "", EACCES,
	  "w", "SOCKSIFY_USER" },
	{ V5, true, true, CLIENT_STAGE_METHOD, CLIENT_CAUSE_WANTS_OTHER, -1, "w", "", EACCES, "w",
	  "GSSAPI" },
	{ V5, true, true, CLIENT_STAGE_METHOD, CLIENT_CAUSE_WANTS_GSSAPI, -1, "w", "", EPROTO, "w",
	  "ask" },
	{ V5, true, true, CLIENT_STAGE_CREDENTIALS, CLIENT_CAUSE_CREDENTIALS, -1, "w", "", EACCES,
	  "the proxy refuses this user, for whom no password is set", "SOCKSIFY_PASSWORD_FILE" },
	{ "socks5h://u:p@192.0.2.1", true, true, CLIENT_STAGE_CREDENTIALS, CLIENT_CAUSE_CREDENTIALS,
	  -1, "w", "", EACCES, "w", "%40" },
	/* Its reply: the words are reply.c's, and the advice knows the version. */
	{ V5, true, true, CLIENT_STAGE_REPLY, CLIENT_CAUSE_REPLY, 0x02, "r", "", EACCES,
	  "r (reply 02)", "NO_PROXY" },
	{ V5, true, true, CLIENT_STAGE_REPLY, CLIENT_CAUSE_REPLY, 0xf4, "r", "", EACCES,
	  "r (reply f4)", "Tor" },
	{ V5, true, true, CLIENT_STAGE_REPLY, CLIENT_CAUSE_REPLY, 0x5b, "r", "", EHOSTUNREACH,
	  "r (reply 5b)", "log" },
	{ V4A, true, true, CLIENT_STAGE_REPLY, CLIENT_CAUSE_REPLY, 0x5b, "r", "", ECONNREFUSED,
	  "r (reply 5b)", "socks5h://" },
	{ V4A, true, true, CLIENT_STAGE_REPLY, CLIENT_CAUSE_REPLY, 0x5c, "r", "", EACCES,
	  "r (reply 5c)", "identd" },
	{ V4A, true, true, CLIENT_STAGE_REPLY, CLIENT_CAUSE_REPLY, 0x05, "r", "", ECONNREFUSED,
	  "r (reply 05)", "log" },
	/* A reply that says "timed out" is no deadline of ours. */
	{ V5, true, true, CLIENT_STAGE_REPLY, CLIENT_CAUSE_REPLY, 0x06, "r", "", ETIMEDOUT,
	  "r (reply 06)", "down" },
};

static struct proxy proxy_of(const char *url)
{
	struct complaint why;
	struct proxy px;

	ck_assert_int_eq(url_parse(url, &px, &why), 0);
	return px;
}

START_TEST(each_failure_has_its_words)
{
	const struct proxy px = proxy_of(rows[_i].url);
	struct dial_report r = { .reached = rows[_i].reached,
		                 .stage = rows[_i].stage,
		                 .cause = rows[_i].cause,
		                 .code = rows[_i].code,
		                 .why = rows[_i].why,
		                 .n_heard = strlen(rows[_i].heard) };
	struct explanation out;

	if (rows[_i].hop)
		r.hop = unit_endpoint("192.0.2.1:1080");
	memcpy(r.heard, rows[_i].heard, r.n_heard);
	explain_failure(&px, &r, -rows[_i].err, &out);
	ck_assert_str_eq(out.cause, rows[_i].text);
	if (rows[_i].advice[0])
		ck_assert_msg(strstr(out.advice, rows[_i].advice) != NULL, "%s: %s", out.cause,
		              out.advice);
	else
		ck_assert_str_eq(out.advice, "");
}
END_TEST

/* Every code that has a name has advice of its own, and the longest words fit. */
START_TEST(each_code_has_advice)
{
	const struct proxy px = proxy_of(V5);
	struct dial_report r = { .reached = true,
		                 .hop = unit_endpoint("192.0.2.1:1080"),
		                 .stage = CLIENT_STAGE_REPLY,
		                 .cause = CLIENT_CAUSE_REPLY,
		                 .code = _i,
		                 .why = reply_socks5_text((uint8_t)_i) };
	struct explanation out, unknown;

	if (_i == SOCKS5_SUCCEEDED)
		return;
	r.code = 0x63;
	explain_failure(&px, &r, -EHOSTUNREACH, &unknown);
	r.code = _i;
	explain_failure(&px, &r, reply_socks5_to_errno((uint8_t)_i), &out);
	ck_assert_str_ne(out.advice, "");
	ck_assert_int_eq(out.advice == unknown.advice, strcmp(r.why, reply_socks5_text(0x63)) == 0);
	ck_assert_uint_lt(strlen(out.cause), EXPLAIN_CAUSE_MAX - 1);
}
END_TEST

START_TEST(nothing_that_was_heard_leaves_its_line)
{
	const struct proxy px = proxy_of(V5);
	struct dial_report r = { .reached = true,
		                 .hop = unit_endpoint("192.0.2.1:1080"),
		                 .stage = CLIENT_STAGE_METHOD,
		                 .cause = CLIENT_CAUSE_NOISE,
		                 .code = -1,
		                 .why = "N",
		                 .n_heard = DIAL_HEARD_MAX };
	struct explanation out;

	/* Any octet, at the head of a text and within it. */
	memset(r.heard, 'a', sizeof(r.heard));
	r.heard[0] = (uint8_t)_i;
	r.heard[5] = (uint8_t)_i;
	explain_failure(&px, &r, -EPROTO, &out);
	for (const char *at = out.cause; *at; at++)
		ck_assert_msg(*at >= ' ' && *at < 0x7f, "octet %02x", (unsigned)*at);
}
END_TEST

UNIT_MAIN("tunnel explain", { each_failure_has_its_words, ROWS(rows) },
          { each_code_has_advice, 256 }, { nothing_that_was_heard_leaves_its_line, 256 })
