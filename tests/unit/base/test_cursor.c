#include <base/cursor.h>
#include <unit.h>

static const uint8_t octets[] = { 1, 2, 3, 4, 5 };

START_TEST(reads_in_order)
{
	struct reader r;

	reader_init(&r, octets, sizeof(octets));
	ck_assert_uint_eq(get_u8(&r), 1);
	ck_assert_uint_eq(get_u16(&r), 0x0203);
	ck_assert_mem_eq(get_octets(&r, 2), octets + 3, 2);
	ck_assert_ptr_eq(get_octets(&r, 0), octets + 5);
	ck_assert(!r.over);
	ck_assert_uint_eq(r.pos, 5);
}
END_TEST

START_TEST(a_reader_that_ran_over_stays_there)
{
	struct reader r;

	reader_init(&r, octets, 2);
	ck_assert_ptr_null(get_octets(&r, 3));
	ck_assert(r.over);
	ck_assert_uint_eq(r.need, 3);
	ck_assert_uint_eq(r.pos, 0);
	ck_assert_uint_eq(get_u8(&r), 0);
	ck_assert_uint_eq(get_u16(&r), 0);
	ck_assert_ptr_null(get_octets(&r, 0));
	ck_assert_uint_eq(r.need, 3);
	ck_assert_uint_eq(r.pos, 0);
}
END_TEST

START_TEST(needs_are_counted_from_the_start)
{
	struct reader r;

	reader_init(&r, octets, 4);
	get_u16(&r);
	get_octets(&r, SIZE_MAX - 2);
	ck_assert(r.over);
	ck_assert_uint_eq(r.need, SIZE_MAX);

	reader_init(&r, NULL, 0);
	ck_assert_uint_eq(get_u8(&r), 0);
	ck_assert_uint_eq(r.need, 1);
}
END_TEST

START_TEST(writes_big_endian)
{
	static const uint8_t want[] = { 0xab, 0xff, 0x01, 1, 2 };
	struct writer w;
	uint8_t buf[5];

	writer_init(&w, buf, sizeof(buf));
	put_u8(&w, 0xab);
	put_u16(&w, 0xff01);
	put_octets(&w, octets, 2);
	put_octets(&w, NULL, 0);
	ck_assert(!w.over);
	ck_assert_uint_eq(w.pos, 5);
	ck_assert_mem_eq(buf, want, 5);
}
END_TEST

START_TEST(a_writer_that_ran_over_stays_there)
{
	uint8_t buf[3] = { 9, 9, 9 };
	struct writer w;

	writer_init(&w, buf, 2);
	put_u8(&w, 1);
	put_u16(&w, 0x0203);
	ck_assert(w.over);
	put_u8(&w, 4);
	ck_assert_uint_eq(w.pos, 1);
	ck_assert_uint_eq(buf[0], 1);
	ck_assert_uint_eq(buf[1], 9);
	ck_assert_uint_eq(buf[2], 9);
}
END_TEST

UNIT_MAIN("cursor", { reads_in_order, 0 }, { a_reader_that_ran_over_stays_there, 0 },
          { needs_are_counted_from_the_start, 0 }, { writes_big_endian, 0 },
          { a_writer_that_ran_over_stays_there, 0 })
