#include "octets.h"
#include <dns/name.h>

#define ZERO4  "0.0.0.0."
#define ZERO16 ZERO4 ZERO4 ZERO4 ZERO4

static const struct address {
	const char *name;
	const char *address; /* with a port, which is 0 */
} addresses[] = {
	{ "7.0.18.198.in-addr.arpa", "198.18.0.7:0" },
	{ "0.0.0.0.in-addr.arpa", "0.0.0.0:0" },
	{ "255.255.255.255.in-addr.arpa", "255.255.255.255:0" },
	{ "1.2.3.4.in-addr.arpa", "4.3.2.1:0" },
	{ "1." ZERO16 "0.0.0." ZERO4 "8.b.d.0.1.0.0.2.ip6.arpa", "[2001:db8::1]:0" },
	{ ZERO16 ZERO16 "ip6.arpa", "[::]:0" },
	{ "f.e.d.c.b.a.9.8.7.6.5.4.3.2.1.0." ZERO4 ZERO4 "d.c.b.a.0.0.d.f.ip6.arpa",
	  "[fd00:abcd::123:4567:89ab:cdef]:0" },
};

START_TEST(an_address_has_a_name_and_the_name_that_address)
{
	struct endpoint ep = unit_endpoint(addresses[_i].address), back;
	struct dns_name name;

	dns_reverse_set(&name, &ep);
	ck_assert(name.plain);
	ck_assert_str_eq(name.text, addresses[_i].name);
	ck_assert_uint_eq(name.len, strlen(addresses[_i].name));
	ck_assert(dns_reverse_is(&name));
	ck_assert(dns_reverse_get(&name, &back));
	ck_assert_endpoint_eq(&back, &ep);

	/* Letters in upper case, digits and zones alike. */
	for (size_t i = 0; i < name.len; i++)
		if (name.text[i] >= 'a' && name.text[i] <= 'z')
			name.text[i] = (char)(name.text[i] - 'a' + 'A');
	ck_assert(dns_reverse_is(&name));
	ck_assert(dns_reverse_get(&name, &back));
	ck_assert_endpoint_eq(&back, &ep);
}
END_TEST

START_TEST(ports_and_scopes_do_not_show)
{
	struct endpoint ep = unit_endpoint("[2001:db8::1]:443"), back;
	struct dns_name name;

	ep.scope = 3;
	dns_reverse_set(&name, &ep);
	ck_assert(dns_reverse_get(&name, &back));
	ck_assert_uint_eq(back.port, 0);
	ck_assert_uint_eq(back.scope, 0);
}
END_TEST

START_TEST(what_is_no_address_has_the_name_of_the_root)
{
	struct endpoint ep = unit_endpoint("example.org:80");
	struct dns_name name;

	dns_reverse_set(&name, &ep);
	ck_assert(name.plain && name.len == 0 && name.text[0] == '\0');
	ep.kind = ENDPOINT_NONE;
	dns_reverse_set(&name, &ep);
	ck_assert(name.plain && name.len == 0);
}
END_TEST

/* Names that stand for no address, and whether they are of these zones all the same. */
static const struct other {
	const char *name;
	bool below;
} others[] = {
	{ "", false },
	{ "arpa", false },
	{ "example.org", false },
	{ "addr.arpa", false },
	{ "in-addr.arpa", true },
	{ "ip6.arpa", true },
	{ "xin-addr.arpa", false },
	{ "xip6.arpa", false },
	{ "1.2.3.4.xin-addr.arpa", false },
	{ "in-addr.arpa.example.org", false },
	{ "4.3.2.1.in-addr.arpa.example.org", false },
	{ "4.3.2.1.ip6.int", false },
	/* Networks. */
	{ "4.in-addr.arpa", true },
	{ "2.3.4.in-addr.arpa", true },
	{ "8.b.d.0.1.0.0.2.ip6.arpa", true },
	{ "0.0.0." ZERO4 ZERO4 ZERO4 ZERO16 "ip6.arpa", true },
	/* One label too many. */
	{ "1.2.3.4.5.in-addr.arpa", true },
	{ "x.1.2.3.4.in-addr.arpa", true },
	{ "0." ZERO16 ZERO16 "ip6.arpa", true },
	/* Numbers that are none. */
	{ "256.2.3.4.in-addr.arpa", true },
	{ "1.2.3.1000.in-addr.arpa", true },
	{ "1.2.3.99999999999999999999.in-addr.arpa", true },
	{ "01.2.3.4.in-addr.arpa", true },
	{ "00.2.3.4.in-addr.arpa", true },
	{ "1.2.3.0x4.in-addr.arpa", true },
	{ "-1.2.3.4.in-addr.arpa", true },
	{ "+1.2.3.4.in-addr.arpa", true },
	{ " 1.2.3.4.in-addr.arpa", true },
	{ "1.2.3.a.in-addr.arpa", true },
	{ "0-127.0.18.198.in-addr.arpa", true },
	{ "g.0.0.0." ZERO4 ZERO4 ZERO4 ZERO16 "ip6.arpa", true },
	{ "00.0.0." ZERO4 ZERO4 ZERO4 ZERO16 "ip6.arpa", true },
	{ "000.0.0." ZERO4 ZERO4 ZERO4 ZERO16 "ip6.arpa", true },
	{ "000" ZERO4 ZERO4 ZERO4 ZERO16 "ip6.arpa", true },
	{ "1.2.3.4.ip6.arpa", true },
	{ ZERO16 ZERO16 "in-addr.arpa", true },
};

START_TEST(other_names_stand_for_no_address)
{
	struct endpoint ep = { .kind = ENDPOINT_NONE, .port = 7 };
	struct dns_name name = octets_name(others[_i].name);

	ck_assert(dns_reverse_is(&name) == others[_i].below);
	ck_assert(!dns_reverse_get(&name, &ep));
	ck_assert(ep.kind == ENDPOINT_NONE && ep.port == 7);
}
END_TEST

START_TEST(a_name_that_text_cannot_say_stands_for_no_address)
{
	struct dns_name name = octets_name("4.3.2.1.in-addr.arpa");
	struct endpoint ep;

	name.plain = false;
	ck_assert(!dns_reverse_is(&name));
	ck_assert(!dns_reverse_get(&name, &ep));
}
END_TEST

START_TEST(all_addresses_there_and_back)
{
	uint64_t state = unit_seed();

	for (int i = 0; i < 20000; i++) {
		struct endpoint ep, back;
		struct dns_name name, again;
		uint8_t ip[16];

		for (int k = 0; k < 16; k++)
			ip[k] = (uint8_t)unit_random(&state);
		if (i % 2)
			endpoint_set_ipv4(&ep, ip, 0);
		else
			endpoint_set_ipv6(&ep, ip, 0);
		dns_reverse_set(&name, &ep);
		ck_assert(dns_name_set(&again, name.text, name.len));
		ck_assert(dns_reverse_get(&again, &back));
		ck_assert_endpoint_eq(&back, &ep);
	}
}
END_TEST

UNIT_MAIN("reverse", { an_address_has_a_name_and_the_name_that_address, ROWS(addresses) },
          { ports_and_scopes_do_not_show, 0 }, { what_is_no_address_has_the_name_of_the_root, 0 },
          { other_names_stand_for_no_address, ROWS(others) },
          { a_name_that_text_cannot_say_stands_for_no_address, 0 },
          { all_addresses_there_and_back, 0 })
