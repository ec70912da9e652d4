#include "unit.h"

#include <errno.h>
#include <options.h>
#include <policy.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[] = "/tmp/test_policy.XXXXXX";

static void write_rules(const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static union address address(const char *text)
{
	const struct endpoint ep = unit_endpoint(text);
	union address a;

	address_from_endpoint(&a, &ep);
	return a;
}

#define A POLICY_ALLOWED
#define D POLICY_DENIED
#define P POLICY_DEPENDS
#define C POLICY_CONNECT
#define R POLICY_RESOLVE
#define B POLICY_BIND
#define U POLICY_UDP

/* "": NULL. The reason's beginning. */
static const struct {
	const char *rules; /* NULL: no --rules */
	enum policy_verdict verdict;
	const char *from;
	enum policy_cmd cmd;
	const char *asked, *to, *why;
} rows[] = {
	/* addresses need no second question, names do: the guard has to see where they lead */
	{ NULL, A, "198.51.100.7:1", C, "203.0.113.1:80", "", NULL },
	{ NULL, A, "198.51.100.7:1", C, "203.0.113.1:80", "203.0.113.1:80", NULL },
	{ NULL, P, "198.51.100.7:1", C, "a.example:80", "", NULL },
	{ NULL, P, "127.0.0.1:1", C, "a.example:80", "", NULL },
	{ NULL, A, "198.51.100.7:1", C, "a.example:80", "203.0.113.1:80", NULL },
	{ NULL, D, "198.51.100.7:1", C, "a.example:80", "127.0.0.1:80", "a loopback" },
	{ NULL, D, "198.51.100.7:1", C, "127.0.0.1:80", "", "a loopback" },
	{ NULL, D, "198.51.100.7:1", C, "[::ffff:127.0.0.1]:80", "", "a loopback" },
	{ NULL, A, "127.0.0.1:1", C, "127.0.0.1:80", "", NULL },
	{ NULL, D, "127.0.0.1:1", C, "0.0.0.0:80", "", "it is no address" },
	{ NULL, D, "127.0.0.1:1", U, "[::]:80", "", "it is no address" },
	/* rules do not open what the guard closes; --allow-to 127.0.0.5 does, and they may deny */
	{ "allow", D, "198.51.100.7:1", C, "127.0.0.1:80", "", "a loopback" },
	{ "allow", A, "198.51.100.7:1", C, "127.0.0.5:80", "", NULL },
	{ "deny to 127.0.0.5", D, "198.51.100.7:1", C, "127.0.0.5:80", "", "denied by line 1" },
	{ "", D, "198.51.100.7:1", C, "127.0.0.5:80", "", "no rule" },
	/* what is denied is denied by way of a translator, too; not so what is allowed */
	{ "deny to 203.0.113.0/24\nallow", D, "198.51.100.7:1", C, "[64:ff9b::203.0.113.1]:80", "",
	  "denied by line 1" },
	{ "deny to 203.0.113.0/24\nallow", D, "198.51.100.7:1", U, "a.example:80",
	  "[64:ff9b::203.0.113.1]:80", "denied by line 1" },
	{ "deny to 203.0.113.0/24\nallow", D, "127.0.0.1:1", C, "[2002:cb00:7101::1]:80", "",
	  "denied by line 1" },
	{ "deny to 203.0.113.0/24\nallow", A, "198.51.100.7:1", C, "[64:ff9b::203.0.114.1]:80", "",
	  NULL },
	{ "allow to 203.0.113.0/24", D, "198.51.100.7:1", C, "[64:ff9b::203.0.113.1]:80", "",
	  "no rule" },
	{ "deny to 0.0.0.0/0\nallow", A, "127.0.0.1:1", C, "[::1]:80", "", NULL },
	{ "deny to 0.0.0.0/0\nallow", A, "127.0.0.1:1", C, "[2001:db8::1]:80", "", NULL },
	{ "deny to 203.0.113.0/24 port 25\nallow", A, "127.0.0.1:1", C, "[64:ff9b::203.0.113.1]:80",
	  "", NULL },
	/* a name that is denied is never looked up */
	{ "deny to a.example\nallow", D, "198.51.100.7:1", C, "a.example:80", "",
	  "denied by line 1" },
	{ "allow to a.example", P, "198.51.100.7:1", C, "a.example:80", "", NULL },
	{ "allow to a.example", D, "198.51.100.7:1", C, "b.example:80", "", "no rule" },
	/* look-ups reach nobody: no guard, and no address is needed where the rules need none */
	{ NULL, A, "198.51.100.7:1", R, "a.example:80", "", NULL },
	{ NULL, A, "198.51.100.7:1", R, "127.0.0.1:0", "", NULL },
	{ NULL, A, "198.51.100.7:1", R, "a.example:80", "10.0.0.1:0", NULL },
	{ "deny to 10.0.0.0/8\nallow", P, "198.51.100.7:1", R, "a.example:80", "", NULL },
	{ "deny to 10.0.0.0/8\nallow", D, "198.51.100.7:1", R, "a.example:80", "10.0.0.1:0",
	  "denied by line 1" },
	/* BIND: any peer, or one; its port is known when it comes */
	{ NULL, P, "198.51.100.7:1", B, "0.0.0.0:0", "", NULL },
	{ "deny do bind\nallow", D, "198.51.100.7:1", B, "0.0.0.0:0", "", "denied by line 1" },
	{ NULL, A, "198.51.100.7:1", B, "203.0.113.1:0", "", NULL },
	{ NULL, D, "198.51.100.7:1", B, "10.0.0.1:0", "", "a private" },
	{ "allow port 20", P, "198.51.100.7:1", B, "203.0.113.1:21", "", NULL },
	{ "allow port 20", A, "198.51.100.7:1", B, "203.0.113.1:21", "203.0.113.1:20", NULL },
	{ "allow port 20", D, "198.51.100.7:1", B, "203.0.113.1:21", "203.0.113.1:21", "no rule" },
	{ NULL, D, "198.51.100.7:1", B, "", "10.0.0.1:20", "a private" },
	/* an ASSOCIATE names nothing */
	{ NULL, P, "198.51.100.7:1", U, "", "", NULL },
	{ "allow do connect", D, "198.51.100.7:1", U, "", "", "no rule" },
	{ "allow do udp port 53", P, "198.51.100.7:1", U, "", "", NULL },
	{ "allow do udp port 53", A, "198.51.100.7:1", U, "203.0.113.1:53", "203.0.113.1:53",
	  NULL },
	{ "allow do udp port 53", D, "198.51.100.7:1", U, "203.0.113.1:54", "203.0.113.1:54",
	  "no rule" },
};

START_TEST(guard_and_rules_judge_together)
{
	const struct endpoint asked = unit_endpoint(rows[_i].asked);
	const union address from = address(rows[_i].from), to = address(rows[_i].to);
	const struct policy_who who = { .from = &from };
	struct options o = { .rules = rows[_i].rules ? path : NULL };
	struct policy *p;
	const char *why = "untouched";
	enum policy_verdict v;

	if (rows[_i].rules)
		write_rules(rows[_i].rules);
	ck_assert_int_eq(acl_add(&o.allow_to, "127.0.0.5"), 0);
	ck_assert_int_eq(policy_new(&p, &o, NULL), 0);
	v = policy_judge(p, &who, rows[_i].cmd, asked.kind ? &asked : NULL,
	                 *rows[_i].to ? &to : NULL, &why);
	ck_assert_msg(v == rows[_i].verdict, "%s: %s to %s (%s): %d, %s",
	              rows[_i].rules ? rows[_i].rules : "-", rows[_i].from, rows[_i].asked,
	              rows[_i].to, v, why ? why : "-");
	ck_assert((why != NULL) == (v == POLICY_DENIED));
	if (why)
		ck_assert_msg(strncmp(why, rows[_i].why, strlen(rows[_i].why)) == 0, "%s", why);
	policy_put(p);
	acl_fini(&o.allow_to);
}
END_TEST

static enum policy_verdict judge(const struct policy *p, const char *to)
{
	const struct endpoint asked = unit_endpoint(to);
	const union address from = address("127.0.0.1:1");
	const struct policy_who who = { .from = &from };
	const char *why;

	return policy_judge(p, &who, POLICY_CONNECT, &asked, NULL, &why);
}

START_TEST(one_that_is_renewed_judges_anew_and_leaves_the_old_alone)
{
	const struct options o = { .rules = path };
	struct policy *old, *fresh;

	write_rules("allow port 80\n");
	ck_assert_int_eq(policy_new(&old, &o, NULL), 0);
	write_rules("allow port 81\n");
	fresh = policy_renew(old);
	ck_assert_ptr_nonnull(fresh);
	ck_assert_int_eq(judge(old, "203.0.113.1:80"), POLICY_ALLOWED);
	ck_assert_int_eq(judge(old, "203.0.113.1:81"), POLICY_DENIED);
	ck_assert_int_eq(judge(fresh, "203.0.113.1:80"), POLICY_DENIED);
	ck_assert_int_eq(judge(fresh, "203.0.113.1:81"), POLICY_ALLOWED);
	policy_put(old);
	ck_assert_int_eq(judge(fresh, "203.0.113.1:81"), POLICY_ALLOWED);
	policy_put(fresh);
}
END_TEST

START_TEST(what_cant_be_used_makes_no_policy)
{
	struct options o = { .rules = path };
	struct policy *p, *fresh;

	write_rules("allow\n");
	ck_assert_int_eq(policy_new(&p, &o, NULL), 0);
	write_rules("permit\n");
	ck_assert_ptr_null(policy_renew(p));
	ck_assert_int_eq(policy_new(&fresh, &o, NULL), OPTIONS_BAD);
	ck_assert_ptr_null(fresh);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_ptr_null(policy_renew(p));
	ck_assert_int_eq(policy_new(&fresh, &o, NULL), 1);
	/* Nobody writes to it; it must not be waited for. */
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_ptr_null(policy_renew(p));
	ck_assert_int_eq(unlink(path), 0);
	policy_put(p);
	o.rules = NULL;
	ck_assert_int_eq(policy_new(&p, &o, NULL), 0);
	ck_assert_ptr_null(policy_renew(p));
	policy_put(p);
	policy_put(NULL);
}
END_TEST

struct worker_of_test {
	struct policy *p;
	unsigned wrong;
};

static void *judge_often(void *arg)
{
	struct worker_of_test *w = arg;

	for (int i = 0; i < 2000; i++) {
		struct policy *mine = policy_get(w->p);
		const union address from = address("198.51.100.7:1");
		const struct policy_who who = { .from = &from };
		union address to = address("203.0.113.1:80");
		const char *why;

		to.in.sin_addr.s_addr ^= htonl((uint32_t)i & 127);
		w->wrong += policy_judge(mine, &who, POLICY_CONNECT, NULL, &to, &why) !=
		            POLICY_ALLOWED;
		policy_put(mine);
	}
	policy_put(w->p);
	return NULL;
}

START_TEST(threads_share_one)
{
	enum { THREADS = 4 };
	const struct options o = { 0 };
	struct worker_of_test w[THREADS] = { 0 };
	pthread_t threads[THREADS];
	struct policy *p;

	ck_assert_int_eq(policy_new(&p, &o, NULL), 0);
	for (int i = 0; i < THREADS; i++) {
		w[i].p = policy_get(p);
		ck_assert_int_eq(pthread_create(&threads[i], NULL, judge_often, &w[i]), 0);
	}
	policy_put(p);
	for (int i = 0; i < THREADS; i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		ck_assert_uint_eq(w[i].wrong, 0);
	}
}
END_TEST

static int run(void)
{
	const struct unit_test list[] = {
		{ guard_and_rules_judge_together, ROWS(rows) },
		{ one_that_is_renewed_judges_anew_and_leaves_the_old_alone, 0 },
		{ what_cant_be_used_makes_no_policy, 0 },
		{ threads_share_one, 0 },
	};

	return unit_run("server policy", list, sizeof(list) / sizeof(list[0]));
}

int main(void)
{
	int status, fd = mkstemp(path);

	if (fd < 0)
		return 1;
	close(fd);
	status = run();
	(void)unlink(path);
	return status;
}
