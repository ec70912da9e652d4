/* By a hosts file, which answers at once, and a DNS server that says nothing. */
#include "unit.h"

#include <addressbook.h>
#include <unistd.h>

struct world {
	struct loop loop;
	struct resolver *resolver;
	struct addressbook *book;
	union address client;
	int dns;
	char hosts[32];
	/* What is closed; "" is nothing. */
	const char *closed_name, *closed_address;
	unsigned went, lost; /* of what waited */
	size_t waiting;
	char order[ADDRESSBOOK_WAITING_MAX + 1];
};

static bool may(void *arg, const struct endpoint *asked, const union address *to)
{
	const struct world *w = arg;
	struct endpoint ep;

	if (!to)
		return strcmp(asked->name, w->closed_name) != 0;
	address_to_endpoint(to, &ep);
	ck_assert_uint_eq(ep.port, asked->port);
	return strcmp(ENDPOINT_TEXT(&ep), w->closed_address) != 0;
}

static void go(void *arg, const struct endpoint *asked, const union address *to,
               const uint8_t *data, size_t len)
{
	struct world *w = arg;

	(void)asked;
	ck_assert_uint_eq(len, 1);
	w->order[w->went + w->lost] = (char)*data;
	if (to)
		w->went++;
	else
		w->lost++;
	if (w->lost == ADDRESSBOOK_WAITING_MAX)
		loop_stop(&w->loop);
}

static const struct addressbook_events events = { .may = may, .go = go };

static union address address(const char *text)
{
	struct endpoint ep = unit_endpoint(text);
	union address a;

	address_from_endpoint(&a, &ep);
	return a;
}

static void write_hosts(struct world *w, const char *text)
{
	FILE *f = fopen(w->hosts, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
	if (w->resolver)
		resolver_reload(w->resolver);
}

static void world_init(struct world *w, const char *hosts, const char *client)
{
	struct resolver_params params = { .hosts = w->hosts, .timeout_ms = 10 };
	union address at = address("127.0.0.1:0");
	char server[ENDPOINT_TEXT_MAX];
	struct endpoint ep;
	int fd;

	memset(w, 0, sizeof(*w));
	w->closed_name = "";
	w->closed_address = "";
	strcpy(w->hosts, "/tmp/addressbook.XXXXXX");
	fd = mkstemp(w->hosts);
	ck_assert_int_ge(fd, 0);
	close(fd);
	write_hosts(w, hosts);
	w->dns = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(w->dns, &at.sa, address_len(&at)), 0);
	address_of_socket(&at, w->dns);
	address_to_endpoint(&at, &ep);
	params.nameservers = endpoint_format(&ep, server, sizeof(server));
	w->client = address(client);
	ck_assert_int_eq(loop_init(&w->loop), 0);
	ck_assert_int_eq(resolver_new(&w->resolver, &w->loop, &params), 0);
	w->book = addressbook_new(&w->loop, w->resolver, &w->client, &w->waiting, &events, w);
	ck_assert_ptr_nonnull(w->book);
}

static void world_fini(struct world *w)
{
	addressbook_free(w->book);
	resolver_free(w->resolver);
	loop_fini(&w->loop);
	close(w->dns);
	unlink(w->hosts);
}

static enum addressbook_res find(struct world *w, const char *asked, uint8_t datum,
                                 union address *to)
{
	struct endpoint ep = unit_endpoint(asked);

	return addressbook_find(w->book, &ep, &datum, 1, to);
}

static void finds(struct world *w, const char *asked, const char *expected)
{
	struct endpoint ep;
	union address to;

	ck_assert_int_eq(find(w, asked, 0, &to), ADDRESSBOOK_FOUND);
	address_to_endpoint(&to, &ep);
	ck_assert_str_eq(ENDPOINT_TEXT(&ep), expected);
}

static void later(struct world *w)
{
	w->loop.now_ms += ADDRESSBOOK_MS;
}

START_TEST(a_name_has_an_address_of_the_clients_family_first)
{
	struct world w;

	world_init(&w, "::1 both\n127.0.0.1 both four\n", "127.0.0.1:1");
	finds(&w, "both:9", "127.0.0.1:9");
	finds(&w, "both:10", "127.0.0.1:10");
	finds(&w, "four:9", "127.0.0.1:9");
	world_fini(&w);
	world_init(&w, "127.0.0.1 both four\n::1 both\n", "[::1]:1");
	finds(&w, "both:9", "[::1]:9");
	finds(&w, "four:9", "127.0.0.1:9");
	world_fini(&w);
}
END_TEST

