#include <errno.h>
#include <limits.h>
#include <socks/reply.h>
#include <unit.h>

/* PROTOCOL's table: which REP the server gives for an errno. */
static const struct {
	int err;
	uint8_t rep;
} given[] = {
	{ 0, 0x00 },
	{ EMFILE, 0x01 },
	{ ENFILE, 0x01 },
	{ ENOMEM, 0x01 },
	{ EADDRNOTAVAIL, 0x01 },
	{ EACCES, 0x02 },
	{ EPERM, 0x02 },
	{ ENETUNREACH, 0x03 },
	{ ENETDOWN, 0x03 },
	{ EHOSTUNREACH, 0x04 },
	{ EHOSTDOWN, 0x04 },
	{ ECONNREFUSED, 0x05 },
	{ ECONNRESET, 0x05 },
	{ ETIMEDOUT, 0x06 },
	{ EOPNOTSUPP, 0x07 },
	{ EAFNOSUPPORT, 0x08 },
	{ EPROTO, 0x01 },
	{ 99999, 0x01 },
};

START_TEST(each_errno_has_its_rep)
{
	ck_assert_uint_eq(reply_socks5_from_errno(given[_i].err), given[_i].rep);
	ck_assert_uint_eq(reply_socks5_from_errno(-given[_i].err), given[_i].rep);
	ck_assert_uint_eq(reply_socks4_from_errno(given[_i].err), given[_i].err == 0 ? 0x5a : 0x5b);
	ck_assert_uint_eq(reply_socks4_from_errno(-given[_i].err),
	                  given[_i].err == 0 ? 0x5a : 0x5b);
}
END_TEST

START_TEST(the_least_int_is_a_general_failure)
{
	ck_assert_uint_eq(reply_socks5_from_errno(INT_MIN), SOCKS5_GENERAL_FAILURE);
	ck_assert_uint_eq(reply_socks4_from_errno(INT_MIN), SOCKS4_REJECTED);
}
END_TEST

/* What the client's program is told. */
static const struct {
	uint8_t rep;
	int err;
} told[] = {
	{ 0x00, 0 },
	{ 0x01, -EHOSTUNREACH },
	{ 0x02, -EACCES },
	{ 0x03, -ENETUNREACH },
	{ 0x04, -EHOSTUNREACH },
	{ 0x05, -ECONNREFUSED },
	{ 0x06, -ETIMEDOUT },
	{ 0x07, -EACCES },
	{ 0x08, -EAFNOSUPPORT },
	{ 0x09, -EHOSTUNREACH },
	{ 0xef, -EHOSTUNREACH },
	{ 0xf0, -EHOSTUNREACH },
	{ 0xf1, -EHOSTUNREACH },
	{ 0xf2, -EHOSTUNREACH },
	{ 0xf3, -EHOSTUNREACH },
	{ 0xf4, -EACCES },
	{ 0xf5, -EACCES },
	{ 0xf6, -EHOSTUNREACH },
	{ 0xf7, -ETIMEDOUT },
	{ 0xf8, -EHOSTUNREACH },
	{ 0xff, -EHOSTUNREACH },
};

START_TEST(each_rep_has_its_errno)
{
	ck_assert_int_eq(reply_socks5_to_errno(told[_i].rep), told[_i].err);
}
END_TEST

START_TEST(each_socks4_code_has_its_errno)
{
	for (int code = 0; code < 256; code++) {
		int want = -ECONNREFUSED;

		if (code == 0x5a)
			want = 0;
		if (code == 0x5c || code == 0x5d)
			want = -EACCES;
		ck_assert_int_eq(reply_socks4_to_errno((uint8_t)code), want);
	}
}
END_TEST

/* The errnos that connect(2) lists and that a stream through a proxy can show. */
START_TEST(only_what_connect_can_say_is_told)
{
	static const int listed[] = { 0,           EACCES,       EAFNOSUPPORT, ECONNREFUSED,
		                      ENETUNREACH, EHOSTUNREACH, ETIMEDOUT };

	for (int code = 0; code < 256; code++) {
		bool found5 = false, found4 = false;

		for (int i = 0; i < ROWS(listed); i++) {
			found5 |= reply_socks5_to_errno((uint8_t)code) == -listed[i];
			found4 |= reply_socks4_to_errno((uint8_t)code) == -listed[i];
		}
		ck_assert(found5 && found4);
		ck_assert_int_eq(reply_socks5_to_errno((uint8_t)code) == 0, code == 0x00);
		ck_assert_int_eq(reply_socks4_to_errno((uint8_t)code) == 0, code == 0x5a);
	}
}
END_TEST

/* A chain of proxies passes a cause on, but for the two that have no errno of their own. */
START_TEST(the_two_ends_agree)
{
	for (int rep = 0; rep <= 8; rep++) {
		if (rep == SOCKS5_GENERAL_FAILURE || rep == SOCKS5_BAD_COMMAND)
			continue;
		ck_assert_uint_eq(reply_socks5_from_errno(reply_socks5_to_errno((uint8_t)rep)),
		                  rep);
	}
	ck_assert_uint_eq(reply_socks4_from_errno(reply_socks4_to_errno(0x5a)), 0x5a);
	ck_assert_uint_eq(reply_socks4_from_errno(reply_socks4_to_errno(0x5b)), 0x5b);
}
END_TEST

START_TEST(known_codes_have_texts_of_their_own)
{
	for (int a = 0; a < 256; a++) {
		const char *text = reply_socks5_text((uint8_t)a);
		bool known = a <= 8 || (a >= SOCKS5_TOR_FIRST && a <= SOCKS5_TOR_LAST);

		ck_assert_int_eq(strcmp(text, "unknown reply code") != 0, known);
		for (int b = 0; known && b < a; b++)
			ck_assert_str_ne(text, reply_socks5_text((uint8_t)b));
		known = a >= 0x5a && a <= 0x5d;
		text = reply_socks4_text((uint8_t)a);
		ck_assert_int_eq(strcmp(text, "unknown reply code") != 0, known);
		for (int b = 0; known && b < a; b++)
			ck_assert_str_ne(text, reply_socks4_text((uint8_t)b));
	}
}
END_TEST

UNIT_MAIN("reply", { each_errno_has_its_rep, ROWS(given) },
          { the_least_int_is_a_general_failure, 0 }, { each_rep_has_its_errno, ROWS(told) },
          { each_socks4_code_has_its_errno, 0 }, { only_what_connect_can_say_is_told, 0 },
          { the_two_ends_agree, 0 }, { known_codes_have_texts_of_their_own, 0 })
