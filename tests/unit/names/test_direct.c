#include <errno.h>
#include <fcntl.h>
#include <names/direct.h>
#include <pthread.h>
#include <unit.h>

#include "folder.h"

#define DIRECT_AT \
	(4096 + POOL_SLOTS * 4 + 16384 * 4 + 1024 * 48) /* in the file, see table_file.h */
#define SET_LEN 64

/* Addresses of both families by number. */
static struct endpoint address_of(uint32_t i)
{
	uint8_t ip[16] = { 0x20, 0x01, 0x0d, 0xb8, [8] = (uint8_t)i, [12] = (uint8_t)(i >> 24) };
	struct endpoint ep;

	ip[13] = (uint8_t)(i >> 16);
	ip[14] = (uint8_t)(i >> 8);
	ip[15] = (uint8_t)i;
	if (i % 2)
		endpoint_set_ipv6(&ep, ip, 0);
	else
		endpoint_set_ipv4(&ep, ip + 12, 0);
	return ep;
}

static bool knows(const struct table *t, uint32_t i)
{
	struct endpoint ep = address_of(i);

	ep.port = 1;
	return direct_find(t, &ep);
}

static int note(struct table *t, uint32_t i)
{
	struct endpoint ep = address_of(i);

	return direct_note(t, &ep);
}

/* Both kinds of table: @i 0 in a file, 1 private. */
static struct table *begin(int i)
{
	int why;
	struct table *t;

	folder_init();
	t = table_open(i ? NULL : table_path, &why);
	ck_assert_ptr_nonnull(t);
	ck_assert_int_eq(why == 0, i == 0);
	return t;
}

static void end(struct table *t)
{
	table_close(t);
	folder_fini();
}

START_TEST(what_was_noted_is_known_and_nothing_else)
{
	struct table *t = begin(_i);

	for (uint32_t i = 0; i < 1000; i++)
		ck_assert(!knows(t, i));
	for (uint32_t i = 0; i < 500; i++)
		ck_assert_int_eq(note(t, i), 0);
	for (uint32_t i = 0; i < 1000; i++)
		ck_assert_int_eq(knows(t, i), i < 500);
	end(t);
}
END_TEST

static const struct {
	const char *noted, *asked;
	bool known;
} forms[] = {
	{ "192.0.2.1:0", "192.0.2.1:443", true },
	{ "192.0.2.1:0", "[::ffff:192.0.2.1]:443", true },
	{ "[::ffff:192.0.2.1]:0", "192.0.2.1:1", true },
	{ "192.0.2.1:0", "[::192.0.2.1]:443", false },
	{ "192.0.2.1:0", "192.0.2.2:80", false },
	{ "[2001:db8::1]:0", "[2001:db8::1]:9", true },
	{ "[2001:db8::1]:0", "[2001:db8::2]:9", false },
	{ "[2001:db8::1]:0", "[2001:db9::1]:9", false },
	{ "0.0.0.0:0", "[::]:0", false },
	{ "[::]:0", "[::]:0", true },
	{ "192.0.2.1:0", "example.org:0", false },

	/* For one port alone. */
	{ "192.0.2.1:80", "192.0.2.1:80", true },
	{ "192.0.2.1:80", "[::ffff:192.0.2.1]:80", true },
	{ "192.0.2.1:80", "192.0.2.1:443", false },
	{ "192.0.2.1:80", "192.0.2.1:0", false },
	{ "192.0.2.1:80", "192.0.2.2:80", false },
	{ "192.0.2.1:65535", "192.0.2.1:65535", true },
	{ "[2001:db8::1]:80", "[2001:db8::1]:80", true },
	{ "[2001:db8::1]:80", "[2001:db8::1]:81", false },
};

START_TEST(an_address_is_its_octets)
{
	struct table *t = begin(1);
	struct endpoint noted = unit_endpoint(forms[_i].noted);
	struct endpoint asked = unit_endpoint(forms[_i].asked);

	ck_assert_int_eq(direct_note(t, &noted), 0);
	ck_assert_int_eq(direct_find(t, &asked), forms[_i].known);
	end(t);
}
END_TEST

START_TEST(a_name_is_not_noted)
{
	struct table *t = begin(1);
	struct endpoint ep = unit_endpoint("example.org:80");

	ck_assert_int_eq(direct_note(t, &ep), -EINVAL);
	ep.kind = ENDPOINT_NONE;
	ck_assert_int_eq(direct_note(t, &ep), -EINVAL);
	ck_assert(!direct_find(t, &ep));
	end(t);
}
END_TEST

