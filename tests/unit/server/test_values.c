#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <values.h>

static const struct {
	const char *text;
	uint16_t low, high; /* both 0: -EINVAL */
} ports[] = {
	{ "1024-2047", 1024, 2047 },
	{ "1-65535", 1, 65535 },
	{ "65535-65535", 65535, 65535 },
	{ "80", 80, 80 },
	{ "00080-90", 80, 90 },
	{ "", 0, 0 },
	{ "-", 0, 0 },
	{ "-90", 0, 0 },
	{ "80-", 0, 0 },
	{ "90-80", 0, 0 },
	{ "0-80", 0, 0 },
	{ "0", 0, 0 },
	{ "80-65536", 0, 0 },
	{ "99999999999999999999-1", 0, 0 },
	{ "80 -90", 0, 0 },
	{ "80-90-", 0, 0 },
	{ "+80", 0, 0 },
	{ "0x50", 0, 0 },
};

START_TEST(ports_are_one_or_a_range)
{
	struct value_ports v = { .low = 7, .high = 8 };
	bool good = ports[_i].high != 0;

	ck_assert_int_eq(value_ports(ports[_i].text, &v), good ? 0 : -EINVAL);
	ck_assert_uint_eq(v.low, good ? ports[_i].low : 7);
	ck_assert_uint_eq(v.high, good ? ports[_i].high : 8);
}
END_TEST

static const char *const words[] = { "one", "two", "three" };

static const struct {
	const char *text;
	unsigned mask; /* 0: -EINVAL */
} lists[] = {
	{ "one", 1 },      { "three", 4 },    { "one,two,three", 7 },
	{ "two,one", 3 },  { "two,two", 2 },  { "", 0 },
	{ ",", 0 },        { "one,", 0 },     { ",one", 0 },
	{ "one,,two", 0 }, { "one, two", 0 }, { "on", 0 },
	{ "onetwo", 0 },   { "ones", 0 },     { "One", 0 },
};

START_TEST(words_are_a_mask)
{
	unsigned mask = 77, word = 77;
	size_t n = sizeof(words) / sizeof(words[0]);

	ck_assert_int_eq(value_words(lists[_i].text, words, n, &mask),
	                 lists[_i].mask ? 0 : -EINVAL);
	ck_assert_uint_eq(mask, lists[_i].mask ? lists[_i].mask : 77);
	ck_assert_int_eq(value_word(lists[_i].text, words, n, &word), _i < 2 ? 0 : -EINVAL);
	ck_assert_uint_eq(word, _i < 2 ? (unsigned)_i * 2 : 77);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("values");
	TCase *tc = tcase_create("text");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, ports_are_one_or_a_range, 0, sizeof(ports) / sizeof(ports[0]));
	tcase_add_loop_test(tc, words_are_a_mask, 0, sizeof(lists) / sizeof(lists[0]));
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
