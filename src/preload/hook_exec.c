/*
 * The exec family: the target is judged, the environment completed, and then it is executed, by the
 * wrapper where the library can't get into it.
 *
 * All this may be done by the child of a vfork, which has its parent's memory and, where a program
 * makes it by clone(2), a small stack: nothing is allocated but on that stack. It takes 13 KiB of
 * struct child, 24 KiB for the judging, which are free again when the vectors are made, and those
 * only where the program's own will not do.
 */
#include "child.h"
#include "real.h"

#include <alloca.h>
#include <base/log.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Octets of an environment that are had on the stack. A larger one is mapped; where the child of a
 * vfork does so its parent keeps the mapping.
 */
#define ROOM_MAX 16384

#define AT_EXECVE_CHECK_FLAG 0x10000 /* Linux 6.14: AT_EXECVE_CHECK, only asks */

/* What the program called, and wants. */
struct request {
	enum { BY_PATH, BY_SEARCH, BY_FD, BY_AT } how;
	int fd, flags;
	const char *file;
	char *const *argv, *const *envp;
};

static int execute_as_asked(const struct request *rq, char *const envp[])
{
	switch (rq->how) {
	case BY_PATH:
		return real->execve(rq->file, rq->argv, envp);
	case BY_SEARCH:
		return real->execvpe(rq->file, rq->argv, envp);
	case BY_FD:
		return real->fexecve(rq->fd, rq->argv, envp);
	case BY_AT:
		break;
	}
	/* A libc that is older than execveat() may have a kernel that isn't. */
	return (int)real->syscall(SYS_execveat, (long)rq->fd, (long)rq->file, (long)rq->argv,
	                          (long)envp, (long)rq->flags, 0);
}

/* The wrapper has to open what the descriptor is, or lies in. */
static void execute_wrapper(const struct child *c, char *const args[], char *const envp[])
{
	int err;

	if (c->fd >= 0)
		real->fcntl(c->fd, F_SETFD, 0);
	real->execve(c->file, args, envp);
	err = errno;
	if (c->fd >= 0)
		real->fcntl(c->fd, F_SETFD, FD_CLOEXEC);
	errno = err;
}

static int execute(const struct request *rq, const struct child *c, char *const envp[])
{
	char **args;

	if (c->way != CHILD_CLOSED && c->way != CHILD_ELSEWHERE && !c->by_shell) {
		if (rq->how == BY_SEARCH && c->way != CHILD_FAILS)
			return real->execve(c->file, rq->argv, envp);
		return execute_as_asked(rq, envp);
	}
	/* Not by the shell at once: binfmt_misc may know the file. */
	if (c->by_shell && (real->execve(c->place, rq->argv, envp), errno != ENOEXEC))
		return -1;
	args = alloca(child_args_len(c, rq->argv) * sizeof(*args));
	child_args(c, rq->argv, args);
	execute_wrapper(c, args, envp);
	return -1;
}