START_TEST(as_many_as_promised_are_known)
{
	struct table *t = begin(_i);
	uint32_t known = 0;

	for (uint32_t i = 0; i < DIRECT_KNOWN; i++)
		ck_assert_int_eq(note(t, i), 0);
	for (uint32_t i = 0; i < DIRECT_KNOWN; i++)
		known += knows(t, i);
	ck_assert_uint_eq(known, DIRECT_KNOWN);
	end(t);
}
END_TEST

/* Far more than there is room for; those noted again and again stay. */
START_TEST(the_oldest_are_forgotten)
{
	struct table *t = begin(_i);
	uint32_t known = 0;

	for (uint32_t i = 0; i < 100000; i++) {
		ck_assert_int_eq(note(t, i), 0);
		ck_assert(knows(t, i));
		if (i % 256 == 0)
			for (uint32_t old = 0; old < 10; old++)
				ck_assert_int_eq(note(t, old), 0);
	}
	for (uint32_t old = 0; old < 10; old++)
		ck_assert(knows(t, old));
	for (uint32_t i = 100; i < 50000; i++)
		known += knows(t, i);
	ck_assert_uint_lt(known, 50);
	for (uint32_t i = 100000 - DIRECT_KNOWN / 4; i < 100000; i++)
		ck_assert(knows(t, i));
	end(t);
}
END_TEST

START_TEST(other_processes_know_it)
{
	struct table *t = begin(_i), *other;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(note(t, 7) == 0 ? 0 : 1);
	ck_assert_int_eq(child_wait(pid), 0);
	ck_assert(knows(t, 7));
	if (_i == 0) {
		other = table_open(table_path, NULL);
		ck_assert(knows(other, 7));
		ck_assert(!knows(other, 8));
		table_close(other);
	}
	end(t);
}
END_TEST

/* As a process leaves its place that was killed while it wrote. */
START_TEST(places_of_the_dead_are_passed_over)
{
	const uint32_t odd[3] = { 1, 3, 5 };
	struct table *t = begin(0);
	int fd = open(table_path, O_RDWR | O_CLOEXEC);

	ck_assert_int_eq(note(t, 1), 0);
	/* The whole of the first page's sets. */
	for (int i = 0; i < 64; i++)
		ck_assert_int_eq(pwrite(fd, odd, sizeof(odd), DIRECT_AT + SET_LEN * i),
		                 sizeof(odd));
	ck_assert(!knows(t, 1));
	for (uint32_t i = 0; i < 100; i++)
		ck_assert_int_eq(note(t, i), 0);
	for (uint32_t i = 0; i < 100; i++)
		ck_assert(knows(t, i));
	close(fd);
	end(t);
}
END_TEST

START_TEST(damage_is_survived)
{
	uint64_t state = unit_seed();
	struct table *t = begin(0);
	int fd = open(table_path, O_RDWR | O_CLOEXEC);

	for (uint32_t i = 0; i < 4000; i++) {
		uint32_t junk = (uint32_t)unit_random(&state);
		off_t at = DIRECT_AT + (off_t)unit_below(&state, 63 * 1024) * 4;

		if (i % 8 == 0)
			at = 96; /* the count of notes */
		ck_assert_int_eq(pwrite(fd, &junk, 4, at), 4);
		note(t, i);
		knows(t, i / 2);
	}
	close(fd);
	end(t);
}
END_TEST

static struct table *shared;

/*
 * Writers fight for the same places; nothing is known that nobody noted, and each one knows what it
 * noted last.
 */
static void *fight(void *at)
{
	uint32_t first = (uint32_t)(uintptr_t)at;
	uintptr_t wrong = 0;

	for (uint32_t i = 0; i < 3000; i++) {
		wrong += note(shared, (first + i) % 4096) != 0;
		wrong += !knows(shared, (first + i) % 4096);
		wrong += knows(shared, 5000 + i);
	}
	return (void *)wrong;
}

/* @_i 0: in a file, which grows meanwhile. */
START_TEST(racing_writers_mix_nothing)
{
	pthread_t threads[8];
	void *wrong;

	shared = begin(_i);
	for (uintptr_t i = 0; i < 8; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, fight, (void *)(i * 256)), 0);
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i], &wrong);
		ck_assert_ptr_null(wrong);
	}
	end(shared);
}
END_TEST

UNIT_MAIN("names direct", { what_was_noted_is_known_and_nothing_else, 2 },
          { an_address_is_its_octets, ROWS(forms) }, { a_name_is_not_noted, 0 },
          { as_many_as_promised_are_known, 2 }, { the_oldest_are_forgotten, 2 },
          { other_processes_know_it, 2 }, { places_of_the_dead_are_passed_over, 0 },
          { damage_is_survived, 0 }, { racing_writers_mix_nothing, 2 })
