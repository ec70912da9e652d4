#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pipe.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int open_fds(void)
{
	struct rlimit rl;
	int n = 0;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &rl), 0);
	for (int fd = 0; fd < (rl.rlim_cur < 4096 ? (int)rl.rlim_cur : 4096); fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

START_TEST(a_pipe_is_as_large_as_it_says)
{
	struct pipe_pool pool = { 0 };
	struct pipe *p = pipe_get(&pool);

	ck_assert_ptr_nonnull(p);
	ck_assert_uint_eq(p->size, (size_t)fcntl(p->in, F_GETPIPE_SZ));
	ck_assert_uint_ge(p->size, PIPE_LEAST);
	ck_assert_uint_le(p->size, PIPE_SIZE_LARGE);
	ck_assert_uint_eq(p->len, 0);
	ck_assert_int_eq(fcntl(p->in, F_GETFD) & fcntl(p->out, F_GETFD), FD_CLOEXEC);
	ck_assert(fcntl(p->in, F_GETFL) & fcntl(p->out, F_GETFL) & O_NONBLOCK);
	ck_assert_int_eq((int)write(p->in, "x", 1), 1);
	ck_assert_int_eq((int)read(p->out, &(char){ 0 }, 1), 1);
	pipe_put(p);
	pipe_pool_trim(&pool);
}
END_TEST

/* Unless a quota says otherwise; then none is larger than it should be. */
START_TEST(the_first_pipes_are_the_largest)
{
	struct pipe_pool pool = { 0 };
	struct pipe *p[PIPE_LARGE_MAX + 2];
	size_t n = sizeof(p) / sizeof(p[0]), most = PIPE_SIZE_LARGE;

	for (size_t i = 0; i < n; i++) {
		p[i] = pipe_get(&pool);
		ck_assert_ptr_nonnull(p[i]);
		ck_assert_uint_le(p[i]->size, most);
		most = i + 1 < PIPE_LARGE_MAX ? p[i]->size : PIPE_SIZE;
	}
	for (size_t i = 0; i < n; i++)
		pipe_put(p[i]);
	pipe_pool_trim(&pool);
}
END_TEST

START_TEST(the_warmest_pipe_is_used_again)
{
	struct pipe_pool pool = { 0 };
	struct pipe *a = pipe_get(&pool), *b = pipe_get(&pool);
	int before = open_fds();

	pipe_put(a);
	pipe_put(b);
	ck_assert_uint_eq(pool.n_idle, 2);
	ck_assert_uint_eq(pool.n_out, 0);
	ck_assert_ptr_eq(pipe_get(&pool), b);
	ck_assert_ptr_eq(pipe_get(&pool), a);
	ck_assert_int_eq(open_fds(), before);
	pipe_put(a);
	pipe_put(b);
	pipe_pool_trim(&pool);
	ck_assert_uint_eq(pool.n_idle, 0);
	ck_assert_int_eq(open_fds(), before - 4);
}
END_TEST

/* The next tunnel must not see them. */
START_TEST(a_pipe_with_octets_in_it_is_never_used_again)
{
	struct pipe_pool pool = { 0 };
	struct pipe *p = pipe_get(&pool);
	int before = open_fds();

	ck_assert_int_eq((int)write(p->in, "secret", 6), 6);
	p->len = 6;
	pipe_put(p);
	ck_assert_uint_eq(pool.n_idle, 0);
	ck_assert_uint_eq(pool.n_out, 0);
	ck_assert_int_eq(open_fds(), before - 2);
}
END_TEST

START_TEST(there_are_so_many_and_few_wait)
{
	struct pipe_pool pool = { 0 };
	struct pipe *out[PIPE_OUT_MAX];
	int before = open_fds();

	for (int i = 0; i < PIPE_OUT_MAX; i++)
		if (!(out[i] = pipe_get(&pool)))
			ck_abort_msg("no pipe after %d", i);
	ck_assert_ptr_null(pipe_get(&pool));
	ck_assert_uint_eq(pool.n_out, PIPE_OUT_MAX);
	/* It is no failure of the kernel's: one that comes back can be had at once. */
	pipe_put(out[0]);
	out[0] = pipe_get(&pool);
	ck_assert_ptr_nonnull(out[0]);
	for (int i = 0; i < PIPE_OUT_MAX; i++)
		pipe_put(out[i]);
	ck_assert_uint_eq(pool.n_idle, PIPE_IDLE_MAX);
	ck_assert_int_eq(open_fds(), before + 2 * PIPE_IDLE_MAX);
	pipe_pool_trim(&pool);
	ck_assert_int_eq(open_fds(), before);
}
END_TEST

/* _i descriptors are left. */
START_TEST(without_descriptors_there_is_none_and_none_leaks)
{
	struct pipe_pool pool = { 0 };
	struct rlimit old, rl;
	struct pipe *p;
	int next = dup(0), tries = 0;

	close(next);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	rl = (struct rlimit){ .rlim_cur = (rlim_t)(next + _i), .rlim_max = old.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &rl), 0);
	ck_assert_ptr_null(pipe_get(&pool));
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	/* The kernel is not asked each time, but asked again. */
	ck_assert_ptr_null(pipe_get(&pool));
	while (!(p = pipe_get(&pool)))
		ck_assert_int_lt(++tries, 10000);
	ck_assert_int_eq(p->out < p->in ? p->out : p->in, next);
	pipe_put(p);
	pipe_pool_trim(&pool);
	ck_assert_int_eq(fcntl(next, F_GETFD), -1);
}
END_TEST

/*
 * As an ordinary user who has used up his share of pipes: the status to exit with. Check
 * knows nothing of this process.
 */
static int as_a_user_without_quota(void)
{
	struct rlimit rl = { 8192, 8192 };
	struct pipe_pool pool = { 0 };
	struct pipe *p;
	int ends[2], before;

	(void)setrlimit(RLIMIT_NOFILE, &rl);
	if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
		return 77;
	before = 0;
	do {
		if (pipe(ends) < 0)
			return before > 0 && errno == ENFILE ? 0 : 77;
		/* What is left of the quota in lumps, then what is less than a lump. */
		(void)fcntl(ends[0], F_SETPIPE_SZ, 1 << 20);
	} while (++before < 4000 && fcntl(ends[0], F_GETPIPE_SZ) >= PIPE_LEAST);
	if (fcntl(ends[0], F_GETPIPE_SZ) >= PIPE_LEAST)
		return 77;
	for (int i = 0; i < 1000; i++) {
		p = pipe_get(&pool);
		if (p && p->size < PIPE_LEAST)
			return 1;
		if (p)
			return 2;
	}
	/* Nothing was left open: the next descriptor is the next number. */
	before = ends[1] + 1;
	return dup(0) == before ? 0 : 3;
}

START_TEST(a_pipe_too_small_is_none)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(as_a_user_without_quota());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		printf("a_pipe_too_small_is_none: skipped, there is no quota to use up\n");
	else
		ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

UNIT_MAIN("server pipe", { a_pipe_is_as_large_as_it_says, 0 },
          { the_first_pipes_are_the_largest, 0 }, { the_warmest_pipe_is_used_again, 0 },
          { a_pipe_with_octets_in_it_is_never_used_again, 0 },
          { there_are_so_many_and_few_wait, 0 },
          { without_descriptors_there_is_none_and_none_leaks, 2 }, { a_pipe_too_small_is_none, 0 })
