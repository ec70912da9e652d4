/*
 * How it works: a login that was right a moment ago is right at once (verified.c). Any other waits
 * for its source's turn (penalty.c), then for a thread (pool.c), which tries the password with the
 * user's hash. For a user who is not there it tries another user's, so that it takes as long.
 * A login counts against its source from the moment on when it is handed to a thread: whoever
 * hangs up early has had his try, too.
 */
#include "auth.h"

#include "penalty.h"
#include "pool.h"
#include "users.h"
#include "usersfile.h"

#include <crypt.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS_MIN  2
#define THREADS_MAX  4
#define LOGINS_MAX   4096 /* waiting for a thread */
#define LOGINS_LANE  256  /* of one source */
#define THREADS_NICE 5

struct auth {
	struct loop *loop;
	struct opener *opener;
	const char *path;
	struct users *users;
	struct verified *verified;
	struct penalties *penalties;
	struct pool *pool;
};

struct login {
	struct auth *auth;
	void (*told)(void *arg, enum auth_verdict v);
	void *arg;
	struct source_key from;
	struct penalty_turn turn;
	struct pool_job job;
	/* For the thread, which may touch nothing else. */
	bool known;   /* there is such a user */
	bool matches; /* the outcome */
	uint8_t user_len, password_len;
	char hash[USERS_HASH_MAX]; /* zeros behind */
	char user[USERS_NAME_MAX + 1], password[USERS_NAME_MAX + 1];
};

void auth_reload(struct auth *a)
{
	if (usersfile_renew(&a->users, a->opener, a->path) == 0)
		verified_forget_all(a->verified);
}

/* Judging, in a thread */

static bool is_equal(const char *a, const char *b, size_t len)
{
	unsigned differ = 0;

	for (size_t i = 0; i < len; i++)
		differ |= (unsigned char)(a[i] ^ b[i]);
	return differ == 0;
}

static void try_password(struct pool_job *job)
{
	struct login *l = LOOP_OWNER(job, struct login, job);
	struct crypt_data *data = calloc(1, sizeof(*data));
	char got[USERS_HASH_MAX] = { 0 };
	const char *hash;
	bool whole = strlen(l->password) == l->password_len;

	if (!data)
		return;
	hash = crypt_r(l->password, l->hash, data);
	if (hash)
		memcpy(got, hash, strnlen(hash, sizeof(got) - 1));
	/* No "&&": each is looked at, whatever the others say. */
	l->matches = is_equal(got, l->hash, sizeof(got)) & l->known & whole & (got[0] != '*');
	explicit_bzero(got, sizeof(got));
	explicit_bzero(data, sizeof(*data));
	free(data);
}

/* Logins */

static void login_free(struct login *l)
{
	explicit_bzero(l, sizeof(*l));
	free(l);
}

static void login_dropped(struct pool_job *job)
{
	login_free(LOOP_OWNER(job, struct login, job));
}

static struct credentials credentials_of(const struct login *l)
{
	return (struct credentials){ .user = l->user,
		                     .user_len = l->user_len,
		                     .password = l->password,
		                     .password_len = l->password_len };
}

static void login_tell(struct login *l, enum auth_verdict v)
{
	void (*told)(void *, enum auth_verdict) = l->told;
	void *arg = l->arg;

	login_free(l);
	told(arg, v);
}

static void tried(struct pool_job *job)
{
	struct login *l = LOOP_OWNER(job, struct login, job);
	struct auth *a = l->auth;
	struct credentials c = credentials_of(l);
	const char *now = users_hash(a->users, l->user, l->user_len);

	/* The file may have been read again meanwhile, and say something else. */
	if (!l->matches || !now || strcmp(now, l->hash) != 0) {
		login_tell(l, AUTH_WRONG);
		return;
	}
	penalty_clear(a->penalties, &l->from);
	verified_put(a->verified, &l->from, &c);
	login_tell(l, AUTH_RIGHT);
}

/* AUTH_PENDING or AUTH_NO_MEANS. */
static enum auth_verdict login_judge(struct login *l)
{
	struct auth *a = l->auth;
	const char *hash = users_hash(a->users, l->user, l->user_len);
	const char *decoy = users_decoy(a->users, l->user, l->user_len);

