#include <config/ascii.h>
#include <errno.h>
#include <fcntl.h>
#include <names/peers.h>
#include <names/pool.h>
#include <names/table.h>
#include <signal.h>
#include <unit.h>

#include "shared.h"

/* Where the parts of a file begin, see table_file.h. */
#define SLOTS_AT   128
#define BUCKETS_AT (POOL_SLOTS * 4 + 4096)
#define PEERS_AT   (BUCKETS_AT + 16384 * 4)
#define DIRECT_AT  (PEERS_AT + PEERS_KNOWN * 48)
#define RECORDS_AT (DIRECT_AT + 63 * 4096)

START_TEST(name_gets_one_slot_and_keeps_it)
{
	struct table *t = begin();
	uint32_t a = put(t, "Example.ORG"), b = put(t, "example.com");

	ck_assert_uint_ne(a, b);
	ck_assert_uint_eq(put(t, "example.org"), a);
	ck_assert_uint_eq(find(t, "EXAMPLE.org"), a);
	ck_assert_uint_eq(find(t, "example.com"), b);
	check_name(t, a, "Example.ORG"); /* as first written */
	ck_assert_uint_eq(table_count(t), 2);
	ck_assert_uint_eq(find(t, "example.org."), 0);
	ck_assert_uint_ne(put(t, "example.org."), a);
	ck_assert_uint_eq(find(t, "example.net"), 0);
	/* Letters only have a case: @ and ` are two names, and so are octets beyond ASCII. */
	ck_assert_uint_ne(put(t, "@"), put(t, "`"));
	ck_assert_uint_ne(put(t, "\xc3\x89"), put(t, "\xc3\xa9"));
	end(t);
}
END_TEST

START_TEST(name_is_1_to_255_octets_without_nul)
{
	struct table *t = begin();
	char name[300];
	uint32_t slot = 7;

	memset(name, 'n', sizeof(name));
	ck_assert_int_eq(table_put(t, name, 0, &slot), -EINVAL);
	ck_assert_int_eq(table_put(t, name, 256, &slot), -EINVAL);
	ck_assert_int_eq(table_put(t, "a\0b", 3, &slot), -EINVAL);
	ck_assert_uint_eq(slot, 7);
	ck_assert_uint_eq(table_count(t), 0);
	ck_assert_uint_eq(table_find(t, name, 0), 0);
	ck_assert_uint_eq(table_find(t, name, 256), 0);
	for (size_t len = 1; len <= 255; len++) {
		ck_assert_int_eq(table_put(t, name, len, &slot), 0);
		ck_assert_uint_eq(table_find(t, name, len), slot);
		ck_assert_uint_eq(strlen(table_name(t, slot, NULL)), len);
	}
	end(t);
}
END_TEST

START_TEST(slot_that_was_not_given_has_no_name)
{
	struct table *t = begin();
	uint32_t slot = put(t, "a");

	ck_assert_ptr_null(table_name(t, 0, NULL));
	for (uint32_t other = 1; other < POOL_SLOTS; other++)
		if (other != slot && table_name(t, other, NULL))
			ck_abort_msg("slot %u has a name", other);
	ck_assert_ptr_null(table_name(t, POOL_SLOTS, NULL));
	ck_assert_ptr_null(table_name(t, slot + POOL_SLOTS, NULL));
	ck_assert_ptr_null(table_name(t, UINT32_MAX, NULL));
	end(t);
}
END_TEST

START_TEST(table_outlives_those_who_map_it)
{
	struct table *t = begin(), *other;
	uint32_t slot = put(t, "a");

	table_close(t);
	t = open_shared();
	check_name(t, slot, "a");
	other = open_shared();
	ck_assert_uint_eq(put(other, "b"), find(t, "b"));
	table_close(other);
	check_name(t, find(t, "b"), "b");
	table_close(NULL);
	end(t);
}
END_TEST

