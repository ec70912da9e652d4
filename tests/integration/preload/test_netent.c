/* What /etc/networks says is shown as libc's own "files" shows it, and the DNS is not asked. */
#include "alone.h"
#include "libc.h"
#include "under.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LINES     10
#define TEXT_ROOM 8192

static const char lines[] = "# networks\n"
			    "default\t\t0.0.0.0\n"
			    "loopback\t127.0.0.0 Lo # a comment\n"
			    "link-local 169.254.0.0\n"
			    "short 10\n"
			    "two 172.16 Second  b2\n"
			    "hex 0x0a.1\n"
			    "octal 010.0.0.1\n"
			    "bad 999 b2\n"
			    "long 1.2.3.4.5\n";

static void write_networks(char text[TEXT_ROOM])
{
	char *to = text + sprintf(text, "%s  many 192.0.2", lines);

	for (int i = 0; i < 300; i++)
		to += sprintf(to, " alias-%d.many", i);
	strcpy(to, "\n"); /* without it glibc 2.36 gets the last alias wrong */
}

static const char *show(const struct netent *ne, char *text, size_t len)
{
	FILE *f = fmemopen(text, len, "w");

	if (ne) {
		fprintf(f, "%s (%d) %x", ne->n_name, ne->n_addrtype, ne->n_net);
		for (char **a = ne->n_aliases; *a; a++)
			fprintf(f, " %s", *a);
	} else {
		fputs("none", f);
	}
	fclose(f);
	return text;
}

#define SHOW(ne) show(ne, (char[TEXT_ROOM]){ 0 }, TEXT_ROOM)

/* Texts that are longer than check can tell. */
#define assert_same(a, b)                                                              \
	do {                                                                           \
		const char *one = (a), *other = (b);                                   \
		ck_assert_msg(strcmp(one, other) == 0, "%.300s | %.300s", one, other); \
	} while (0)

/* libc is shown the files alone where it would ask otherwise. */
static const char *const names[] = { "default", "loopback", "LOOPBACK",     "lo",
	                             "short",   "second",   "b2",           "hex",
	                             "octal",   "many",     "alias-7.many", "bad" };

START_TEST(network_of_a_name_is_libcs)
{
	assert_same(SHOW(getnetbyname(names[_i])), SHOW(LIBC(getnetbyname)(names[_i])));
	ck_assert_int_eq(alone_questions(), 0);
}
END_TEST

static const uint32_t numbers[] = { 0,          0x7f000000, 0xa9fe0000, 0x0a000000, 0xac100000,
	                            0x0a010000, 0x08000001, 0xffffffff, 0xc0000200 };

START_TEST(network_of_a_number_is_libcs)
{
	const int families[] = { AF_INET, AF_UNSPEC };

	for (int i = 0; i < 2; i++)
		assert_same(SHOW(getnetbyaddr(numbers[_i], families[i])),
		            SHOW(LIBC(getnetbyaddr)(numbers[_i], families[i])));
	ck_assert_int_eq(alone_questions(), 0);
}
END_TEST

static bool is_none(const struct netent *ne)
{
	bool none = !ne && errno == 77 && h_errno == HOST_NOT_FOUND;

	errno = 77;
	h_errno = 78;
	return none;
}

/* libc's would ask the DNS for each of these: it has a name server here that counts. */
START_TEST(what_is_not_listed_asks_nobody)
{
	char buf[256];
	struct netent ret, *res = &ret;
	int herr = 0;

	errno = 77;
	ck_assert(is_none(getnetbyname("unlisted.test")));
	ck_assert(is_none(getnetbyname("")));
	ck_assert(is_none(getnetbyaddr(10, AF_INET)));
	ck_assert(is_none(getnetbyaddr(0xc6336400, AF_INET)));
	ck_assert(is_none(getnetbyaddr(0x7f000000, AF_INET6)));
	ck_assert_int_eq(getnetbyname_r("unlisted.test", &ret, buf, 256, &res, &herr), 0);
	ck_assert_ptr_null(res);
	ck_assert_int_eq(herr, HOST_NOT_FOUND);
	res = &ret;
	ck_assert_int_eq(getnetbyaddr_r(0xc6336400, AF_INET, &ret, buf, 256, &res, &herr), 0);
	ck_assert_ptr_null(res);
	ck_assert_int_eq(errno, 77);
	ck_assert_int_eq(alone_questions(), 0);
	ck_assert_ptr_null(LIBC(getnetbyname)("unlisted.test"));
	ck_assert_int_gt(alone_questions(), 0);
}
END_TEST

