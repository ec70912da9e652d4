#include "unit.h"

#include <stddef.h>
#include <verified.h>

static struct loop loop;

static struct verified *fresh(void)
{
	struct verified *v;

	memset(&loop, 0, sizeof(loop));
	loop.now_ms = 1000;
	v = verified_new(&loop);
	ck_assert_ptr_nonnull(v);
	return v;
}

static struct credentials credentials(const char *user, const char *password)
{
	return (struct credentials){ .user = user,
		                     .user_len = strlen(user),
		                     .password = password,
		                     .password_len = strlen(password) };
}

static const struct source_key here = { .family = 1, .ip = { 192, 0, 2, 1 } };

static bool holds(struct verified *v, const char *user, const char *password)
{
	struct credentials c = credentials(user, password);

	return verified_holds(v, &here, &c);
}

static void put(struct verified *v, const char *user, const char *password)
{
	struct credentials c = credentials(user, password);

	verified_put(v, &here, &c);
}

START_TEST(it_holds_just_what_was_put)
{
	struct source_key there = { .family = 1, .ip = { 192, 0, 2, 2 } };
	struct credentials c = credentials("bob", "secret");
	struct verified *v = fresh();

	ck_assert(!holds(v, "bob", "secret"));
	put(v, "bob", "secret");
	ck_assert(holds(v, "bob", "secret"));
	ck_assert(!holds(v, "bob", "secre"));
	ck_assert(!holds(v, "bob", "secrets"));
	ck_assert(!holds(v, "bo", "secret"));
	ck_assert(!holds(v, "bob", ""));
	ck_assert(!verified_holds(v, &there, &c));
	c.password = "secret\0";
	c.password_len = 7;
	ck_assert(!verified_holds(v, &here, &c));
	put(v, "bob", "changed");
	ck_assert(!holds(v, "bob", "secret"));
	ck_assert(holds(v, "bob", "changed"));
	verified_free(v);
}
END_TEST

START_TEST(its_time_ends)
{
	struct verified *v = fresh();

	put(v, "bob", "secret");
	loop.now_ms += VERIFIED_MS - 1;
	put(v, "eve", "other");
	ck_assert(holds(v, "bob", "secret"));
	loop.now_ms++;
	ck_assert(!holds(v, "bob", "secret"));
	timers_run(&loop.timers, loop.now_ms);
	ck_assert(holds(v, "eve", "other"));
	loop.now_ms += VERIFIED_MS;
	timers_run(&loop.timers, loop.now_ms);
	ck_assert(!holds(v, "eve", "other"));
	ck_assert_int_eq(timers_next(&loop.timers), INT64_MAX);
	verified_free(v);
}
END_TEST

START_TEST(it_can_be_asked_wrongly_only_so_often)
{
	struct verified *v = fresh();

	put(v, "bob", "secret");
	for (int i = 0; i < VERIFIED_MISSES_MAX; i++) {
		ck_assert(holds(v, "bob", "secret"));
		ck_assert(!holds(v, "bob", "guess"));
	}
	ck_assert(!holds(v, "bob", "secret"));
	verified_free(v);
}
END_TEST

START_TEST(the_oldest_makes_room)
{
	struct verified *v = fresh();
	char user[16];

	for (int i = 0; i <= VERIFIED_MAX; i++) {
		snprintf(user, sizeof(user), "u%d", i);
		put(v, user, "p");
		loop.now_ms++;
	}
	ck_assert(!holds(v, "u0", "p"));
	ck_assert(holds(v, "u1", "p"));
	ck_assert(holds(v, user, "p"));
	verified_forget_all(v);
	ck_assert(!holds(v, user, "p"));
	verified_free(v);
}
END_TEST

UNIT_MAIN("server verified", { it_holds_just_what_was_put, 0 }, { its_time_ends, 0 },
          { it_can_be_asked_wrongly_only_so_often, 0 }, { the_oldest_makes_room, 0 })