/* NULL with errno. */
static void *map(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

static int run(const struct request *rq, struct child *c)
{
	char *const *envp = rq->envp;
	size_t len, size = 0, text = 0;
	char **vector = NULL;

	child_plan_arguments(c, rq->argv, rq->envp);
	if (c->way == CHILD_REFUSED) {
		child_tell(c);
		errno = -c->err;
		return -1;
	}
	if (!child_env_serves(c, envp)) {
		len = child_env_len(c, envp, &text) * sizeof(*vector);
		size = len + text;
		vector = size <= ROOM_MAX ? alloca(size) : map(size);
		if (!vector)
			return -1;
		child_env(c, envp, vector, (char *)vector + len);
		envp = vector;
	}
	child_tell(c);
	execute(rq, c, envp);
	if (errno == E2BIG && envp != rq->envp)
		log_warn("%s: arguments and environment are too long, with the variables that "
		         "socksify adds to them",
		         c->place);
	if (size > ROOM_MAX) {
		int err = errno;

		munmap(vector, size);
		errno = err;
	}
	return -1;
}

int hook_execve(const char *file, char *const argv[], char *const envp[])
{
	const struct request rq = { .how = BY_PATH, .file = file, .argv = argv, .envp = envp };
	struct child c;

	child_plan(&c, file);
	return run(&rq, &c);
}

int hook_execvpe(const char *file, char *const argv[], char *const envp[])
{
	const struct request rq = { .how = BY_SEARCH, .file = file, .argv = argv, .envp = envp };
	struct child c;

	if (!file) {
		errno = EFAULT;
		return -1;
	}
	child_plan_found(&c, file, getenv("PATH"));
	return run(&rq, &c);
}

int hook_execv(const char *file, char *const argv[])
{
	return hook_execve(file, argv, environ);
}

int hook_execvp(const char *file, char *const argv[])
{
	return hook_execvpe(file, argv, environ);
}

int hook_fexecve(int fd, char *const argv[], char *const envp[])
{
	const struct request rq = { .how = BY_FD, .fd = fd, .argv = argv, .envp = envp };
	struct child c;

	/* What libc says itself. */
	if (fd < 0 || !argv || !envp)
		return real->fexecve(fd, argv, envp);
	child_plan_at(&c, fd, NULL);
	return run(&rq, &c);
}

/* Does the kernel refuse it for being a link? */
static bool is_link(int fd, const char *file)
{
	struct stat st;
	int saved = errno;
	bool is = fstatat(fd, file, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);

	errno = saved;
	return is;
}

int hook_execveat(int fd, const char *file, char *const argv[], char *const envp[], int flags)
{
	const int known = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW;
	const struct request rq = {
		.how = BY_AT, .fd = fd, .flags = flags, .file = file, .argv = argv, .envp = envp
	};
	bool is_empty = !file || !file[0];
	struct child c;

	/* What executes nothing, or can't be executed. */
	if ((flags & AT_EXECVE_CHECK_FLAG) || (is_empty && (fd < 0 || !(flags & AT_EMPTY_PATH))) ||
	    ((flags & AT_SYMLINK_NOFOLLOW) && !is_empty && is_link(fd, file)))
		return execute_as_asked(&rq, envp);
	if (is_empty)
		child_plan_at(&c, fd, NULL);
	else if (fd == AT_FDCWD || file[0] == '/')
		child_plan(&c, file);
	else
		child_plan_at(&c, fd, file);
	if (c.way == CHILD_CLOSED && (flags & ~known)) {
		errno = EINVAL;
		return -1;
	}
	return run(&rq, &c);
}

/* The arguments of one that takes them one by one, with the NULL that ends them. */
static size_t count(const char *arg, va_list *ap)
{
	size_t n = 1;

	for (; arg; n++)
		arg = va_arg(*ap, const char *);
	return n;
}

/* @ap is then at what comes after the NULL. */
static void collect(char **argv, const char *arg, va_list *ap)
{
	const char **out = (const char **)argv;

	for (*out = arg; *out; *out = va_arg(*ap, const char *))
		out++;
}

/* The vector is on the caller's stack. */
#define COLLECT(argv, arg, ap)                                       \
	do {                                                         \
		va_start(ap, arg);                                   \
		(argv) = alloca(count(arg, &(ap)) * sizeof(char *)); \
		va_end(ap);                                          \
		va_start(ap, arg);                                   \
		collect(argv, arg, &(ap));                           \
	} while (0)

int hook_execl(const char *file, const char *arg, ...)
{
	char **argv;
	va_list ap;

	COLLECT(argv, arg, ap);
	va_end(ap);
	return hook_execve(file, argv, environ);
}

int hook_execlp(const char *file, const char *arg, ...)
{
	char **argv;
	va_list ap;

	COLLECT(argv, arg, ap);
	va_end(ap);
	return hook_execvpe(file, argv, environ);
}

int hook_execle(const char *file, const char *arg, ...)
{
	char *const *envp;
	char **argv;
	va_list ap;

	COLLECT(argv, arg, ap);
	envp = va_arg(ap, char *const *);
	va_end(ap);
	return hook_execve(file, argv, envp);
}