/* As table_collect() does it while a program that holds an address sleeps. */
START_TEST(table_made_anew_does_not_know_the_addresses_of_the_old_one)
{
	enum { ROUNDS = 400, NAMES = 10 };
	uint32_t known = 0, halves[2] = { 0 };

	folder_init();
	for (int round = 0; round < ROUNDS; round++) {
		uint32_t old[NAMES];
		struct table *t = open_shared();
		char name[40];

		for (int i = 0; i < NAMES; i++)
			old[i] = put(t, (sprintf(name, "old%d", i), name));
		halves[old[0] / (POOL_SLOTS / 2)]++;
		table_close(t);
		ck_assert_int_eq(unlink(table_path), 0);
		t = open_shared();
		for (int i = 0; i < NAMES; i++)
			ck_assert_ptr_null(table_name(t, old[i], NULL));
		for (int i = 0; i < NAMES; i++)
			put(t, (sprintf(name, "new%d", i), name));
		for (int i = 0; i < NAMES; i++)
			known += table_name(t, old[i], NULL) != NULL;
		table_close(t);
		ck_assert_int_eq(unlink(table_path), 0);
	}
	/*
	 * 4,000 addresses, each with 10 chances in 131,071: to see 60 has a probability below 1e-6.
	 */
	ck_assert_uint_lt(known, 60);
	ck_assert_uint_gt(halves[0], ROUNDS / 4);
	ck_assert_uint_gt(halves[1], ROUNDS / 4);
	folder_fini();
}
END_TEST

static void random_name(uint64_t *seed, char *name, size_t *len)
{
	*len = 1 + unit_below(seed, unit_below(seed, 20) ? 30 : 255);
	for (size_t i = 0; i < *len; i++)
		name[i] = (char)(1 + unit_below(seed, 255));
}

START_TEST(random_names_round_trip)
{
	enum { NAMES = 20000 };
	static char names[NAMES][256];
	static size_t lens[NAMES];
	static uint32_t slots[NAMES];
	uint64_t seed = unit_seed();
	struct table *t = begin();

	for (int i = 0; i < NAMES; i++) {
		random_name(&seed, names[i], &lens[i]);
		ck_assert_int_eq(table_put(t, names[i], lens[i], &slots[i]), 0);
	}
	for (int i = 0; i < NAMES; i++) {
		size_t len;
		const char *name = table_name(t, slots[i], &len);

		ck_assert_uint_eq(table_find(t, names[i], lens[i]), slots[i]);
		ck_assert_uint_eq(len, lens[i]);
		ck_assert(ascii_equal(name, names[i], len));
	}
	end(t);
}
END_TEST

/* Both kinds of table: @_i 0 in a file, 1 private. */
START_TEST(table_takes_131071_names_and_no_more)
{
	struct table *t;
	char name[40];
	uint32_t slot, right = 0, first = 0;
	int why;

	folder_init();
	t = table_open(_i ? NULL : table_path, &why);
	ck_assert_int_eq(why == 0, _i == 0);
	for (uint32_t i = 1; i < POOL_SLOTS; i++) {
		size_t n = (size_t)sprintf(name, "host%u.example.org", i);

		right += table_put(t, name, n, &slot) == 0;
		if (i == 1)
			first = slot;
		/* One after the other, round the end. */
		right -= slot != (first - 1 + i - 1) % (POOL_SLOTS - 1) + 1;
	}
	ck_assert_uint_eq(right, POOL_SLOTS - 1);
	ck_assert_uint_eq(table_count(t), POOL_SLOTS - 1);
	for (int again = 0; again < 3; again++)
		ck_assert_int_eq(table_put(t, "one.more", 8, &slot), -ENOSPC);
	ck_assert_uint_eq(table_count(t), POOL_SLOTS - 1);
	for (uint32_t i = 1; i < POOL_SLOTS; i++) {
		size_t n = (size_t)sprintf(name, "host%u.example.org", i), len;
		uint32_t want = (first - 1 + i - 1) % (POOL_SLOTS - 1) + 1;
		const char *kept = table_name(t, want, &len);

		right -= table_put(t, name, n, &slot) == 0 && slot == want && kept && len == n &&
		         strcmp(kept, name) == 0;
	}
	ck_assert_uint_eq(right, 0);
	end(t);
}
END_TEST

