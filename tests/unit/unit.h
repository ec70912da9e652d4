/*
 * What the unit tests of every room share: a main() from a list of tests, and short ways to say
 * things.
 */
#ifndef UNIT_H
#define UNIT_H

#include <base/endpoint.h>
#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROWS(table) ((int)(sizeof(table) / sizeof((table)[0])))

/* A test, and how often it runs with _i counting up: the rows of its table. */
struct unit_test {
	const TTest *test;
	int rows;
};

#define UNIT_MAIN(title, ...)                                                 \
	int main(void)                                                        \
	{                                                                     \
		const struct unit_test list[] = { __VA_ARGS__ };              \
		return unit_run(title, list, sizeof(list) / sizeof(list[0])); \
	}

static inline int unit_run(const char *title, const struct unit_test *list, size_t n)
{
	Suite *suite = suite_create(title);
	SRunner *runner;
	int failed;

	for (size_t i = 0; i < n; i++) {
		TCase *tcase = tcase_create(list[i].test->name);

		tcase_set_timeout(tcase, 60);
		if (list[i].rows > 0)
			tcase_add_loop_test(tcase, list[i].test, 0, list[i].rows);
		else
			tcase_add_test(tcase, list[i].test);
		suite_add_tcase(suite, tcase);
	}
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* An endpoint from its text; "" is none at all. */
static inline struct endpoint unit_endpoint(const char *text)
{
	struct endpoint ep = { .kind = ENDPOINT_NONE };

	if (*text)
		ck_assert_msg(endpoint_parse(&ep, text) == 0, "bad endpoint in a test: %s", text);
	return ep;
}

#define ck_assert_endpoint_eq(have, want)                                              \
	ck_assert_msg(endpoint_equal(have, want), "%s is not %s", ENDPOINT_TEXT(have), \
	              ENDPOINT_TEXT(want))

/* The seed of random tests, printed so that a failure can be had again: SOCKSIFY_TEST_SEED=N. */
static inline uint64_t unit_seed(void)
{
	const char *set = getenv("SOCKSIFY_TEST_SEED");
	uint64_t seed = set ? strtoull(set, NULL, 0) : (uint64_t)time(NULL) * 2654435761u;

	printf("SOCKSIFY_TEST_SEED=%" PRIu64 "\n", seed);
	fflush(stdout);
	return seed;
}

/* splitmix64: good for any seed, 0 too. */
static inline uint64_t unit_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static inline size_t unit_below(uint64_t *state, size_t n)
{
	return (size_t)(unit_random(state) % n);
}

#endif
