/*
 * crypt_r(3) is the test's own here: it counts, and answers at once. So what PROTOCOL item 68 asks
 * for is shown without a clock: a wrong user costs as much as a wrong password.
 */
#include "unit.h"

#include <auth.h>
#include <crypt.h>
#include <pthread.h>
#include <stddef.h>
#include <unistd.h>

#define BOB "$6$WilIA77KtBXZUBsC$"
#define TAIL                                                                              \
	"lgtAuUgS16xwQgRMrCJo/NMvE877n0k3mThZbGkKlfgJLLuQDJHgArlodxIpUT9fWR.CZhcOCrl24w0" \
	"Xbwweg/"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned calls;
static char last_setting[CRYPT_OUTPUT_SIZE];

/* "right" is the password of every hash. */
char *crypt_r(const char *phrase, const char *setting, struct crypt_data *data)
{
	pthread_mutex_lock(&lock);
	calls++;
	snprintf(last_setting, sizeof(last_setting), "%s", setting);
	pthread_mutex_unlock(&lock);
	snprintf(data->output, sizeof(data->output), "%s%s", setting,
	         strcmp(phrase, "right") == 0 ? "" : "x");
	return data->output;
}

struct place {
	struct loop loop;
	struct auth *auth;
	struct login *login;
	union address from;
	char path[64];
	enum auth_verdict told;
	unsigned n_told;
};

static void told(void *arg, enum auth_verdict v)
{
	struct place *p = arg;

	p->login = NULL;
	p->told = v;
	p->n_told++;
	loop_stop(&p->loop);
}

static void place_write(struct place *p, const char *text)
{
	FILE *f = fopen(p->path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
}

static void place_from(struct place *p, const char *text)
{
	struct endpoint ep = unit_endpoint(text);

	address_from_endpoint(&p->from, &ep);
}

static void place_init(struct place *p)
{
	int fd;

	memset(p, 0, sizeof(*p));
	snprintf(p->path, sizeof(p->path), "/tmp/socksifyd-auth.XXXXXX");
	fd = mkstemp(p->path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	place_write(p, "bob:" BOB TAIL "\n");
	place_from(p, "192.0.2.1:1");
	ck_assert_int_eq(loop_init(&p->loop), 0);
	ck_assert_int_eq(auth_new(&p->auth, &p->loop, NULL, p->path), 0);
	calls = 0;
}

static void place_fini(struct place *p)
{
	auth_free(p->auth);
	loop_fini(&p->loop);
	unlink(p->path);
}

static enum auth_verdict start(struct place *p, const char *user, const char *password)
{
	const struct credentials c = { .user = user,
		                       .user_len = strlen(user),
		                       .password = password,
		                       .password_len = strlen(password) };

	return auth_start(p->auth, &p->from, &c, told, p, &p->login);
}

static enum auth_verdict judge(struct place *p, const char *user, const char *password)
{
	enum auth_verdict v = start(p, user, password);

	if (v != AUTH_PENDING)
		return v;
	ck_assert_ptr_nonnull(p->login);
	ck_assert_int_eq(loop_run(&p->loop), 0);
	return p->told;
}

static const struct {
	const char *user, *password;
} wrong[] = {
	{ "bob", "wrong" }, { "nobody", "right" }, { "nobody", "wrong" },
	{ "", "" },         { "bob", "" },         { "", "right" },
};

START_TEST(a_wrong_user_costs_what_a_wrong_password_costs)
{
	struct place p;

	place_init(&p);
	ck_assert_int_eq(judge(&p, wrong[_i].user, wrong[_i].password), AUTH_WRONG);
	ck_assert_uint_eq(calls, 1);
	ck_assert_str_eq(last_setting, BOB TAIL);
	place_fini(&p);
}
END_TEST

START_TEST(what_was_right_is_remembered_and_a_wrong_one_is_not)
{
	struct place p;

	place_init(&p);
	ck_assert_int_eq(judge(&p, "bob", "right"), AUTH_RIGHT);
	ck_assert_uint_eq(calls, 1);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(judge(&p, "bob", "right"), AUTH_RIGHT);
	ck_assert_uint_eq(calls, 1);
	ck_assert_int_eq(judge(&p, "bob", "righx"), AUTH_WRONG);
	ck_assert_int_eq(judge(&p, "bob", "righ"), AUTH_WRONG);
	ck_assert_uint_eq(calls, 3);
	/* Another source has said nothing right yet. */
	place_from(&p, "192.0.2.2:1");
	ck_assert_int_eq(judge(&p, "bob", "right"), AUTH_RIGHT);
	ck_assert_uint_eq(calls, 4);
	place_fini(&p);
}
END_TEST

START_TEST(a_reload_forgets_and_a_bad_file_changes_nothing)
{
	struct place p;

	place_init(&p);
	ck_assert_int_eq(judge(&p, "bob", "right"), AUTH_RIGHT);
	auth_reload(p.auth);
	ck_assert_int_eq(judge(&p, "bob", "right"), AUTH_RIGHT);
	ck_assert_uint_eq(calls, 2);
	place_write(&p, "bob:nonsense\n");
	auth_reload(p.auth);
	ck_assert_int_eq(judge(&p, "bob", "right"), AUTH_RIGHT);
	ck_assert_uint_eq(calls, 2);
	place_write(&p, "eve:" BOB TAIL "\n");
	auth_reload(p.auth);
	ck_assert_int_eq(judge(&p, "bob", "right"), AUTH_WRONG);
	ck_assert_int_eq(judge(&p, "eve", "right"), AUTH_RIGHT);
	place_fini(&p);
}
END_TEST

START_TEST(a_user_who_is_gone_meanwhile_is_wrong)
{
	struct place p;

	place_init(&p);
	ck_assert_int_eq(start(&p, "bob", "right"), AUTH_PENDING);
	place_write(&p, "eve:" BOB TAIL "\n");
	auth_reload(p.auth);
	ck_assert_int_eq(loop_run(&p.loop), 0);
	ck_assert_int_eq(p.told, AUTH_WRONG);
	place_fini(&p);
}
END_TEST

/* Whoever hangs up before the verdict has had his try. */
START_TEST(those_that_wait_may_leave)
{
	struct login *logins[40];
	struct place p;

	place_init(&p);
	for (int i = 0; i < ROWS(logins); i++) {
		ck_assert_int_eq(start(&p, "bob", "wrong"), AUTH_PENDING);
		logins[i] = p.login;
	}
	for (int i = 0; i < ROWS(logins); i++)
		auth_cancel(logins[i]);
	ck_assert_uint_eq(p.n_told, 0);
	place_from(&p, "192.0.2.9:1");
	ck_assert_int_eq(judge(&p, "bob", "right"), AUTH_RIGHT);
	place_fini(&p);
	/* Three of the forty at most, and the one of the other source. */
	ck_assert_uint_le(calls, 4);
}
END_TEST

UNIT_MAIN("server auth", { a_wrong_user_costs_what_a_wrong_password_costs, ROWS(wrong) },
          { what_was_right_is_remembered_and_a_wrong_one_is_not, 0 },
          { a_reload_forgets_and_a_bad_file_changes_nothing, 0 },
          { a_user_who_is_gone_meanwhile_is_wrong, 0 }, { those_that_wait_may_leave, 0 })