static void set_pool(uint8_t ipv4_bits, uint8_t ipv6_bits)
{
	struct prefix v4 = { ENDPOINT_IPV4, ipv4_bits, { 198, 16 } };
	struct prefix v6 = { ENDPOINT_IPV6, ipv6_bits, { 0xfd, 0x5c, 0x93, 0x1e, 0xb7, 0x42 } };

	if (ipv4_bits == 15)
		v4.ip[1] = 18;
	pool_init(&v4, &v6);
}

static const struct {
	uint8_t ipv4_bits, ipv6_bits;
	uint32_t names; /* that fit, or are put at least */
	bool is_all;
} pools[] = {
	{ 12, 64, 200000, false }, { 14, 64, (1u << 18) - 1, true },
	{ 15, 112, 65535, true },  { 24, 64, 255, true },
	{ 30, 64, 3, true },       { 31, 64, 1, true },
	{ 32, 64, 0, true },       { 15, 128, 0, true },
};

/* Each pool's table in a file, opened a second time in its midst. */
START_TEST(pools_of_every_size_give_all_they_have)
{
	uint32_t n = pools[_i].names, slot, right = 0;
	struct table *t, *other;
	char name[40];
	int why;

	set_pool(pools[_i].ipv4_bits, pools[_i].ipv6_bits);
	folder_init();
	t = table_open(table_path, &why);
	ck_assert_int_eq(why, 0);
	for (uint32_t i = 0; i < n; i++) {
		size_t len = (size_t)sprintf(name, "host%u.example.org", i);

		ck_assert(!table_is_full(t));
		ck_assert_int_eq(table_put(t, name, len, &slot), 0);
	}
	ck_assert_int_eq(table_is_full(t), pools[_i].is_all);
	if (pools[_i].is_all)
		ck_assert_int_eq(table_put(t, "more", 4, &slot), -ENOSPC);
	other = table_open(table_path, &why);
	ck_assert_int_eq(why, 0);
	for (uint32_t i = 0; i < n; i++) {
		size_t len = (size_t)sprintf(name, "host%u.example.org", i), have;
		const char *kept;

		slot = table_find(other, name, len);
		kept = table_name(other, slot, &have);
		right += kept && have == len && memcmp(kept, name, len) == 0;
	}
	ck_assert_uint_eq(right, n);
	table_close(other);
	end(t);
	set_pool(15, 64);
}
END_TEST

START_TEST(octets_for_names_end_before_the_slots_do)
{
	struct table *t = begin();
	uint32_t slot, n = 0;
	char name[256];
	int err;

	do {
		memset(name, 'x', 255);
		name[sprintf(name, "%u", n++)] = '.';
		err = table_put(t, name, 255, &slot);
	} while (err == 0);
	ck_assert_int_eq(err, -ENOSPC);
	ck_assert_uint_gt(n, 60000);
	ck_assert_uint_lt(table_count(t), POOL_SLOTS - 1);
	put(t, "short"); /* what still fits is taken */
	end(t);
}
END_TEST

