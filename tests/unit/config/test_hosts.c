#include <config/hosts.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <unit.h>

static char path[64];

static void write_file(const char *text, size_t len)
{
	FILE *f;

	if (path[0] == '\0') {
		strcpy(path, "/tmp/socksify-test-hosts.XXXXXX");
		close(mkstemp(path));
	}
	f = fopen(path, "we");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text, 1, len, f), len);
	fclose(f);
}

static struct hosts *load(const char *text, unsigned *bad)
{
	struct hosts *h;

	write_file(text, strlen(text));
	h = hosts_load(path, bad);
	ck_assert_ptr_nonnull(h);
	return h;
}

static void end(struct hosts *h)
{
	hosts_free(h);
	unlink(path);
	path[0] = '\0';
}

static const char text[] = "# a comment\n"
			   "127.0.0.1\tlocalhost\n"
			   "::1 localhost ip6-localhost # and more\n"
			   "\n"
			   "192.0.2.1 One.Example one\r\n"
			   "  192.0.2.2   one.example.  \n"
			   "192.0.2.1 one.example\n"
			   "2001:db8::1 one.example two\n"
			   "0.0.0.0 blocked\n"
			   "0.0.0.0 blocked2 blocked\n"
			   "::ffff:192.0.2.77 mapped\n"
			   "192.0.2.9 last";

static const struct {
	const char *name;
	int family;
	const char *found; /* NULL: not listed */
} rows[] = {
	{ "localhost", AF_UNSPEC, "127.0.0.1:0 [::1]:0 " },
	{ "localhost", AF_INET, "127.0.0.1:0 " },
	{ "localhost", AF_INET6, "[::1]:0 " },
	/* As in libc, ::1 is 127.0.0.1 to those who want IPv4. */
	{ "ip6-localhost", AF_INET, "127.0.0.1:0 " },
	{ "mapped", AF_INET, "192.0.2.77:0 " },
	{ "mapped", AF_UNSPEC, "[::ffff:192.0.2.77]:0 " },
	{ "one.example", AF_UNSPEC, "192.0.2.1:0 192.0.2.2:0 [2001:db8::1]:0 " },
	{ "ONE.example.", AF_INET, "192.0.2.1:0 192.0.2.2:0 " },
	{ "one", AF_INET, "192.0.2.1:0 " },
	{ "two", AF_INET6, "[2001:db8::1]:0 " },
	{ "blocked", AF_UNSPEC, "0.0.0.0:0 " },
	{ "blocked2", AF_UNSPEC, "0.0.0.0:0 " },
	{ "last", AF_UNSPEC, "192.0.2.9:0 " },
	{ "more", AF_UNSPEC, NULL },
	{ "and", AF_UNSPEC, NULL },
	{ "one.example..", AF_UNSPEC, NULL },
	{ "", AF_UNSPEC, NULL },
	{ ".", AF_UNSPEC, NULL },
	{ "192.0.2.1", AF_UNSPEC, NULL },
};

START_TEST(names_have_their_addresses_in_order)
{
	unsigned bad = 99;
	struct hosts *h = load(text, &bad);
	size_t len = strlen(rows[_i].name), n;
	struct endpoint out[8];
	char found[256] = "";

	ck_assert_uint_eq(bad, 0);
	ck_assert_int_eq(hosts_knows(h, rows[_i].name, len), rows[_i].found != NULL);
	n = hosts_find(h, rows[_i].name, len, rows[_i].family, out, 8);
	for (size_t i = 0; i < n; i++)
		sprintf(found + strlen(found), "%s ", ENDPOINT_TEXT(&out[i]));
	ck_assert_str_eq(found, rows[_i].found ? rows[_i].found : "");
	ck_assert_uint_eq(hosts_find(h, rows[_i].name, len, rows[_i].family, out, 0), 0);
	ck_assert_uint_le(hosts_find(h, rows[_i].name, len, rows[_i].family, out, 1), 1);
	end(h);
}
END_TEST

