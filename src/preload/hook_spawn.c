/*
 * posix_spawn and its kin: the target is judged and the environment made whole before there is a
 * child; what libc then does with attributes and file actions is its own affair.
 *
 * But for file actions that change the directory: nobody but the child knows then which file a
 * relative path is. There the wrapper is started, which judges it in the child; that it can't be
 * executed is then told by the exit status, 126 or 127, and not by posix_spawn().
 */
#include "child.h"
#include "real.h"

#include <base/log.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SMALL_ROOM 512 /* pointers; more are mapped */

typedef int spawner(int *id, const char *file, const void *actions, const void *attr,
                    char *const argv[], char *const envp[]);

/* What the program called, and wants. */
struct request {
	spawner *as_asked, *by_path;
	bool by_search;
	int *id;
	const char *file;
	const void *actions, *attr;
	char *const *argv, *const *envp;
};

/* Has any file action of this process been one to change the directory? */
static atomic_bool moves;

/*
 * By its descriptor: the wrapper has to find it open. What another thread starts meanwhile finds it
 * as well.
 */
static int spawn_lent(const struct request *rq, const struct child *c, char *const args[],
                      char *const envp[])
{
	int err;

	real->fcntl(c->fd, F_SETFD, 0);
	err = rq->by_path(rq->id, c->file, rq->actions, rq->attr, args, envp);
	real->fcntl(c->fd, F_SETFD, FD_CLOEXEC);
	return err;
}

static int spawn(const struct request *rq, const struct child *c, char *const args[],
                 char *const envp[])
{
	/* The real one says why it fails, and runs what only the kernel knows (binfmt_misc). */
	if (c->way == CHILD_FAILS || c->by_shell)
		return rq->as_asked(rq->id, rq->file, rq->actions, rq->attr, args, envp);
	if (c->fd >= 0)
		return spawn_lent(rq, c, args, envp);
	return rq->by_path(rq->id, c->file, rq->actions, rq->attr, args, envp);
}

/* The vectors that the program's own won't do for are made in @room. */
static int spawn_made(const struct request *rq, const struct child *c, char **room, size_t args_len,
                      size_t env_len)
{
	char **args = room, **envp = room + args_len;

	if (args_len > 0)
		child_args(c, rq->argv, args);
	if (env_len > 0)
		child_env(c, rq->envp, envp, (char *)(envp + env_len));
	return spawn(rq, c, args_len > 0 ? args : (char **)(uintptr_t)rq->argv,
	             env_len > 0 ? envp : (char **)(uintptr_t)rq->envp);
}

static int run(const struct request *rq, const struct child *c)
{
	bool has_args = c->way == CHILD_CLOSED || c->way == CHILD_ELSEWHERE;
	size_t text = 0, args_len = has_args ? child_args_len(c, rq->argv) : 0, env_len = 0, size;
	char *small[SMALL_ROOM], **room = small;
	int err;

	child_tell(c);
	if (c->way == CHILD_REFUSED)
		return -c->err;
	if (!child_env_serves(c, rq->envp))
		env_len = child_env_len(c, rq->envp, &text);
	size = (args_len + env_len) * sizeof(*room) + text;
	if (size > sizeof(small))
		room = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED)
		return ENOMEM;
	err = spawn_made(rq, c, room, args_len, env_len);
	if (room != small)
		munmap(room, size);
	if (err == E2BIG && env_len > 0)
		log_warn("%s: arguments and environment are too long, with the variables that "
		         "socksify adds to them",
		         c->place);
	return err;
}

/* Does PATH depend on the directory that one is in? */
static bool has_relative(const char *path)
{
	for (; path; path = strchr(path, ':'), path += path != NULL)
		if (*path != '/')
			return true;
	return false;
}

/* May it be another directory's file that is executed? */
static bool is_elsewhere(const struct request *rq, const struct child *c, const char *path)
{
	if (!rq->actions || !atomic_load_explicit(&moves, memory_order_relaxed))
		return false;
	if (c->target.loads && c->target.loads[0] != '/')
		return true;
	if (!rq->by_search || strchr(rq->file, '/'))
		return rq->file[0] != '/';
	return c->way == CHILD_FAILS ? has_relative(path) : c->place[0] != '/';
}

static int judge_and_run(const struct request *rq)
{
	const char *path = rq->by_search ? getenv("PATH") : NULL;
	int err, saved = errno;
	struct child c;

	if (!rq->file)
		return rq->as_asked(rq->id, rq->file, rq->actions, rq->attr, rq->argv, rq->envp);
	if (rq->by_search)
		child_plan_found(&c, rq->file, path);
	else
		child_plan(&c, rq->file);
	child_plan_arguments(&c, rq->argv, rq->envp);
	if (is_elsewhere(rq, &c, path))
		child_plan_elsewhere(&c, rq->file, rq->by_search);
	err = run(rq, &c);
	errno = saved;
	return err;
}

int hook_posix_spawn(int *pid, const char *file, const void *actions, const void *attr,
                     char *const argv[], char *const envp[])
{
	const struct request rq = {
		real->posix_spawn, real->posix_spawn, false, pid, file, actions, attr, argv, envp
	};

	return judge_and_run(&rq);
}

int hook_posix_spawnp(int *pid, const char *file, const void *actions, const void *attr,
                      char *const argv[], char *const envp[])
{
	const struct request rq = {
		real->posix_spawnp, real->posix_spawn, true, pid, file, actions, attr, argv, envp
	};

	return judge_and_run(&rq);
}

/* What stands in for a function that this libc lacks returns -1. */
static int spelt(int err)
{
	return err == -1 ? ENOSYS : err;
}

int hook_pidfd_spawn(int *pidfd, const char *file, const void *actions, const void *attr,
                     char *const argv[], char *const envp[])
{
	const struct request rq = {
		real->pidfd_spawn, real->pidfd_spawn, false, pidfd, file, actions, attr, argv, envp
	};

	return spelt(judge_and_run(&rq));
}

int hook_pidfd_spawnp(int *pidfd, const char *file, const void *actions, const void *attr,
                      char *const argv[], char *const envp[])
{
	const struct request rq = {
		real->pidfd_spawnp, real->pidfd_spawn, true, pidfd, file, actions, attr, argv, envp
	};

	return spelt(judge_and_run(&rq));
}

int hook_posix_spawn_file_actions_addchdir_np(void *actions, const char *path)
{
	atomic_store_explicit(&moves, true, memory_order_relaxed);
	return real->posix_spawn_file_actions_addchdir_np(actions, path);
}

int hook_posix_spawn_file_actions_addfchdir_np(void *actions, int fd)
{
	atomic_store_explicit(&moves, true, memory_order_relaxed);
	return real->posix_spawn_file_actions_addfchdir_np(actions, fd);
}