START_TEST(small_buffers_are_told_until_it_fits)
{
	struct netent ret, *res;
	int herr, err;
	char buf[256];

	for (size_t len = 0; len < 200; len++) {
		memset(buf, '#', sizeof(buf));
		errno = 77;
		err = getnetbyname_r("two", &ret, buf, len, &res, &herr);
		ck_assert_int_eq(buf[len], '#');
		ck_assert(err == 0 || err == ERANGE);
		ck_assert_int_eq(errno, err == 0 ? 77 : ERANGE);
		ck_assert_int_eq(herr, err == 0 ? NETDB_SUCCESS : NETDB_INTERNAL);
		if (err == 0)
			assert_same(SHOW(res), "two (2) ac100000 Second b2");
		else
			ck_assert_ptr_null(res);
		ck_assert_int_eq(err,
		                 getnetbyaddr_r(0xac100000, AF_INET, &ret, buf, len, &res, &herr));
	}
	ck_assert_int_eq(err, 0);
}
END_TEST

START_TEST(walk_is_libcs)
{
	struct netent *ours, *libcs;
	int n = 0;

	setnetent(1);
	LIBC(setnetent)(1);
	do {
		errno = 77;
		ours = getnetent();
		ck_assert_int_eq(errno, 77);
		libcs = LIBC(getnetent)();
		assert_same(SHOW(ours), SHOW(libcs));
		n += ours != NULL;
	} while (ours);
	ck_assert_int_eq(n, LINES);
	endnetent();
	LIBC(endnetent)();
	assert_same(SHOW(getnetent()), SHOW(LIBC(getnetent)()));
}
END_TEST

START_TEST(line_that_does_not_fit_is_not_lost)
{
	char buf[TEXT_ROOM];
	struct netent ret, *res;
	int herr, err, n = 0;
	size_t len = 0;

	setnetent(0);
	LIBC(setnetent)(0);
	do {
		err = getnetent_r(&ret, buf, len, &res, &herr);
		if (err == ERANGE) {
			ck_assert_ptr_null(res);
			len++;
			continue;
		}
		assert_same(SHOW(res), SHOW(LIBC(getnetent)()));
		n += err == 0;
		len = 0;
	} while (err == 0 || err == ERANGE);
	ck_assert_int_eq(err, ENOENT);
	ck_assert_ptr_null(res);
	ck_assert_int_eq(n, LINES);
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("netent");
	TCase *tc = tcase_create("netent");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, network_of_a_name_is_libcs, 0, sizeof(names) / sizeof(*names));
	tcase_add_loop_test(tc, network_of_a_number_is_libcs, 0,
	                    sizeof(numbers) / sizeof(*numbers));
	tcase_add_test(tc, small_buffers_are_told_until_it_fits);
	tcase_add_test(tc, walk_is_libcs);
	tcase_add_test(tc, line_that_does_not_fit_is_not_lost);
	tcase_add_test(tc, what_is_not_listed_asks_nobody);
	suite_add_tcase(s, tc);
	return s;
}

int main(int argc, char **argv)
{
	char text[TEXT_ROOM];

	write_networks(text);
	if (!under_is_second_run() &&
	    (!alone_begin() || !alone_cover("/etc/networks", text) ||
	     !alone_cover("/etc/nsswitch.conf", "hosts: files dns\nnetworks: files dns\n"))) {
		fprintf(stderr, "no namespaces of one's own here, or no /etc/networks\n");
		return 77; /* meson's "skipped" */
	}
	return under_main(argc, argv, UNDER_IPV4, make);
}