	l->known = hash != NULL;
	snprintf(l->hash, sizeof(l->hash), "%s", hash ? hash : decoy);
	penalty_charge(a->penalties, &l->from);
	return pool_submit(a->pool, &l->job, &l->from) == 0 ? AUTH_PENDING : AUTH_NO_MEANS;
}

static bool was_right(struct auth *a, const struct source_key *from, const struct credentials *c)
{
	if (!verified_holds(a->verified, from, c))
		return false;
	penalty_clear(a->penalties, from);
	return true;
}

static void turn_came(struct penalty_turn *t)
{
	struct login *l = LOOP_OWNER(t, struct login, turn);
	struct credentials c = credentials_of(l);
	enum auth_verdict v;

	/* The one before it in the lane may have been the same, and right. */
	v = was_right(l->auth, &l->from, &c) ? AUTH_RIGHT : login_judge(l);
	if (v != AUTH_PENDING)
		login_tell(l, v);
}

static struct login *login_new(struct auth *a, const struct source_key *from,
                               const struct credentials *c)
{
	struct login *l;

	if (c->user_len > USERS_NAME_MAX || c->password_len > USERS_NAME_MAX)
		return NULL;
	l = calloc(1, sizeof(*l));
	if (!l)
		return NULL;
	l->auth = a;
	l->from = *from;
	l->turn.came = turn_came;
	l->job.run = try_password;
	l->job.done = tried;
	l->job.drop = login_dropped;
	l->user_len = (uint8_t)c->user_len;
	l->password_len = (uint8_t)c->password_len;
	memcpy(l->user, c->user, c->user_len);
	memcpy(l->password, c->password, c->password_len);
	return l;
}

enum auth_verdict auth_start(struct auth *a, const union address *from, const struct credentials *c,
                             void (*told)(void *arg, enum auth_verdict v), void *arg,
                             struct login **slot)
{
	struct source_key key = source_key_of(from);
	enum auth_verdict v = AUTH_PENDING;
	struct login *l;

	*slot = NULL;
	if (was_right(a, &key, c))
		return AUTH_RIGHT;
	l = login_new(a, &key, c);
	if (!l)
		return AUTH_NO_MEANS;
	l->told = told;
	l->arg = arg;
	if (!penalty_wait(a->penalties, &l->turn, &key))
		v = login_judge(l);
	if (v == AUTH_PENDING)
		*slot = l;
	else
		login_free(l);
	return v;
}

void auth_cancel(struct login *l)
{
	if (!l)
		return;
	if (l->turn.lane) {
		penalty_leave(&l->turn);
		login_free(l);
	} else {
		pool_cancel(l->auth->pool, &l->job);
	}
}

/* Birth and death */

static unsigned thread_count(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return cpus < THREADS_MIN ? THREADS_MIN : cpus > THREADS_MAX ? THREADS_MAX : (unsigned)cpus;
}

int auth_new(struct auth **out, struct loop *loop, struct opener *opener, const char *path)
{
	struct auth *a = calloc(1, sizeof(*a));
	struct pool_params params = {
		.loop = loop,
		.threads = thread_count(),
		.lane_threads = thread_count() - 1,
		.jobs = LOGINS_MAX,
		.lane_jobs = LOGINS_LANE,
		.nice = THREADS_NICE,
	};
	int status, err = -ENOMEM;

	*out = NULL;
	if (a) {
		a->loop = loop;
		a->opener = opener;
		a->path = path;
		a->verified = verified_new(loop);
		a->penalties = penalty_new(loop);
		err = a->verified && a->penalties ? pool_new(&a->pool, &params) : -ENOMEM;
	}
	if (err < 0) {
		fprintf(stderr, "socksifyd: --users \"%s\": %s\n", path, strerror(-err));
		status = 1;
	} else {
		status = usersfile_load(&a->users, opener, path);
	}
	if (status == 0)
		*out = a;
	else
		auth_free(a);
	return status;
}

void auth_free(struct auth *a)
{
	if (!a)
		return;
	pool_free(a->pool);
	penalty_free(a->penalties);
	verified_free(a->verified);
	users_free(a->users);
	free(a);
}