static const struct {
	const char *text;
	unsigned bad;
} bad_lines[] = {
	{ "", 0 },
	{ "\n\n\n", 0 },
	{ "# only\n#", 0 },
	{ "192.0.2.1 a\n", 0 },
	{ "192.0.2.1\n", 1 },
	{ "192.0.2.1 # a\n", 1 },
	{ "a 192.0.2.1\n", 1 },
	{ "\n192.0.2.1 a\n[::1] b\nx", 3 },
	{ "192.0.2.1 a\n192.0.2.256 b\n", 2 },
	{ "192.0.2.1 .\n", 1 },
	{ "192.0.2.1 a\n192.0.2.1\n", 2 },
	{ "x y\nx z\n", 1 },
};

START_TEST(first_bad_line_is_told)
{
	unsigned bad = 99;

	end(load(bad_lines[_i].text, &bad));
	ck_assert_uint_eq(bad, bad_lines[_i].bad);
	end(load(bad_lines[_i].text, NULL));
}
END_TEST

START_TEST(name_of_255_octets_is_kept_and_a_longer_one_skipped)
{
	char line[700] = "192.0.2.1 ";
	struct endpoint out;
	struct hosts *h;
	unsigned bad;

	memset(line + 10, 'a', 255);
	h = load(line, &bad);
	ck_assert_uint_eq(bad, 0);
	ck_assert_uint_eq(hosts_find(h, line + 10, 255, AF_UNSPEC, &out, 1), 1);
	end(h);
	memset(line + 10, 'a', 256);
	strcpy(line + 266, " b");
	h = load(line, &bad);
	ck_assert_uint_eq(bad, 1);
	ck_assert(!hosts_knows(h, line + 10, 256));
	ck_assert(!hosts_knows(h, line + 10, 255));
	ck_assert(hosts_knows(h, "b", 1));
	end(h);
}
END_TEST

START_TEST(nul_octets_make_a_line_bad)
{
	static const char data[] = "127.0.0.1\0x a\n127.0.0.1 b\0c d\n127.0.0.1 e\n";
	struct hosts *h;
	unsigned bad;

	write_file(data, sizeof(data) - 1);
	h = hosts_load(path, &bad);
	ck_assert_ptr_nonnull(h);
	ck_assert_uint_eq(bad, 1);
	ck_assert(!hosts_knows(h, "a", 1));
	ck_assert(!hosts_knows(h, "b", 1));
	ck_assert(hosts_knows(h, "d", 1));
	ck_assert(hosts_knows(h, "e", 1));
	end(h);
}
END_TEST

START_TEST(file_that_cannot_be_read_says_why)
{
	errno = 0;
	ck_assert_ptr_null(hosts_load("/nonexistent/hosts", NULL));
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_ptr_null(hosts_load("/tmp", NULL));
	ck_assert_int_eq(errno, EISDIR);
	ck_assert_ptr_null(hosts_load("/dev/zero", NULL));
	ck_assert_int_eq(errno, EINVAL);
	hosts_free(NULL);
}
END_TEST

START_TEST(file_of_unknown_size_is_read_to_its_end)
{
	/* Files of /proc say that they are empty. */
	unsigned bad = 0;
	struct hosts *h = hosts_load("/proc/self/status", &bad);

	ck_assert_ptr_nonnull(h);
	ck_assert_uint_eq(bad, 1);
	hosts_free(h);
}
END_TEST

