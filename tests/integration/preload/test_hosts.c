/* What /etc/hosts says is shown as libc's own "files" shows it: held to libc itself. */
#include "alone.h"
#include "libc.h"
#include "under.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES      11
#define ALIASES    300
#define HOSTS_ROOM 8192

static const char lines[] = "::1\tip6-LocalHost ip6-loopback\n"
			    "127.0.0.1 Loop.test LocalDomain # a comment\n"
			    "::ffff:192.0.2.77 mapped\n"
			    "192.0.2.1 One.Example one\n"
			    "nonsense\n"
			    "2001:db8::1 Six.Example one two\n"
			    "192.0.2.2 one.example alias2\n"
			    "  192.0.2.3   Again  One#glued\n"
			    "127.0.0.1 lh\n"
			    "192.0.2.4 Mixed.CASE mixed\n"
			    "192.0.2.5 mixed.case\r\n"
			    "192.0.2.6 MIXED\n";

/* And one that is larger than any buffer would be. */
static void write_hosts(char text[HOSTS_ROOM])
{
	char *to = text + sprintf(text, "%s192.0.2.9 many", lines);

	for (int i = 0; i < ALIASES; i++)
		to += sprintf(to, " alias-%d.many", i);
	strcpy(to, "\n");
}

static const char *show(const struct hostent *he, char *text, size_t len)
{
	FILE *f = fmemopen(text, len, "w");
	char ip[INET6_ADDRSTRLEN];

	if (he) {
		fprintf(f, "%s (%d, %d)", he->h_name, he->h_addrtype, he->h_length);
		for (char **a = he->h_aliases; *a; a++)
			fprintf(f, " %s", *a);
		for (char **a = he->h_addr_list; *a; a++)
			fprintf(f, " [%s]", inet_ntop(he->h_addrtype, *a, ip, sizeof(ip)));
	} else {
		fputs("none", f);
	}
	fclose(f);
	return text;
}

#define SHOW(he) show(he, (char[HOSTS_ROOM]){ 0 }, HOSTS_ROOM)

/* Texts that are longer than check can tell. */
#define assert_same(a, b)                                                              \
	do {                                                                           \
		const char *one = (a), *other = (b);                                   \
		ck_assert_msg(strcmp(one, other) == 0, "%.300s | %.300s", one, other); \
	} while (0)

static const char *const names[] = {
	"loop.TEST", "localdomain", "ip6-loopback", "ip6-localhost",  "mapped",
	"one",       "ONE.example", "two",          "again",          "lh",
	"mixed",     "Mixed.Case",  "many",         "alias-299.many", "192.0.2.1",
};
#define N_NAMES (int)(sizeof(names) / sizeof(*names))

START_TEST(names_and_aliases_are_libcs)
{
	const char *name = names[_i];
	const int families[] = { AF_INET, AF_INET6 };

	assert_same(SHOW(gethostbyname(name)), SHOW(LIBC(gethostbyname)(name)));
	for (int i = 0; i < 2; i++)
		assert_same(SHOW(gethostbyname2(name, families[i])),
		            SHOW(LIBC(gethostbyname2)(name, families[i])));
	ck_assert_int_eq(alone_questions(), 0);
}
END_TEST

START_TEST(canonical_name_is_libcs)
{
	const int families[] = { AF_UNSPEC, AF_INET, AF_INET6, AF_INET6 };
	/* glibc 2.36 finds no v4-mapped address in the file when it is asked for such. */
	const int flags[] = { 0, 0, 0, strcmp(names[_i], "mapped") == 0 ? 0 : AI_V4MAPPED };

	for (int i = 0; i < 4; i++) {
		struct addrinfo hints = { .ai_flags = AI_CANONNAME | flags[i],
			                  .ai_family = families[i],
			                  .ai_socktype = SOCK_STREAM },
				*ours, *libcs, *a, *b;
		int err = getaddrinfo(names[_i], "80", &hints, &ours);

		ck_assert_int_eq(err, LIBC(getaddrinfo)(names[_i], "80", &hints, &libcs));
		if (err != 0)
			continue;
		ck_assert_str_eq(ours->ai_canonname, libcs->ai_canonname);
		for (a = ours, b = libcs; a && b; a = a->ai_next, b = b->ai_next)
			ck_assert_int_eq(a->ai_flags, b->ai_flags);
		ck_assert(!a && !b);
		freeaddrinfo(ours);
		freeaddrinfo(libcs);
	}
	ck_assert_int_eq(alone_questions(), 0);
}
END_TEST

START_TEST(small_buffers_are_told_until_it_fits)
{
	struct hostent ret, *res;
	int herr = 0, err = ERANGE;
	char buf[512];
	size_t len = 0;

	for (; err == ERANGE; len++) {
		memset(buf, '#', sizeof(buf));
		errno = 0;
		err = gethostbyname2_r("one", AF_INET, &ret, buf, len, &res, &herr);
		ck_assert_int_eq(buf[len], '#');
		if (err == 0)
			break;
		ck_assert_int_eq(err, ERANGE);
		ck_assert_int_eq(errno, ERANGE);
		ck_assert_int_eq(herr, NETDB_INTERNAL);
		ck_assert_ptr_null(res);
		ck_assert_uint_lt(len, sizeof(buf));
	}
	assert_same(SHOW(res), SHOW(LIBC(gethostbyname)("one")));
}
END_TEST

