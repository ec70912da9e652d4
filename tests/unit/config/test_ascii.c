#include <config/ascii.h>
#include <unit.h>

START_TEST(all_octets_are_judged_as_ascii)
{
	char c = (char)(unsigned char)_i;

	ck_assert_int_eq(ascii_is_digit(c), _i >= '0' && _i <= '9');
	ck_assert_int_eq(ascii_is_alpha(c), (_i >= 'a' && _i <= 'z') || (_i >= 'A' && _i <= 'Z'));
	ck_assert_int_eq(ascii_is_space(c), _i == ' ' || (_i >= 9 && _i <= 13));
	ck_assert_int_eq(ascii_is_print(c), _i >= 32 && _i <= 126);
	ck_assert_int_eq(ascii_lower(c), _i >= 'A' && _i <= 'Z' ? c + 32 : c);
}
END_TEST

START_TEST(hex_digits_have_their_value)
{
	for (int v = 0; v < 16; v++) {
		ck_assert_int_eq(ascii_hex("0123456789abcdef"[v]), v);
		ck_assert_int_eq(ascii_hex("0123456789ABCDEF"[v]), v);
	}
	ck_assert_int_eq(ascii_hex('g'), -1);
	ck_assert_int_eq(ascii_hex('\0'), -1);
	ck_assert_int_eq(ascii_hex('/'), -1);
	ck_assert_int_eq(ascii_hex(':'), -1);
}
END_TEST

START_TEST(eight_octets_fold_as_each_alone)
{
	for (int place = 0; place < 8; place++) {
		/* Neighbours with all bits, and with none, carry nothing over. */
		for (int fill = 0; fill < 3; fill++) {
			char octets[8], want[8];
			uint64_t v;

			memset(octets, fill == 0 ? 0 : fill == 1 ? 0xff : 'Z', sizeof(octets));
			octets[place] = (char)(unsigned char)_i;
			for (int i = 0; i < 8; i++)
				want[i] = ascii_lower(octets[i]);
			v = ascii_lower8(ascii_load8(octets, 8));
			ck_assert_mem_eq(&v, want, 8);
		}
	}
}
END_TEST

START_TEST(short_loads_read_no_further)
{
	for (size_t len = 0; len <= 8; len++) {
		char *octets = malloc(len + 1), want[8] = { 0 };
		uint64_t v;

		memset(octets, 'x', len + 1);
		memset(want, 'x', len);
		v = ascii_load8(octets, len);
		ck_assert_mem_eq(&v, want, 8);
		free(octets);
	}
}
END_TEST

START_TEST(case_alone_makes_no_difference)
{
	ck_assert(ascii_equal("SOCKS5h", "socks5H", 7));
	ck_assert(!ascii_equal("socks5", "socks4", 6));
	ck_assert(!ascii_equal("@", "`", 1)); /* differ in the bit that letters' case is */
	ck_assert(ascii_equal("a", "b", 0));
	for (size_t at = 0; at < 20; at++) {
		char a[] = "ABCDEFGHIJKLMNOPQRST", b[] = "abcdefghijklmnopqrst";

		ck_assert(ascii_equal(a, b, 20));
		b[at] = '@';
		ck_assert(!ascii_equal(a, b, 20));
		ck_assert(ascii_equal(a, b, at));
	}
}
END_TEST

UNIT_MAIN("config/ascii", { all_octets_are_judged_as_ascii, 256 },
          { eight_octets_fold_as_each_alone, 256 }, { short_loads_read_no_further, 0 },
          { hex_digits_have_their_value, 0 }, { case_alone_makes_no_difference, 0 })