START_TEST(an_address_stays_while_the_name_has_it)
{
	struct world w;

	world_init(&w, "127.0.0.1 far\n", "127.0.0.1:1");
	finds(&w, "far:9", "127.0.0.1:9");
	write_hosts(&w, "127.0.0.2 far\n127.0.0.1 far\n");
	finds(&w, "far:9", "127.0.0.1:9");
	later(&w);
	finds(&w, "far:9", "127.0.0.1:9");
	write_hosts(&w, "127.0.0.2 far\n127.0.0.3 far\n");
	finds(&w, "far:9", "127.0.0.1:9");
	later(&w);
	finds(&w, "far:9", "127.0.0.2:9");
	world_fini(&w);
}
END_TEST

START_TEST(it_stays_where_nobody_answers_any_more)
{
	struct world w;

	world_init(&w, "127.0.0.1 far.test\n", "127.0.0.1:1");
	finds(&w, "far.test:9", "127.0.0.1:9");
	write_hosts(&w, "");
	later(&w);
	/* DNS is being asked, which holds up nothing. */
	finds(&w, "far.test:9", "127.0.0.1:9");
	finds(&w, "far.test:9", "127.0.0.1:9");
	world_fini(&w);
}
END_TEST

START_TEST(closed_addresses_are_passed_over)
{
	union address to;
	struct world w;

	world_init(&w, "127.0.0.1 far one\n127.0.0.2 far\n", "127.0.0.1:1");
	w.closed_address = "127.0.0.1:9";
	finds(&w, "far:9", "127.0.0.2:9");
	finds(&w, "far:10", "127.0.0.1:10");
	ck_assert_int_eq(find(&w, "one:9", 0, &to), ADDRESSBOOK_NO);
	w.closed_address = "";
	/* That there is none is remembered for a moment. */
	ck_assert_int_eq(find(&w, "one:9", 0, &to), ADDRESSBOOK_NO);
	w.loop.now_ms += ADDRESSBOOK_FAILED_MS;
	finds(&w, "one:9", "127.0.0.1:9");
	world_fini(&w);
}
END_TEST

START_TEST(a_closed_name_is_not_asked_for)
{
	union address to;
	struct world w;
	char query[512];

	world_init(&w, "", "127.0.0.1:1");
	w.closed_name = "far.test";
	ck_assert_int_eq(find(&w, "far.test:9", 0, &to), ADDRESSBOOK_NO);
	ck_assert_int_lt(recv(w.dns, query, sizeof(query), MSG_DONTWAIT), 0);
	ck_assert_int_eq(find(&w, "other.test:9", 0, &to), ADDRESSBOOK_WAITS);
	ck_assert_int_gt(recv(w.dns, query, sizeof(query), MSG_DONTWAIT), 0);
	world_fini(&w);
}
END_TEST

START_TEST(what_waits_is_bounded_and_told_in_order)
{
	union address to;
	struct world w;

	world_init(&w, "127.0.0.1 here\n", "127.0.0.1:1");
	for (int i = 0; i < ADDRESSBOOK_WAITING_MAX; i++)
		ck_assert_int_eq(find(&w, "far.test:9", (uint8_t)(i + 1), &to), ADDRESSBOOK_WAITS);
	ck_assert_int_eq(find(&w, "far.test:9", 0, &to), ADDRESSBOOK_NO);
	ck_assert_int_eq(find(&w, "other.test:9", 0, &to), ADDRESSBOOK_NO);
	finds(&w, "here:9", "127.0.0.1:9");
	ck_assert_int_eq(loop_run(&w.loop), 0);
	ck_assert_uint_eq(w.lost, ADDRESSBOOK_WAITING_MAX);
	for (int i = 0; i < ADDRESSBOOK_WAITING_MAX; i++)
		ck_assert_int_eq(w.order[i], i + 1);
	world_fini(&w);
}
END_TEST

