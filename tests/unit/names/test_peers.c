#include <fcntl.h>
#include <names/peers.h>
#include <names/pool.h>
#include <netinet/in.h>
#include <pthread.h>
#include <unit.h>

#include "folder.h"

#define PEERS_AT (4096 + POOL_SLOTS * 4 + 16384 * 4) /* in the file, see table_file.h */

static struct peer peer_of(uint32_t n)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		                  .sin_port = (in_port_t)n,
		                  .sin_addr = { n * 2654435761u } };
	struct peer p = { .len = sizeof(sa), .shown_family = AF_INET, .refused = n % 2 };

	memcpy(&p.addr, &sa, sizeof(sa));
	return p;
}

static bool is_peer_of(const struct peer *p, uint32_t n)
{
	struct peer want = peer_of(n);

	return p->len == want.len && p->shown_family == want.shown_family &&
	       p->refused == want.refused && memcmp(&p->addr, &want.addr, want.len) == 0;
}

/* In no order, and different in either half. */
static uint64_t cookie_of(uint32_t n)
{
	return n * (uint64_t)0x9e3779b97f4a7c15u;
}

START_TEST(what_was_noted_is_found_and_nothing_else)
{
	struct table *t = table_open(NULL, NULL);
	struct peer p;

	ck_assert(!peers_find(t, 1, &p));
	ck_assert(!peers_find(t, 0, &p));
	for (uint32_t i = 1; i <= 64; i++) {
		p = peer_of(i);
		peers_note(t, i, &p);
	}
	for (uint32_t i = 1; i <= 64; i++)
		ck_assert(peers_find(t, i, &p) && is_peer_of(&p, i));
	ck_assert(!peers_find(t, 65, &p));
	p = peer_of(99);
	peers_note(t, 7, &p);
	ck_assert(peers_find(t, 7, &p) && is_peer_of(&p, 99));
	table_close(t);
}
END_TEST

START_TEST(the_newest_are_known)
{
	struct table *t = table_open(NULL, NULL);
	struct peer p;
	const uint32_t all = 10 * PEERS_KNOWN + 100;

	for (uint32_t i = 1; i <= all; i++) {
		p = peer_of(i);
		peers_note(t, cookie_of(i), &p);
		ck_assert(peers_find(t, cookie_of(i), &p) && is_peer_of(&p, i));
	}
	for (uint32_t i = 1; i <= all; i++) {
		bool found = peers_find(t, cookie_of(i), &p);

		ck_assert_int_eq(found, i > all - PEERS_KNOWN);
		ck_assert(!found || is_peer_of(&p, i));
	}
	table_close(t);
}
END_TEST

/* At every position of the ring. */
START_TEST(last_note_of_a_cookie_holds)
{
	struct table *t = table_open(NULL, NULL);
	struct peer p;

	for (uint32_t i = 1; i <= 3 * PEERS_KNOWN; i++) {
		p = peer_of(i);
		peers_note(t, 7, &p);
		ck_assert(peers_find(t, 7, &p) && is_peer_of(&p, i));
		p = peer_of(i + 1);
		peers_note(t, 7 + ((uint64_t)1 << 32), &p); /* another one */
		ck_assert(peers_find(t, 7, &p) && is_peer_of(&p, i));
	}
	table_close(t);
}
END_TEST

START_TEST(what_is_no_address_is_not_handed_out)
{
	struct table *t = table_open(NULL, NULL);
	struct peer p = peer_of(1);

	p.len = sizeof(p.addr) + 1;
	peers_note(t, 5, &p);
	ck_assert(!peers_find(t, 5, &p));
	p = peer_of(1);
	p.addr.sin6_family = AF_INET6; /* with an IPv4 address's length */
	peers_note(t, 5, &p);
	ck_assert(!peers_find(t, 5, &p));
	table_close(t);
}
END_TEST

/* As a process leaves its place that was killed while it wrote. */
START_TEST(places_of_the_dead_are_passed_over)
{
	const uint32_t odd = 1;
	struct table *t;
	struct peer p;
	int fd;

	folder_init();
	t = table_open(table_path, NULL);
	fd = open(table_path, O_RDWR | O_CLOEXEC);
	for (uint32_t i = 1; i <= PEERS_KNOWN; i++) {
		p = peer_of(i);
		peers_note(t, i, &p);
	}
	/* Ten in a row, with what they had before. */
	for (int i = 100; i < 110; i++)
		ck_assert_int_eq(pwrite(fd, &odd, 4, PEERS_AT + 48 * i), 4);
	for (uint32_t i = 1; i <= PEERS_KNOWN; i++)
		ck_assert_int_eq(peers_find(t, i, &p), i <= 100 || i > 110);
	for (uint32_t i = 1; i <= 5 * PEERS_KNOWN; i++) {
		p = peer_of(i);
		peers_note(t, 100000 + i, &p);
		ck_assert(peers_find(t, 100000 + i, &p) && is_peer_of(&p, i));
	}
	for (uint32_t i = 4 * PEERS_KNOWN + 11; i <= 5 * PEERS_KNOWN; i++)
		ck_assert(peers_find(t, 100000 + i, &p) && is_peer_of(&p, i));
	close(fd);
	table_close(t);
	folder_fini();
}
END_TEST

static struct table *shared;

/* Writers fight for the same places; whatever is read must be whole. */
static void *fight(void *at)
{
	uint32_t first = (uint32_t)(uintptr_t)at;
	uintptr_t wrong = 0;
	struct peer p;

	for (uint32_t i = 0; i < 4000; i++) {
		uint32_t n = 1 + (first + i) % 4096;

		p = peer_of(n);
		peers_note(shared, n, &p);
		n = 1 + (first + i * 7) % 4096;
		if (peers_find(shared, n, &p) && !is_peer_of(&p, n))
			wrong++;
	}
	return (void *)wrong;
}

/* @_i 0: in a file, whose ring grows meanwhile. */
START_TEST(racing_writers_mix_nothing)
{
	pthread_t threads[8];
	void *wrong;

	folder_init();
	shared = table_open(_i == 0 ? table_path : NULL, NULL);
	for (uintptr_t i = 0; i < 8; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, fight, (void *)(i * 512)), 0);
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i], &wrong);
		ck_assert_ptr_null(wrong);
	}
	table_close(shared);
	folder_fini();
}
END_TEST

UNIT_MAIN("names peers", { what_was_noted_is_found_and_nothing_else, 0 },
          { the_newest_are_known, 0 }, { last_note_of_a_cookie_holds, 0 },
          { what_is_no_address_is_not_handed_out, 0 }, { places_of_the_dead_are_passed_over, 0 },
          { racing_writers_mix_nothing, 2 })
