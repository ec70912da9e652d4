#include <unit.h>
#include <wrapper/summary.h>

/* What is printed of a file, without the prefix of its lines. */
static const char *told(const char *text, size_t len)
{
	static char out[64 * 1024], plain[64 * 1024];
	char *copy = malloc(len + 1);
	struct summary s;
	size_t n = 0;
	FILE *f = fmemopen(out, sizeof(out), "w");

	ck_assert_ptr_nonnull(copy);
	ck_assert_ptr_nonnull(f);
	memcpy(copy, text, len);
	ck_assert_int_eq(summary_init(&s, copy, len), 0);
	summary_print(f, &s);
	fclose(f);
	summary_fini(&s);
	free(copy);
	for (const char *at = out; *at; at = strchr(at, '\n') + 1) {
		size_t line = strcspn(at, "\n") + 1;

		ck_assert_int_eq(strncmp(at, SUMMARY_PREFIX, strlen(SUMMARY_PREFIX)), 0);
		memcpy(plain + n, at + strlen(SUMMARY_PREFIX), line - strlen(SUMMARY_PREFIX));
		n += line - strlen(SUMMARY_PREFIX);
	}
	plain[n] = '\0';
	for (size_t i = 0; i < n; i++)
		ck_assert(plain[i] == '\n' || (plain[i] >= 0x20 && plain[i] < 0x7f));
	return plain;
}

/* clang-format off */
static const struct {
	const char *file, *told;
} rows[] = {
	{ "", "nothing was refused, nothing went past the proxy, no program ran without a network, "
	      "nothing used the proxy\n" },
	/* In the order of the kinds, each once, with its programs in order. */
	{ "proxied\t3\tgit\ta:443\t\n"
	  "refused\t2\tdig\t192.0.2.1:53\twhy\n"
	  "closed\t7\tsh\t/bin/b\tis static\n"
	  "proxied\t1\tcurl\ta:443\t\n"
	  "direct\t1\tcurl\tb:1\ta rule\n",
	  "refused: 192.0.2.1:53: why (dig)\n"
	  "run without a network: /bin/b: is static (sh)\n"
	  "direct: b:1: a rule (curl)\n"
	  "through the proxy: a:443 (curl, git)\n" },
	/* Processes are counted where they are more than the programs. */
	{ "refused\t1\ta\tx\ty\nrefused\t2\ta\tx\ty\nrefused\t2\ta\tx\ty\nproxied\t1\ta\tz\t\n"
	  "open\t1\ta\tx\ty\nnot-run\t1\ta\tx\ty\n",
	  "refused: x: y (a; 2 processes)\n"
	  "not run: x: y (a)\n"
	  "past the proxy, and not watched: x: y (a)\n"
	  "through the proxy: z (a)\n" },
	/* Other reasons are other lines. */
	{ "refused\t1\ta\tx\ty\nrefused\t1\ta\tx\tz\nfailed\t1\ta\tx\t\nasked\t1\ta\tx\ty\n"
	  "closed\t1\ta\tx\ty\n",
	  "refused: x: y (a)\nrefused: x: z (a)\nrun without a network: x: y (a)\n"
	  "asked of this machine's resolver: x: y (a)\nnot reached by the proxy: x (a)\n" },
	{ "refused\t1\ta\tx\ty\nrefused\t2\tb\tx\ty\nrefused\t3\tc\tx\ty\nrefused\t4\td\tx\ty\n"
	  "refused\t5\te\tx\ty\n",
	  "refused: x: y (a, b, c, d, ...; 5 processes)\n"
	  "nothing went past the proxy, no program ran without a network, nothing used the "
	  "proxy\n" },
	{ "loopback\t1\ta\t127.0.0.1:1\t\nloopback\t2\ta\t127.0.0.1:1\t\n"
	  "loopback\t1\ta\t[::1]:1\t\n",
	  "loopback: 2 destinations\n"
	  "nothing was refused, nothing went past the proxy, no program ran without a network, "
	  "nothing used the proxy\n" },
	/* The last line is cut, or another's. */
	{ "refused\t1\ta\tx\ty\ndirect\t1\ta\tx",
	  "refused: x: y (a)\n"
	  "nothing went past the proxy, no program ran without a network, nothing used the proxy\n"
	  "1 line of its file can't be read: some program wrote there, and what is told may be "
	  "wrong\n" },
	{ "\n\033[2J\nrefused\t1\ta\tx\033\ty\n",
	  "nothing was refused, nothing went past the proxy, no program ran without a network, "
	  "nothing used the proxy\n"
	  "3 lines of its file can't be read: some program wrote there, and what is told may be "
	  "wrong\n" },
};
/* clang-format on */

START_TEST(each_thing_is_told_once)
{
	ck_assert_str_eq(told(rows[_i].file, strlen(rows[_i].file)), rows[_i].told);
}
END_TEST

START_TEST(a_file_cut_anywhere_is_told_of)
{
	const char *file = rows[1].file;

	for (size_t n = 0; n <= strlen(file); n++)
		told(file, n);
}
END_TEST

START_TEST(no_octet_gets_to_the_terminal)
{
	char file[4096];

	srand(7);
	for (int round = 0; round < 200; round++) {
		size_t len = (size_t)rand() % sizeof(file);

		/* A line in order, damaged here and there. */
		for (size_t i = 0; i < len; i++)
			file[i] = rows[1].file[i % strlen(rows[1].file)];
		for (int i = 0; i < round && len > 0; i++)
			file[(size_t)rand() % len] = (char)rand();
		told(file, len);
	}
}
END_TEST

START_TEST(long_lists_are_cut)
{
	static char file[64 * 1024];
	size_t len = 0;
	const char *out;

	for (int i = 0; i < 1000; i++)
		len += (size_t)sprintf(file + len, "refused\t1\ta\t%d\ty\n", i);
	out = told(file, len);
	ck_assert_ptr_nonnull(strstr(out, "\nrefused: and 900 more\n"));
}
END_TEST

START_TEST(a_full_file_is_told_of)
{
	size_t len = DEED_FILE_MAX;
	char *file = malloc(len);
	const char *out;

	ck_assert_ptr_nonnull(file);
	memset(file, 'x', len);
	out = told(file, len);
	ck_assert_ptr_nonnull(strstr(out, "that is not all"));
	ck_assert_ptr_nonnull(strstr(out, "1 line of its file"));
	free(file);
}
END_TEST

UNIT_MAIN("summary", { each_thing_is_told_once, ROWS(rows) }, { a_file_cut_anywhere_is_told_of, 0 },
          { no_octet_gets_to_the_terminal, 0 }, { long_lists_are_cut, 0 },
          { a_full_file_is_told_of, 0 })
