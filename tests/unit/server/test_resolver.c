/* Names of which DNS says nothing; the wire tests have those that it answers. */
#include "unit.h"

#include <errno.h>
#include <resolver.h>
#include <unistd.h>

struct asker {
	struct loop *loop;
	struct lookup *lookup;
	unsigned told;
	int err;
	const char *why;
};

static void told(void *arg, const struct resolver_answer *a)
{
	struct asker *one = arg;

	one->told++;
	ck_assert_uint_eq(a->n, 0);
	ck_assert(a->last);
	one->err = a->err;
	one->why = a->why;
	one->lookup = NULL;
	if (one->loop)
		loop_stop(one->loop);
}

struct silence {
	struct loop loop;
	struct resolver *resolver;
	union address client;
	int dns;
};

/* A DNS server that says nothing, asked with so short a patience. */
static void silence_init(struct silence *s, int timeout_ms)
{
	struct endpoint any = unit_endpoint("127.0.0.1:0");
	struct resolver_params params = { .timeout_ms = timeout_ms };
	char server[ENDPOINT_TEXT_MAX];
	union address at;

	s->dns = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	address_from_endpoint(&at, &any);
	ck_assert_int_eq(bind(s->dns, &at.sa, address_len(&at)), 0);
	address_of_socket(&at, s->dns);
	address_to_endpoint(&at, &any);
	params.nameservers = endpoint_format(&any, server, sizeof(server));
	any = unit_endpoint("192.0.2.1:1");
	address_from_endpoint(&s->client, &any);
	ck_assert_int_eq(loop_init(&s->loop), 0);
	ck_assert_int_eq(resolver_new(&s->resolver, &s->loop, &params), 0);
}

static void silence_fini(struct silence *s)
{
	resolver_free(s->resolver);
	loop_fini(&s->loop);
	close(s->dns);
}

static void ask(struct silence *s, struct asker *one)
{
	resolver_start(s->resolver, "mute.test", 9, 80, &s->client, told, one, &one->lookup);
}

START_TEST(no_answer_at_all_is_a_time_out)
{
	struct asker one = { 0 };
	struct silence s;

	silence_init(&s, 20);
	one.loop = &s.loop;
	ask(&s, &one);
	ck_assert_ptr_nonnull(one.lookup);
	ck_assert_int_eq(loop_run(&s.loop), 0);
	ck_assert_uint_eq(one.told, 1);
	ck_assert_int_eq(one.err, -ETIMEDOUT);
	ck_assert_ptr_nonnull(one.why);
	ck_assert_ptr_null(one.lookup);
	silence_fini(&s);
}
END_TEST

/* Those that nobody waits for any more count as well. */
START_TEST(a_source_has_its_limit_and_others_have_theirs)
{
	struct endpoint ep = unit_endpoint("192.0.2.2:1");
	struct asker one = { 0 };
	struct silence s;

	silence_init(&s, 60000);
	for (int i = 0; i < RESOLVER_SOURCE_LOOKUPS_MAX; i++) {
		ask(&s, &one);
		ck_assert_uint_eq(one.told, 0);
		lookup_cancel(one.lookup);
	}
	ask(&s, &one);
	ck_assert_uint_eq(one.told, 1);
	ck_assert_int_eq(one.err, -ENOBUFS);
	ck_assert_ptr_null(one.lookup);
	address_from_endpoint(&s.client, &ep);
	ask(&s, &one);
	ck_assert_uint_eq(one.told, 1);
	ck_assert_ptr_nonnull(one.lookup);
	lookup_cancel(one.lookup);
	silence_fini(&s);
}
END_TEST

START_TEST(all_sources_have_one_limit)
{
	struct asker one = { 0 };
	struct silence s;

	silence_init(&s, 60000);
	for (int i = 0; i < RESOLVER_LOOKUPS_MAX; i++) {
		s.client.in.sin_addr.s_addr = htonl(0xc0000200u + (uint32_t)(i % 100));
		ask(&s, &one);
		ck_assert_uint_eq(one.told, 0);
		lookup_cancel(one.lookup);
	}
	s.client.in.sin_addr.s_addr = htonl(0xc0000300u);
	ask(&s, &one);
	ck_assert_uint_eq(one.told, 1);
	ck_assert_int_eq(one.err, -ENOBUFS);
	silence_fini(&s);
}
END_TEST

/* libc, with names that are addresses, so that nobody is asked. */

struct libc {
	struct loop loop;
	struct resolver *resolver;
	union address client;
	unsigned told, wanted;
};

static void libc_told(void *arg, const struct resolver_answer *a)
{
	struct libc *l = arg;
	struct endpoint ep, want = unit_endpoint("192.0.2.7:80");

	ck_assert(a->last);
	ck_assert_uint_eq(a->n, 1);
	address_to_endpoint(&a->addrs[0], &ep);
	ck_assert_endpoint_eq(&ep, &want);
	if (++l->told == l->wanted)
		loop_stop(&l->loop);
}

static void libc_init(struct libc *l)
{
	const struct resolver_params params = { .system = true };
	struct endpoint ep = unit_endpoint("192.0.2.1:1");

	memset(l, 0, sizeof(*l));
	address_from_endpoint(&l->client, &ep);
	ck_assert_int_eq(loop_init(&l->loop), 0);
	ck_assert_int_eq(resolver_new(&l->resolver, &l->loop, &params), 0);
}

static struct lookup *libc_ask(struct libc *l)
{
	struct lookup *lk;

	resolver_start(l->resolver, "192.0.2.7", 9, 80, &l->client, libc_told, l, &lk);
	ck_assert_ptr_nonnull(lk);
	return lk;
}

START_TEST(libc_can_be_asked_instead)
{
	struct libc l;

	libc_init(&l);
	l.wanted = 100;
	for (unsigned i = 0; i < l.wanted; i++)
		libc_ask(&l);
	ck_assert_int_eq(loop_run(&l.loop), 0);
	ck_assert_uint_eq(l.told, 100);
	resolver_reload(l.resolver);
	resolver_free(l.resolver);
	loop_fini(&l.loop);
}
END_TEST

START_TEST(what_libc_is_asked_can_be_cancelled)
{
	struct lookup *lookups[200];
	struct libc l;

	libc_init(&l);
	for (int i = 0; i < ROWS(lookups); i++)
		lookups[i] = libc_ask(&l);
	for (int i = 1; i < ROWS(lookups); i++)
		lookup_cancel(lookups[i]);
	l.wanted = 1;
	ck_assert_int_eq(loop_run(&l.loop), 0);
	/* And where the server ends with some under way. */
	for (int i = 0; i < ROWS(lookups); i++)
		lookup_cancel(libc_ask(&l));
	resolver_free(l.resolver);
	loop_fini(&l.loop);
	ck_assert_uint_eq(l.told, 1);
}
END_TEST

UNIT_MAIN("server resolver", { no_answer_at_all_is_a_time_out, 0 },
          { a_source_has_its_limit_and_others_have_theirs, 0 }, { all_sources_have_one_limit, 0 },
          { libc_can_be_asked_instead, 0 }, { what_libc_is_asked_can_be_cancelled, 0 })