START_TEST(changed_file_is_no_longer_current)
{
	struct hosts *h = load("192.0.2.1 a\n", NULL);
	char other[80];

	ck_assert(hosts_is_current(h));
	write_file("192.0.2.1 a\n192.0.2.2 b\n", 24); /* another size */
	ck_assert(!hosts_is_current(h));
	ck_assert(!hosts_knows(h, "b", 1)); /* the snapshot stays what it was */
	hosts_free(h);
	h = hosts_load(path, NULL);
	ck_assert(hosts_is_current(h));
	ck_assert(hosts_knows(h, "b", 1));
	snprintf(other, sizeof(other), "%s.new", path); /* another inode */
	ck_assert_int_eq(link(path, other), 0);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert(!hosts_is_current(h));
	write_file("192.0.2.1 a\n192.0.2.2 b\n", 24);
	ck_assert(!hosts_is_current(h));
	unlink(other);
	end(h);
}
END_TEST

/* It would hold up the asker until somebody writes into it. */
START_TEST(fifo_is_refused_at_once)
{
	char fifo[80];

	write_file("", 0);
	snprintf(fifo, sizeof(fifo), "%s.fifo", path);
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	errno = 0;
	ck_assert_ptr_null(hosts_load(fifo, NULL));
	ck_assert_int_eq(errno, EINVAL);
	unlink(fifo);
	end(NULL);
}
END_TEST

/* Written in place, with as many octets; which of the two times tells, the file system decides. */
START_TEST(file_of_the_same_size_is_not_the_same)
{
	struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	struct stat before, now;
	struct hosts *h;

	hosts_free(load("192.0.2.1 a\n", NULL));
	ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
	h = hosts_load(path, NULL);
	ck_assert(hosts_is_current(h));
	ck_assert_int_eq(stat(path, &before), 0);
	/* The old mtime put back: only the ctime tells. The clock may be coarse. */
	do {
		write_file("192.0.2.2 a\n", 12);
		ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
		ck_assert_int_eq(stat(path, &now), 0);
	} while (memcmp(&now.st_ctim, &before.st_ctim, sizeof(now.st_ctim)) == 0);
	ck_assert(!hosts_is_current(h));
	end(h);
}
END_TEST

START_TEST(block_list_of_100000_lines_is_indexed_whole)
{
	FILE *f;
	struct endpoint out;
	struct hosts *h;
	size_t found = 0;
	unsigned bad;
	char name[40];

	write_file("", 0);
	f = fopen(path, "we");
	for (int i = 0; i < 100000; i++)
		fprintf(f, "0.0.0.0 ad%d.tracker%d.example\n", i, i % 977);
	fclose(f);
	h = hosts_load(path, &bad);
	ck_assert_ptr_nonnull(h);
	ck_assert_uint_eq(bad, 0);
	for (int i = 0; i < 100000; i++) {
		int n = sprintf(name, "AD%d.tracker%d.example", i, i % 977);

		found += hosts_find(h, name, (size_t)n, AF_INET, &out, 1);
		name[n - 1] = 'x';
		found += hosts_knows(h, name, (size_t)n);
	}
	ck_assert_uint_eq(found, 100000);
	endpoint_set_ipv4(&out, (uint8_t[]){ 0, 0, 0, 0 }, 0);
	ck_assert_str_eq(hosts_name_of(h, &out), "ad0.tracker0.example");
	end(h);
}
END_TEST

static const char lines_text[] = "::1 ip6-LocalHost ip6-loopback\n"
				 "127.0.0.1 localhost#comment\n"
				 "127.0.0.1 LocalHost lh lh\n"
				 "192.0.2.1\n"
				 "192.0.2.3 .\n"
				 "::ffff:192.0.2.77 mapped\n"
				 "192.0.2.1 One.Example one # more\n"
				 "192.0.2.2\tone.example.   alias2\r\n"
				 "fe80::1%1 scoped\n"
				 "2001:db8::1 Six.Example one\n"
				 "nonsense one\n"
				 "192.0.2.1 Again One\n"
				 "192.0.2.9 x";

static char *add_line(char *to, const struct hosts_line *line)
{
	to += sprintf(to, "%s", ENDPOINT_TEXT(&line->ep));
	for (const char *name = line->names; name; name = hosts_next_name(name))
		to += sprintf(to, " %s", name);
	return to + sprintf(to, "\n");
}

