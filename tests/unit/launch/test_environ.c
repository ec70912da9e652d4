#include <errno.h>
#include <launch/environ.h>
#include <unit.h>

#define LIB "/usr/lib/libsocksify.so"

static const struct {
	const char *old, *lib, *want;
} rows[] = {
	{ NULL, LIB, LIB },
	{ "", LIB, LIB },
	{ " : ", LIB, LIB },
	{ "/a.so", LIB, "/a.so:" LIB },
	{ "/a.so /b.so", LIB, "/a.so /b.so:" LIB },
	{ "/a.so:/b.so", LIB, "/a.so:/b.so:" LIB },
	{ " /a.so  :/b.so:", LIB, "/a.so:/b.so:" LIB },
	{ LIB, LIB, LIB },
	{ LIB ":/a.so", LIB, LIB ":/a.so" },
	{ "/a.so " LIB " /b.so", LIB, "/a.so " LIB " /b.so" },
	{ LIB ":/a.so:" LIB, LIB, LIB ":/a.so" },
	{ LIB ".1", LIB, LIB ".1:" LIB },
	{ "/x/alibsocksify.so", LIB, "/x/alibsocksify.so:" LIB },
	/* Ours from elsewhere gives its place to what is known to serve. */
	{ "/x" LIB, LIB, LIB },
	{ "/a.so:libsocksify.so /b.so", LIB, "/a.so:" LIB " /b.so" },
	{ "/a.so:/x/$LIB/libsocksify.so", LIB, "/a.so:" LIB },
	{ "/x" LIB ":/a.so:" LIB ":/b.so", LIB, LIB ":/a.so:/b.so" },
	{ LIB, "libsocksify.so", "libsocksify.so" },
	{ "libsocksify.so", "libsocksify.so", "libsocksify.so" },
};

START_TEST(library_is_there_once_and_the_order_stays)
{
	char buf[256], again[256];
	size_t need;

	ck_assert_int_eq(
		environ_preload(buf, sizeof(buf), rows[_i].old, rows[_i].lib, NULL, NULL, &need),
		0);
	ck_assert_str_eq(buf, rows[_i].want);
	ck_assert_uint_eq(need, strlen(rows[_i].want) + 1);
	ck_assert_int_eq(environ_preload(again, sizeof(again), buf, rows[_i].lib, NULL, NULL, NULL),
	                 0);
	ck_assert_str_eq(again, buf);
}
END_TEST

START_TEST(need_is_told_at_every_capacity)
{
	size_t want = strlen(rows[_i].want) + 1, need = 0;

	for (size_t cap = 0; cap <= want; cap++) {
		char *buf = malloc(cap + 1);

		buf[cap] = 'x';
		ck_assert_int_eq(
			environ_preload(buf, cap, rows[_i].old, rows[_i].lib, NULL, NULL, &need),
			cap < want ? -ENAMETOOLONG : 0);
		ck_assert_uint_eq(need, want);
		ck_assert_int_eq(buf[cap], 'x');
		free(buf);
	}
}
END_TEST

/* Those in /good. */
static bool is_good(const char *entry, size_t len, const void *arg)
{
	ck_assert_str_eq(arg, "as given");
	ck_assert_msg(len < strlen(LIB) || memcmp(entry, LIB, strlen(LIB)) != 0,
	              "@lib itself need not be asked for");
	return len > 6 && memcmp(entry, "/good/", 6) == 0;
}

static const struct {
	const char *old, *want;
} served[] = {
	{ "/good/libsocksify.so", "/good/libsocksify.so" },
	{ "/bad/libsocksify.so", LIB },
	{ "libsocksify.so", LIB },
	{ "/good/a.so", "/good/a.so:" LIB },
	{ "/a.so:/good/$LIB/libsocksify.so:/b.so", "/a.so:/good/$LIB/libsocksify.so:/b.so" },
	{ "/good/libsocksify.so:" LIB " /a.so", "/good/libsocksify.so /a.so" },
	{ LIB ":/good/libsocksify.so", LIB },
	{ "/bad/libsocksify.so:/good/libsocksify.so", LIB },
};

START_TEST(entry_of_ours_that_serves_stays)
{
	char buf[256];

	ck_assert_int_eq(
		environ_preload(buf, sizeof(buf), served[_i].old, LIB, is_good, "as given", NULL),
		0);
	ck_assert_str_eq(buf, served[_i].want);
}
END_TEST

START_TEST(path_that_a_list_cannot_carry_is_refused)
{
	char buf[64];

	ck_assert_int_eq(environ_preload(buf, sizeof(buf), NULL, "/a b/l.so", NULL, NULL, NULL),
	                 -EINVAL);
	ck_assert_int_eq(environ_preload(buf, sizeof(buf), NULL, "/a:b/l.so", NULL, NULL, NULL),
	                 -EINVAL);
	ck_assert_int_eq(environ_preload(buf, sizeof(buf), NULL, "", NULL, NULL, NULL), -EINVAL);
}
END_TEST

static const struct {
	const char *old, *want;
} without[] = {
	{ "", "" },
	{ LIB, "" },
	{ "libsocksify.so", "" },
	{ "/opt/$LIB/libsocksify.so", "" },
	{ "/a.so", "/a.so" },
	{ "/a.so:" LIB, "/a.so" },
	{ LIB ":/a.so", "/a.so" },
	{ "/a.so:" LIB " /b.so", "/a.so /b.so" },
	{ LIB " " LIB ":/a.so:" LIB, "/a.so" },
	{ ":: /a.so :/b.so:", "/a.so:/b.so" },
	{ LIB ".1:/x/alibsocksify.so:socksify.so", LIB ".1:/x/alibsocksify.so:socksify.so" },
};

START_TEST(library_goes_and_the_rest_stays)
{
	char *value = strdup(without[_i].old);

	environ_unpreload(value);
	ck_assert_str_eq(value, without[_i].want);
	free(value);
}
END_TEST

UNIT_MAIN("launch/environ", { library_is_there_once_and_the_order_stays, ROWS(rows) },
          { need_is_told_at_every_capacity, ROWS(rows) },
          { entry_of_ours_that_serves_stays, ROWS(served) },
          { path_that_a_list_cannot_carry_is_refused, 0 },
          { library_goes_and_the_rest_stays, ROWS(without) })
