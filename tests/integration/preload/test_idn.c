/* International names: encoded and decoded by libidn2, where libc would, and as libc would. */
#include "routes.h"

#include <dlfcn.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNICODE "b\303\274cher.test"
#define ASCII   "xn--bcher-kva.test"

/* Of libidn2, which may be missing: names are refused then, as libc refuses them. */
static bool have_idn;

static int ask(const char *name, int flags, struct addrinfo **ai)
{
	const struct addrinfo hints = { .ai_family = AF_INET,
		                        .ai_socktype = SOCK_STREAM,
		                        .ai_flags = flags };

	*ai = NULL;
	return getaddrinfo(name, NULL, &hints, ai);
}

static void check_name(const struct addrinfo *ai, int flags, const char *want)
{
	char name[256];

	ck_assert_int_eq(
		getnameinfo(ai->ai_addr, ai->ai_addrlen, name, sizeof(name), NULL, 0, flags), 0);
	ck_assert_str_eq(name, want);
}

START_TEST(a_name_is_asked_for_as_dns_has_it)
{
	struct addrinfo *ai;
	int err = ask(UNICODE, AI_IDN | AI_CANONNAME, &ai);

	if (!have_idn) {
		ck_assert_int_eq(err, EAI_IDN_ENCODE);
		return;
	}
	ck_assert_int_eq(err, 0);
	ck_assert_str_eq(ai->ai_canonname, ASCII);
	ck_assert_int_eq(ai->ai_flags, AI_IDN | AI_CANONNAME);
	check_name(ai, 0, ASCII);
	check_name(ai, NI_IDN, UNICODE);
	freeaddrinfo(ai);
}
END_TEST

START_TEST(a_canonical_name_is_decoded)
{
	struct addrinfo *ai;

	ck_assert_int_eq(ask(ASCII, AI_CANONNAME | AI_CANONIDN, &ai), 0);
	ck_assert_str_eq(ai->ai_canonname, have_idn ? UNICODE : ASCII);
	check_name(ai, NI_IDN, have_idn ? UNICODE : ASCII);
	freeaddrinfo(ai);
	ck_assert_int_eq(ask("plain.test", AI_IDN | AI_CANONNAME | AI_CANONIDN, &ai), 0);
	ck_assert_str_eq(ai->ai_canonname, "plain.test");
	check_name(ai, NI_IDN, "plain.test");
	freeaddrinfo(ai);
}
END_TEST

START_TEST(what_cant_be_encoded_is_told)
{
	static const char *const rows[] = {
		"b\303\274\\cher.test", /* an escape */
		"b\374cher.test",       /* not UTF-8 */
		"\355\240\200.test",    /* half a pair of UTF-16 */
	};
	struct addrinfo *ai;

	ck_assert_int_eq(ask(rows[_i], AI_IDN, &ai), EAI_IDN_ENCODE);
	ck_assert_ptr_null(ai);
}
END_TEST

/* Decoded it is longer or shorter: the buffer is for what is shown. */
START_TEST(a_small_buffer_is_told)
{
	struct addrinfo *ai;
	char name[64];

	ck_assert_int_eq(ask(ASCII, 0, &ai), 0);
	ck_assert_int_eq(getnameinfo(ai->ai_addr, ai->ai_addrlen, name,
	                             have_idn ? sizeof(UNICODE) : sizeof(ASCII), NULL, 0, NI_IDN),
	                 0);
	ck_assert_int_eq(getnameinfo(ai->ai_addr, ai->ai_addrlen, name, sizeof(UNICODE) - 1, NULL,
	                             0, NI_IDN),
	                 EAI_OVERFLOW);
	freeaddrinfo(ai);
}
END_TEST

START_TEST(without_the_flag_octets_are_the_proxys)
{
	struct addrinfo *ai;

	ck_assert_int_eq(ask(UNICODE, 0, &ai), 0);
	check_name(ai, 0, UNICODE);
	freeaddrinfo(ai);
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("idn");
	TCase *tc = tcase_create("idn");
	void *library = dlopen("libidn2.so.0", RTLD_LAZY);

	have_idn = library != NULL;
	if (library)
		dlclose(library);
	setlocale(LC_ALL, "C.UTF-8");
	tcase_add_test(tc, a_name_is_asked_for_as_dns_has_it);
	tcase_add_test(tc, a_canonical_name_is_decoded);
	tcase_add_loop_test(tc, what_cant_be_encoded_is_told, 0, 3);
	tcase_add_test(tc, a_small_buffer_is_told);
	tcase_add_test(tc, without_the_flag_octets_are_the_proxys);
	suite_add_tcase(s, tc);
	return s;
}

int main(int argc, char **argv)
{
	return under_main(argc, argv, UNDER_IPV4, make);
}