static const struct {
	const char *name; /* NULL: all lines */
	int family;
	const char *lines;
} listed[] = {
	{ NULL, AF_INET,
	  "127.0.0.1:0 ip6-LocalHost ip6-loopback\n127.0.0.1:0 localhost\n"
	  "127.0.0.1:0 LocalHost lh lh\n192.0.2.77:0 mapped\n192.0.2.1:0 One.Example one\n"
	  "192.0.2.2:0 one.example. alias2\n192.0.2.1:0 Again One\n192.0.2.9:0 x\n" },
	{ NULL, AF_INET6,
	  "[::1]:0 ip6-LocalHost ip6-loopback\n[::ffff:192.0.2.77]:0 mapped\n"
	  "[fe80::1%1]:0 scoped\n[2001:db8::1]:0 Six.Example one\n" },
	{ NULL, AF_UNSPEC,
	  "[::1]:0 ip6-LocalHost ip6-loopback\n127.0.0.1:0 localhost\n"
	  "127.0.0.1:0 LocalHost lh lh\n[::ffff:192.0.2.77]:0 mapped\n192.0.2.1:0 One.Example one\n"
	  "192.0.2.2:0 one.example. alias2\n[fe80::1%1]:0 scoped\n[2001:db8::1]:0 Six.Example one\n"
	  "192.0.2.1:0 Again One\n192.0.2.9:0 x\n" },
	{ "LOCALHOST.", AF_INET, "127.0.0.1:0 localhost\n127.0.0.1:0 LocalHost lh lh\n" },
	{ "lh", AF_INET, "127.0.0.1:0 LocalHost lh lh\n" },
	{ "one.EXAMPLE", AF_UNSPEC,
	  "192.0.2.1:0 One.Example one\n192.0.2.2:0 one.example. alias2\n" },
	{ "one", AF_UNSPEC,
	  "192.0.2.1:0 One.Example one\n[2001:db8::1]:0 Six.Example one\n192.0.2.1:0 Again One\n" },
	{ "one", AF_INET6, "[2001:db8::1]:0 Six.Example one\n" },
	{ "ip6-loopback", AF_INET, "127.0.0.1:0 ip6-LocalHost ip6-loopback\n" },
	{ "scoped", AF_INET, "" },
	{ "comment", AF_UNSPEC, "" },
	{ "none", AF_UNSPEC, "" },
	{ "", AF_UNSPEC, "" },
};

START_TEST(lines_are_shown_as_they_are_written)
{
	struct hosts *h = load(lines_text, NULL);
	const char *name = listed[_i].name;
	struct hosts_line line;
	char found[1024] = "", *to = found;
	uint32_t at = 0;

	while (name ? hosts_next_of(h, name, strlen(name), listed[_i].family, &at, &line)
	            : hosts_next(h, listed[_i].family, &at, &line))
		to = add_line(to, &line);
	ck_assert_str_eq(found, listed[_i].lines);
	end(h);
}
END_TEST

static const struct {
	const char *ip, *name;
} reversed[] = {
	/* As in libc, a line of ::1 is one of 127.0.0.1 too. */
	{ "127.0.0.1", "ip6-LocalHost" },
	{ "::1", "ip6-LocalHost" },
	{ "::ffff:127.0.0.1", "ip6-LocalHost" },
	{ "192.0.2.77", "mapped" },
	{ "::ffff:192.0.2.77", "mapped" },
	{ "192.0.2.1", "One.Example" },
	{ "::ffff:192.0.2.1", "One.Example" },
	{ "192.0.2.2", "one.example." },
	{ "192.0.2.3", NULL },
	{ "2001:db8::1", "Six.Example" },
	{ "fe80::1", "scoped" },
	{ "fe80::1%2", "scoped" },
	{ "192.0.2.9", "x" },
	{ "127.0.0.2", NULL },
	{ "0.0.0.0", NULL },
	{ "::", NULL },
};