START_TEST(octets_that_wait_are_bounded)
{
	static const uint8_t zero[65536];
	struct endpoint far = unit_endpoint("far.test:9");
	union address to;
	struct world w;

	world_init(&w, "", "127.0.0.1:1");
	for (size_t n = 0; n < ADDRESSBOOK_OCTETS_MAX; n += sizeof(zero))
		ck_assert_int_eq(addressbook_find(w.book, &far, zero, sizeof(zero), &to),
		                 ADDRESSBOOK_WAITS);
	ck_assert_int_eq(addressbook_find(w.book, &far, zero, 1, &to), ADDRESSBOOK_NO);
	ck_assert_int_eq(addressbook_find(w.book, &far, zero, 0, &to), ADDRESSBOOK_WAITS);
	world_fini(&w);
}
END_TEST

START_TEST(octets_that_wait_in_all_books_are_bounded)
{
	static const uint8_t zero[4096];
	struct endpoint slow = unit_endpoint("far.test:9");
	union address to;
	struct world w;

	world_init(&w, "", "127.0.0.1:1");
	/* Others have all of the room: what is left is each book's own. */
	w.waiting = ADDRESSBOOK_OCTETS_ALL;
	for (size_t n = 0; n < ADDRESSBOOK_OCTETS_LEAST; n += sizeof(zero))
		ck_assert_int_eq(addressbook_find(w.book, &slow, zero, sizeof(zero), &to),
		                 ADDRESSBOOK_WAITS);
	ck_assert_int_eq(addressbook_find(w.book, &slow, zero, sizeof(zero), &to), ADDRESSBOOK_NO);
	/* And when they have gone, there is more. */
	w.waiting -= ADDRESSBOOK_OCTETS_ALL;
	ck_assert_uint_eq(w.waiting, ADDRESSBOOK_OCTETS_LEAST);
	ck_assert_int_eq(addressbook_find(w.book, &slow, zero, sizeof(zero), &to),
	                 ADDRESSBOOK_WAITS);
	world_fini(&w);
	ck_assert_uint_eq(w.waiting, 0);
}
END_TEST

START_TEST(the_name_out_of_use_for_longest_makes_room)
{
	char hosts[64 * ADDRESSBOOK_NAMES_MAX] = "", name[32];
	union address to;
	struct world w;

	for (int i = 0; i <= ADDRESSBOOK_NAMES_MAX; i++)
		snprintf(hosts + strlen(hosts), 32, "127.0.0.1 n%d\n", i);
	world_init(&w, hosts, "127.0.0.1:1");
	for (int i = 0; i < ADDRESSBOOK_NAMES_MAX; i++) {
		snprintf(name, sizeof(name), "n%d:9", i);
		finds(&w, name, "127.0.0.1:9");
	}
	finds(&w, "n0:9", "127.0.0.1:9");
	finds(&w, "n64:9", "127.0.0.1:9");
	/* Who is still there keeps its address, whatever the file says; who is not asks again. */
	write_hosts(&w, "127.0.0.2 n0 n1 n2\n");
	finds(&w, "n0:9", "127.0.0.1:9");
	finds(&w, "n2:9", "127.0.0.1:9");
	finds(&w, "n1:9", "127.0.0.2:9");
	/* Those that datagrams wait for do not make room. */
	for (int i = 0; i < ADDRESSBOOK_NAMES_MAX; i++) {
		snprintf(name, sizeof(name), "far%d.test:9", i);
		ck_assert_int_eq(find(&w, name, 0, &to), ADDRESSBOOK_WAITS);
	}
	ck_assert_int_eq(find(&w, "n0:9", 0, &to), ADDRESSBOOK_NO);
	world_fini(&w);
}
END_TEST

UNIT_MAIN("server addressbook", { a_name_has_an_address_of_the_clients_family_first, 0 },
          { an_address_stays_while_the_name_has_it, 0 },
          { it_stays_where_nobody_answers_any_more, 0 }, { closed_addresses_are_passed_over, 0 },
          { a_closed_name_is_not_asked_for, 0 }, { what_waits_is_bounded_and_told_in_order, 0 },
          { octets_that_wait_are_bounded, 0 }, { octets_that_wait_in_all_books_are_bounded, 0 },
          { the_name_out_of_use_for_longest_makes_room, 0 })