/* No content at all makes it crash or run forever; what it then answers does not matter. */
START_TEST(damage_while_mapped_is_survived)
{
	uint64_t seed = unit_seed();

	for (int round = 0; round < 30; round++) {
		struct table *t = begin();
		int fd = open(table_path, O_RDWR | O_CLOEXEC);

		static const off_t areas[] = { 0, SLOTS_AT, BUCKETS_AT, PEERS_AT, RECORDS_AT };
		struct peer peer = { .shown_family = AF_INET };
		char name[256];
		uint32_t slot;

		for (int i = 0; i < 300; i++)
			put(t, (sprintf(name, "name%d", i), name));
		for (int i = 0; i < 200; i++) {
			uint64_t junk = unit_random(&seed);
			off_t at = areas[unit_below(&seed, ROWS(areas))];
			size_t len;

			/* Small numbers and true offsets lead further than noise does. */
			if (unit_below(&seed, 2))
				junk = RECORDS_AT + unit_below(&seed, 8192);
			at += (off_t)unit_below(&seed, at == 0 ? SLOTS_AT : 8192);
			if (at >= SLOTS_AT || unit_below(&seed, 10) == 0)
				ck_assert_int_eq(pwrite(fd, &junk, 4, at), 4);
			peers_note(t, 1 + unit_below(&seed, 2000), &peer);
			peers_find(t, 1 + unit_below(&seed, 2000), &peer);
			len = 1 + unit_below(&seed, 255);
			memset(name, (int)(1 + unit_below(&seed, 255)), len);
			table_put(t, name, len, &slot);
			table_find(t, name, len);
			len = (size_t)sprintf(name, "name%d", i);
			table_find(t, name, len);
			table_put(t, name, len, &slot);
			if (table_name(t, (uint32_t)unit_below(&seed, 400), &len))
				ck_assert_uint_le(len, 255);
			ck_assert_uint_lt(table_count(t), POOL_SLOTS);
		}
		close(fd);
		end(t);
	}
}
END_TEST

START_TEST(ring_of_records_is_left)
{
	struct table *t = begin();
	int fd = open(table_path, O_RDWR | O_CLOEXEC);
	const uint32_t first = RECORDS_AT;
	uint32_t slot;

	put(t, "a");
	/*
	 * The record's next (behind hash and slot) becomes the record itself, its name another one.
	 */
	ck_assert_int_eq(pwrite(fd, &first, 4, first + 8), 4);
	ck_assert_int_eq(pwrite(fd, "b", 1, first + 13), 1);
	ck_assert_uint_eq(find(t, "a"), 0);
	ck_assert_int_eq(table_put(t, "a", 1, &slot), 0);
	close(fd);
	end(t);
}
END_TEST

static struct table *in_handler;
static volatile sig_atomic_t handled;

static void on_signal(int sig)
{
	uint32_t slot = table_find(in_handler, "known", 5);

	(void)sig;
	if (slot != 0 && table_name(in_handler, slot, NULL))
		handled++;
	table_put(in_handler, "from.handler", 12, &slot);
}

START_TEST(signal_handler_may_ask)
{
	struct sigaction sa = { .sa_handler = on_signal }, old;
	char name[40];

	in_handler = begin();
	put(in_handler, "known");
	sigaction(SIGUSR1, &sa, &old);
	for (int i = 0; i < 2000; i++) {
		sprintf(name, "n%d", i);
		put(in_handler, name);
		raise(SIGUSR1);
	}
	sigaction(SIGUSR1, &old, NULL);
	ck_assert_int_eq(handled, 2000);
	end(in_handler);
}
END_TEST

UNIT_MAIN("names/table", { name_gets_one_slot_and_keeps_it, 0 },
          { name_is_1_to_255_octets_without_nul, 0 }, { slot_that_was_not_given_has_no_name, 0 },
          { table_outlives_those_who_map_it, 0 },
          { table_made_anew_does_not_know_the_addresses_of_the_old_one, 0 },
          { random_names_round_trip, 0 }, { table_takes_131071_names_and_no_more, 2 },
          { pools_of_every_size_give_all_they_have, ROWS(pools) },
          { octets_for_names_end_before_the_slots_do, 0 }, { damage_while_mapped_is_survived, 0 },
          { ring_of_records_is_left, 0 }, { signal_handler_may_ask, 0 })
