#include <arpa/inet.h>
#include <config/networks.h>
#include <errno.h>
#include <unistd.h>
#include <unit.h>

static struct networks *load(const char *text, size_t len)
{
	char path[] = "/tmp/socksify-test-networks.XXXXXX";
	int fd = mkstemp(path);
	struct networks *n;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	close(fd);
	n = networks_load(path);
	unlink(path);
	ck_assert_ptr_nonnull(n);
	return n;
}

static const struct {
	const char *text, *shown;
} rows[] = {
	{ "", "" },
	{ "# only\n\n", "" },
	{ "default 0.0.0.0\nloopback\t127.0.0.0\nlink-local 169.254.0.0",
	  "0 default\n7f000000 loopback\na9fe0000 link-local\n" },
	{ "a 10 A1 a2# more\r\nb 10.1\nc 10.1.2 x\n", "a000000 a A1 a2\na010000 b\na010200 c x\n" },
	{ "a 1.2.3.4\nb 0x10.010\n", "1020304 a\n10080000 b\n" },
	{ "a 1.2.3.4.5\nb 256\nc x\nd 1..2\n", "ffffffff a\nffffffff b\nffffffff c\nffffffff d\n" },
	{ "nothing\nnothing # 1\n 1 2\n", "2000000 1\n" },
	{ "a 1\na 2", "1000000 a\n2000000 a\n" },
	{ "a 1 b", "1000000 a b\n" },
};

START_TEST(lines_are_networks)
{
	struct networks *n = load(rows[_i].text, strlen(rows[_i].text));
	const struct network *at;
	char shown[512] = "", *to = shown;

	for (size_t i = 0; (at = networks_at(n, i)); i++) {
		to += sprintf(to, "%x", at->number);
		for (const char *name = at->names; name; name = networks_next_name(name))
			to += sprintf(to, " %s", name);
		to += sprintf(to, "\n");
	}
	ck_assert_str_eq(shown, rows[_i].shown);
	networks_free(n);
}
END_TEST

START_TEST(network_is_found_by_each_name_and_by_its_number)
{
	static const char text[] = "a 1 Alias\nb 2 alias\nc 1\n";
	struct networks *n = load(text, strlen(text));

	ck_assert_str_eq(networks_find(n, "A")->names, "a");
	ck_assert_str_eq(networks_find(n, "ALIAS")->names, "a");
	ck_assert_str_eq(networks_find(n, "b")->names, "b");
	ck_assert_ptr_null(networks_find(n, "d"));
	ck_assert_ptr_null(networks_find(n, ""));
	ck_assert_str_eq(networks_find_number(n, 0x01000000)->names, "a");
	ck_assert_str_eq(networks_find_number(n, 0x02000000)->names, "b");
	ck_assert_ptr_null(networks_find_number(n, 1));
	networks_free(n);
}
END_TEST

START_TEST(file_that_cannot_be_read_says_why)
{
	ck_assert_ptr_null(networks_load("/nonexistent/networks"));
	ck_assert_int_eq(errno, ENOENT);
	networks_free(NULL);
}
END_TEST

START_TEST(any_file_is_read)
{
	static const char octets[] = "0123456789ab.x# \t\n\r";
	uint64_t seed = unit_seed();
	char data[200];

	for (int round = 0; round < 3000; round++) {
		size_t len = unit_below(&seed, sizeof(data));
		const struct network *at;
		struct networks *n;

		for (size_t i = 0; i < len; i++)
			data[i] = octets[unit_below(&seed, sizeof(octets))];
		n = load(data, len);
		for (size_t i = 0; (at = networks_at(n, i)); i++)
			for (const char *name = at->names; name; name = networks_next_name(name)) {
				ck_assert_int_ne(*name, '\0');
				ck_assert_ptr_nonnull(networks_find(n, name));
			}
		networks_free(n);
	}
}
END_TEST

UNIT_MAIN("config/networks", { lines_are_networks, ROWS(rows) },
          { network_is_found_by_each_name_and_by_its_number, 0 },
          { file_that_cannot_be_read_says_why, 0 }, { any_file_is_read, 0 })