START_TEST(address_has_the_first_name_of_its_first_line)
{
	struct hosts *h = load(lines_text, NULL);
	struct endpoint ep = { .port = 80 };
	struct hosts_line line;

	ck_assert_int_eq(endpoint_parse_ip(&ep, reversed[_i].ip), 0);
	if (reversed[_i].name) {
		ck_assert_str_eq(hosts_name_of(h, &ep), reversed[_i].name);
		ck_assert(hosts_line_of(h, &ep, &line));
		ck_assert_str_eq(line.names, reversed[_i].name);
		ck_assert_uint_eq(line.ep.port, 0);
	} else {
		ck_assert_ptr_null(hosts_name_of(h, &ep));
	}
	end(h);
}
END_TEST

START_TEST(nothing_but_an_address_has_a_line)
{
	struct endpoint name, none = { .kind = ENDPOINT_NONE };
	struct hosts *h = load(lines_text, NULL);

	ck_assert_int_eq(endpoint_set_name(&name, "one", 3, 0), 0);
	ck_assert_ptr_null(hosts_name_of(h, &name));
	ck_assert_ptr_null(hosts_name_of(h, &none));
	end(h);
}
END_TEST

/* The names of a line lie where its address was: the shortest address leaves the least room. */
START_TEST(line_without_a_spare_octet_is_whole)
{
	struct hosts *h = load(":: a b c\n:: d\n::#x\n:: e#\n:: f", NULL);
	char found[128] = "", *to = found;
	struct hosts_line line;

	for (uint32_t at = 0; hosts_next(h, AF_UNSPEC, &at, &line);)
		to = add_line(to, &line);
	ck_assert_str_eq(found, "[::]:0 a b c\n[::]:0 d\n[::]:0 e\n[::]:0 f\n");
	end(h);
}
END_TEST

/*
 * Random octets are a hosts file like any other: nothing breaks, and what is found was put there.
 */
START_TEST(any_file_is_read)
{
	static const char octets[] = "0123456789abc.:# \t\n\r%[]\xff";
	uint64_t seed = unit_seed();
	char data[300];

	for (int round = 0; round < 3000; round++) {
		size_t len = unit_below(&seed, sizeof(data));
		struct endpoint out[4];
		struct hosts *h;
		unsigned bad;

		for (size_t i = 0; i < len; i++)
			data[i] = unit_below(&seed, 40) ? octets[unit_below(&seed, sizeof(octets))]
			                                : '\0';
		if (len > 12)
			memcpy(data + unit_below(&seed, len - 12), "\n1.2.3.4 ab ", 12);
		write_file(data, len);
		h = hosts_load(path, &bad);
		ck_assert_ptr_nonnull(h);
		if (hosts_knows(h, "ab", 2))
			ck_assert_uint_ge(hosts_find(h, "ab", 2, AF_UNSPEC, out, 4), 1);
		hosts_free(h);
	}
	end(NULL);
}
END_TEST

UNIT_MAIN("config/hosts", { names_have_their_addresses_in_order, ROWS(rows) },
          { first_bad_line_is_told, ROWS(bad_lines) },
          { name_of_255_octets_is_kept_and_a_longer_one_skipped, 0 },
          { nul_octets_make_a_line_bad, 0 }, { file_that_cannot_be_read_says_why, 0 },
          { file_of_unknown_size_is_read_to_its_end, 0 }, { fifo_is_refused_at_once, 0 },
          { file_of_the_same_size_is_not_the_same, 0 }, { changed_file_is_no_longer_current, 0 },
          { lines_are_shown_as_they_are_written, ROWS(listed) },
          { address_has_the_first_name_of_its_first_line, ROWS(reversed) },
          { nothing_but_an_address_has_a_line, 0 }, { line_without_a_spare_octet_is_whole, 0 },
          { block_list_of_100000_lines_is_indexed_whole, 0 }, { any_file_is_read, 0 })