START_TEST(name_without_a_line_is_called_as_asked)
{
	struct addrinfo hints = { .ai_flags = AI_CANONNAME, .ai_family = AF_INET }, *ai;

	assert_same(SHOW(gethostbyname("Dev.localhost")), "Dev.localhost (2, 4) [127.0.0.1]");
	ck_assert_int_eq(getaddrinfo("Dev.localhost", NULL, &hints, &ai), 0);
	ck_assert_str_eq(ai->ai_canonname, "Dev.localhost");
	freeaddrinfo(ai);
}
END_TEST

/* Else a program that looks for NAT64 would take a placeholder for its prefix (RFC 8880). */
START_TEST(ipv4only_has_no_ipv6_address)
{
	struct addrinfo hints = { .ai_family = AF_INET6, .ai_socktype = SOCK_STREAM }, *ai;

	ck_assert_int_eq(getaddrinfo("ipv4only.arpa", "80", &hints, &ai), EAI_NONAME);
	hints.ai_family = AF_UNSPEC;
	ck_assert_int_eq(getaddrinfo("ipv4only.arpa", "80", &hints, &ai), 0);
	ck_assert_int_eq(ai->ai_family, AF_INET);
	ck_assert_ptr_nonnull(ai->ai_next);
	ck_assert_ptr_null(ai->ai_next->ai_next);
	freeaddrinfo(ai);
	ck_assert_ptr_null(gethostbyname2("ipv4only.arpa", AF_INET6));
	assert_same(SHOW(gethostbyname("ipv4only.arpa")),
	            "ipv4only.arpa (2, 4) [192.0.0.170] [192.0.0.171]");
}
END_TEST

START_TEST(walk_is_libcs)
{
	struct hostent *ours, *libcs;
	int n = 0;

	sethostent(1);
	LIBC(sethostent)(1);
	do {
		errno = 77;
		h_errno = 78;
		ours = gethostent();
		ck_assert_int_eq(errno, 77);
		ck_assert_int_eq(h_errno, ours ? 78 : HOST_NOT_FOUND);
		libcs = LIBC(gethostent)();
		assert_same(SHOW(ours), SHOW(libcs));
		n += ours != NULL;
	} while (ours);
	ck_assert_int_eq(n, LINES);
	ck_assert_ptr_null(gethostent());
	endhostent();
	LIBC(endhostent)();
	assert_same(SHOW(gethostent()), SHOW(LIBC(gethostent)()));
	sethostent(0);
	assert_same(SHOW(gethostent()), "ip6-LocalHost (2, 4) ip6-loopback [127.0.0.1]");
	endhostent();
	LIBC(endhostent)();
}
END_TEST

START_TEST(line_that_does_not_fit_is_not_lost)
{
	char buf[HOSTS_ROOM];
	struct hostent ret, *res;
	int herr, err, n = 0;
	size_t len = 0;

	endhostent();
	LIBC(endhostent)();
	do {
		errno = 77;
		err = gethostent_r(&ret, buf, len, &res, &herr);
		if (err == ERANGE) {
			ck_assert_int_eq(errno, ERANGE);
			ck_assert_int_eq(herr, NETDB_INTERNAL);
			ck_assert_ptr_null(res);
			len++;
			continue;
		}
		ck_assert_int_eq(errno, 77);
		assert_same(SHOW(res), SHOW(LIBC(gethostent)()));
		n += err == 0;
		len = 0;
	} while (err == 0 || err == ERANGE);
	ck_assert_int_eq(err, ENOENT);
	ck_assert_int_eq(herr, HOST_NOT_FOUND);
	ck_assert_int_eq(n, LINES);
}
END_TEST

static atomic_int shown[256];

static void *walk(void *arg)
{
	char buf[HOSTS_ROOM];
	struct hostent ret, *res;
	int herr;

	while (gethostent_r(&ret, buf, sizeof(buf), &res, &herr) == 0)
		shown[(unsigned char)res->h_addr_list[0][3]]++;
	return arg;
}

START_TEST(threads_share_one_walk)
{
	pthread_t threads[8];

	for (int round = 0; round < 50; round++) {
		memset(shown, 0, sizeof(shown));
		sethostent(0);
		for (int i = 0; i < 8; i++)
			ck_assert_int_eq(pthread_create(&threads[i], NULL, walk, NULL), 0);
		for (int i = 0; i < 8; i++)
			pthread_join(threads[i], NULL);
		ck_assert_int_eq(shown[1], 4); /* 127.0.0.1 three times */
		ck_assert_int_eq(shown[2], 1);
		ck_assert_int_eq(shown[9], 1);
	}
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("hosts");
	TCase *tc = tcase_create("hosts");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, names_and_aliases_are_libcs, 0, N_NAMES);
	tcase_add_loop_test(tc, canonical_name_is_libcs, 0, N_NAMES);
	tcase_add_test(tc, small_buffers_are_told_until_it_fits);
	tcase_add_test(tc, name_without_a_line_is_called_as_asked);
	tcase_add_test(tc, ipv4only_has_no_ipv6_address);
	tcase_add_test(tc, walk_is_libcs);
	tcase_add_test(tc, line_that_does_not_fit_is_not_lost);
	tcase_add_test(tc, threads_share_one_walk);
	suite_add_tcase(s, tc);
	return s;
}

int main(int argc, char **argv)
{
	char text[HOSTS_ROOM];

	write_hosts(text);
	/* libc is to say what its files say, and never to ask. */
	if (!under_is_second_run() &&
	    (!alone_begin() || !alone_cover("/etc/hosts", text) ||
	     !alone_cover("/etc/nsswitch.conf", "hosts: files\nnetworks: files\n"))) {
		fprintf(stderr, "no namespaces of one's own here\n");
		return 77; /* meson's "skipped" */
	}
	return under_main(argc, argv, UNDER_IPV4, make);
}
