#include <config/resolvconf.h>
#include <net/if.h>

#include "unit.h"

#define MAX 4

static void list(const char *text, size_t len, char *found)
{
	struct endpoint out[MAX];
	size_t n = resolvconf_parse(text, len, out, MAX);

	ck_assert_uint_le(n, MAX);
	*found = '\0';
	for (size_t i = 0; i < n; i++)
		sprintf(found + strlen(found), "%s ", ENDPOINT_TEXT(&out[i]));
}

static const struct {
	const char *text, *found;
} rows[] = {
	{ "nameserver 192.0.2.1\n", "192.0.2.1:53 " },
	{ "nameserver 192.0.2.1", "192.0.2.1:53 " },
	{ "nameserver\t \t192.0.2.1\t and more\n", "192.0.2.1:53 " },
	{ "nameserver 192.0.2.1# home\n", "192.0.2.1:53 " },
	{ "nameserver 192.0.2.1; home\n", "192.0.2.1:53 " },
	{ "nameserver 192.0.2.1\r\nnameserver 192.0.2.2\r\n", "192.0.2.1:53 192.0.2.2:53 " },
	{ "  nameserver 192.0.2.1\n", "192.0.2.1:53 " },
	{ "domain example.org\nsearch example.org\noptions rotate\n"
	  "nameserver 2001:db8::1\n\nnameserver 127.0.0.53",
	  "[2001:db8::1]:53 127.0.0.53:53 " },
	/* As inet_aton(3) reads it. */
	{ "nameserver 10.1\nnameserver 0x7f.1\n", "10.0.0.1:53 127.0.0.1:53 " },
	{ "nameserver ::ffff:192.0.2.1\n", "[::ffff:192.0.2.1]:53 " },
	{ "nameserver fe80::1%7\n", "[fe80::1%7]:53 " },
	{ "nameserver fe80::1%nosuchif0\n", "[fe80::1]:53 " },
	/* No more than there is room for. */
	{ "nameserver 1.0.0.1\nnameserver 1.0.0.2\nnameserver 1.0.0.3\nnameserver 1.0.0.4\n"
	  "nameserver 1.0.0.5\n",
	  "1.0.0.1:53 1.0.0.2:53 1.0.0.3:53 1.0.0.4:53 " },

	/* Passed over, and what comes after it is read. */
	{ "", "" },
	{ "\n\n\n", "" },
	{ "nameserver", "" },
	{ "nameserver ", "" },
	{ "nameserver\n192.0.2.1\n", "" },
	{ "nameserver192.0.2.1\n", "" },
	{ "nameservers 192.0.2.1\n", "" },
	{ "Nameserver 192.0.2.1\n", "" },
	{ "# nameserver 192.0.2.1\n;nameserver 192.0.2.1\nnameserver 192.0.2.2\n",
	  "192.0.2.2:53 " },
	{ "nameserver # 192.0.2.1\n", "" },
	{ "nameserver example.org\nnameserver 192.0.2.2\n", "192.0.2.2:53 " },
	{ "nameserver 192.0.2.256\nnameserver 192.0.2.2\n", "192.0.2.2:53 " },
	{ "nameserver [2001:db8::1]\n", "" },
	{ "nameserver 192.0.2.1:53\n", "" },
	{ "nameserver 192.0.2.1%1\n", "" },
	{ "nameserver 2001:db8::g\n", "" },
};

START_TEST(lines_name_servers)
{
	char found[MAX * ENDPOINT_TEXT_MAX];

	list(rows[_i].text, strlen(rows[_i].text), found);
	ck_assert_str_eq(found, rows[_i].found);
}
END_TEST

START_TEST(text_ends_where_its_length_says)
{
	static const char text[] = "nameserver 192.0.2.1\nnameserver 192.0.2.255\n";
	static const char nul[] = "nameserver 192.0.2.1\0.5\nnameserver 192.0.2.2";
	char found[MAX * ENDPOINT_TEXT_MAX];

	for (size_t len = 0; len <= 11; len++) {
		list(text, len, found);
		ck_assert_str_eq(found, "");
	}
	list(text, strlen(text) - 2, found);
	ck_assert_str_eq(found, "192.0.2.1:53 192.0.2.25:53 ");
	list(nul, sizeof(nul) - 1, found);
	ck_assert_str_eq(found, "192.0.2.2:53 ");
}
END_TEST

START_TEST(endless_address_is_none)
{
	char text[4096] = "nameserver ", found[MAX * ENDPOINT_TEXT_MAX];
	size_t len = strlen(text);

	memset(text + len, '1', sizeof(text) - len);
	list(text, sizeof(text), found);
	ck_assert_str_eq(found, "");
	memcpy(text + sizeof(text) - 21, "\nnameserver 192.0.2.2", 21);
	list(text, sizeof(text), found);
	ck_assert_str_eq(found, "192.0.2.2:53 ");
}
END_TEST

START_TEST(scope_is_an_interface_here)
{
	struct endpoint out[1];

	ck_assert_uint_eq(resolvconf_parse("nameserver fe80::1%lo", 21, out, 1), 1);
	ck_assert_uint_eq(out[0].scope, if_nametoindex("lo"));
	ck_assert_uint_eq(resolvconf_parse("nameserver 192.0.2.1", 20, out, 0), 0);
}
END_TEST

UNIT_MAIN("config/resolvconf", { lines_name_servers, ROWS(rows) },
          { text_ends_where_its_length_says, 0 }, { endless_address_is_none, 0 },
          { scope_is_an_interface_here, 0 })
