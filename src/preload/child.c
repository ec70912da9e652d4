/*
 * How it works: launch/ says what the file is that would be executed, and SOCKSIFY_EXEC what
 * becomes of one that the library can't get into. The wrapper, which runs such a program without a
 * network, is looked for beside this library when it is first needed.
 */
#include "child.h"

#include "audit.h"
#include "real.h"
#include "session.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <launch/beside.h>
#include <launch/entry.h>
#include <launch/explain.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHELL      "/bin/sh" /* what execvp(3) runs */
#define TOLD_SLOTS 256       /* files that are remembered; more are told again */

/*
 * This library's file, as the loader found it, made absolute; relative only where LD_PRELOAD can't
 * carry the absolute one. "" where nobody knows.
 */
static char own[PATH_MAX];

/*
 * What was told. A page that children share: a shell forks for each command, and tells of a file
 * once all the same, as does the child of a vfork.
 */
static _Atomic uint32_t fallback[TOLD_SLOTS], *told = fallback;

static void share_told(void)
{
	void *page = mmap(NULL, sizeof(fallback), PROT_READ | PROT_WRITE,
	                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (page != MAP_FAILED)
		told = page;
}

void child_init(void)
{
	Dl_info info;
	size_t len = 0;

	if (told == fallback)
		share_told();
	if (own[0] || !dladdr(own, &info) || !info.dli_fname)
		return;
	if (info.dli_fname[0] != '/' && getcwd(own, sizeof(own) - 1)) {
		len = strlen(own);
		own[len++] = '/';
		if (strcspn(own, " :") < len)
			len = 0;
	}
	if (len + strlen(info.dli_fname) < sizeof(own))
		strcpy(own + len, info.dli_fname);
	else
		own[0] = '\0';
}

/* Where there is a library for it. */
static bool find_entry(struct child *c, const struct target *target)
{
	if (!own[0])
		child_init();
	if (own[0] && access(own, R_OK) == 0 &&
	    entry_for(c->entry, sizeof(c->entry), own, target) == 0)
		return true;
	c->entry[0] = '\0';
	return false;
}

static bool find_wrapper(struct child *c)
{
	static const struct beside wrapper = {
		SOCKSIFY_BINDIR_FROM_LIBDIR "/socksify",
		"../wrapper/socksify",
		SOCKSIFY_BINDIR "/socksify",
	};
	char folder[PATH_MAX], *slash;
	int err = own[0] ? beside_folder(own, folder, sizeof(folder)) : -ENOENT;
	bool is_known = err == 0;

	/* Links in it are only found by a descriptor. */
	if (err == -EMFILE) {
		strcpy(folder, own);
		slash = strrchr(folder, '/');
		is_known = slash != NULL;
		if (slash)
			*slash = '\0';
	}
	return beside_find(&wrapper, is_known ? folder : NULL, c->wrapper, sizeof(c->wrapper)) == 0;
}

static void refuse(struct child *c)
{
	c->way = CHILD_REFUSED;
	c->err = -EACCES;
}

/* The wrapper looks a name without a slash up in PATH. */
static void add_slash(char *place, size_t cap)
{
	size_t len = strlen(place);

	if (strchr(place, '/') || len + 3 > cap)
		return;
	memmove(place + 2, place, len + 1);
	place[0] = '.';
	place[1] = '/';
}

static void decide_unreachable(struct child *c)
{
	switch (session_config()->exec) {
	case EXEC_CLOSED:
		if (c->target.kind == TARGET_PRIVILEGED || !find_wrapper(c)) {
			refuse(c);
			return;
		}
		c->way = CHILD_CLOSED;
		c->file = c->wrapper;
		add_slash(c->place, sizeof(c->place));
		return;
	case EXEC_REFUSE:
		refuse(c);
		return;
	case EXEC_ALLOW:
		c->way = CHILD_OPEN;
		return;
	}
}

/* "/proc/self/fd/3", "/dev/fd/3" and the like, and what is below: 3, and what comes after it. */
static int descriptor_of(const char *path, const char **rest)
{
	static const char *const dirs[] = { "/proc/self/fd/", "/proc/thread-self/fd/", "/dev/fd/" };
	char *end, own_dir[32];
	const char *at = NULL;
	long fd;

	snprintf(own_dir, sizeof(own_dir), "/proc/%d/fd/", (int)getpid());
	if (strncmp(path, own_dir, strlen(own_dir)) == 0)
		at = path + strlen(own_dir);
	for (size_t i = 0; !at && i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (strncmp(path, dirs[i], strlen(dirs[i])) == 0)
			at = path + strlen(dirs[i]);
	if (!at || *at < '0' || *at > '9')
		return -1;
	fd = strtol(at, &end, 10);
	*rest = end;
	return fd <= INT_MAX && (!*end || *end == '/') ? (int)fd : -1;
}

/*
 * The wrapper finds it open, and tells by the name whether the program is to: by "/dev/fd/3", where
 * there is such a folder, and else not.
 */
static void lend_descriptor(struct child *c)
{
	const char *rest;
	int fd = descriptor_of(c->place, &rest), flags = fd < 0 ? -1 : real->fcntl(fd, F_GETFD, 0);
	char name[32];
	size_t len;

	if (flags < 0)
		return;
	if (flags & FD_CLOEXEC)
		c->fd = fd;
	else if (access("/dev/fd", F_OK) < 0)
		return;
	len = (size_t)snprintf(name, sizeof(name), "%s%d",
	                       flags & FD_CLOEXEC ? "/proc/self/fd/" : "/dev/fd/", fd);
	if (len + strlen(rest) >= sizeof(c->place))
		return;
	memmove(c->place + len, rest, strlen(rest) + 1);
	memcpy(c->place, name, len);
}

/* What the library can't get into may start something that it can. */
static const struct target any = { .kind = TARGET_DYNAMIC, .is_native = true };

/*
 * No descriptor is left to look at it with. Those that are close-on-exec are gone where the wrapper
 * runs, and another program could start with no more than it can.
 */
static bool is_starved(const struct target *t)
{
	return t->kind == TARGET_UNREACHABLE && t->why == TARGET_WHY_UNREADABLE &&
	       (t->err == -EMFILE || t->err == -ENFILE);
}

static void decide_starved(struct child *c)
{
	if (c->target.err == -ENFILE || !find_wrapper(c)) {
		c->way = CHILD_REFUSED;
		c->err = c->target.err;
		return;
	}
	c->way = CHILD_ELSEWHERE;
	c->file = c->wrapper;
	add_slash(c->place, sizeof(c->place));
}

static void decide(struct child *c)
{
	int saved = errno;

	c->err = 0;
	c->fd = -1;
	c->way = CHILD_PRELOADED;
	if (c->target.kind != TARGET_DYNAMIC || !find_entry(c, &c->target)) {
		find_entry(c, &any);
		if (c->target.kind == TARGET_FAILS) {
			c->way = CHILD_FAILS;
			c->err = c->target.err;
		} else if (c->target.is_idle) {
			c->way = CHILD_OPEN;
		} else if (is_starved(&c->target)) {
			decide_starved(c);
		} else {
			decide_unreachable(c);
		}
	}
	if (c->way == CHILD_CLOSED || c->way == CHILD_ELSEWHERE)
		lend_descriptor(c);
	errno = saved;
}

void child_plan(struct child *c, const char *file)
{
	c->by_shell = false;
	c->place[0] = '\0';
	c->file = file;
	if (file) {
		target_judge(file, &c->target);
	} else {
		memset(&c->target, 0, sizeof(c->target));
		c->target.kind = TARGET_FAILS;
		c->target.err = -EFAULT;
	}
	/* That is no text to copy, and the kernel will say so. */
	if (c->target.kind != TARGET_FAILS || c->target.err != -EFAULT) {
		snprintf(c->place, sizeof(c->place), "%s", file);
		c->file = c->place;
	}
	decide(c);
}

void child_plan_found(struct child *c, const char *file, const char *path)
{
	target_find(file, path, c->place, sizeof(c->place), &c->target);
	c->file = c->place;
	c->by_shell = c->target.kind == TARGET_FAILS && c->target.err == -ENOEXEC &&
	              !c->target.is_elf && c->place[0];
	if (c->by_shell) {
		target_judge(SHELL, &c->target);
		if (c->target.kind != TARGET_FAILS && !c->target.program[0])
			strcpy(c->target.program, SHELL);
		c->file = SHELL;
	}
	decide(c);
}

/* It is known to nobody but the kernel what @fd is, and the wrapper could not get at it. */
static bool is_out_of_sight(int fd, const char *path)
{
	struct stat st;

	return access("/proc/self/fd", F_OK) < 0 &&
	       fstatat(fd, path ? path : "", &st, path ? 0 : AT_EMPTY_PATH) == 0;
}

void child_plan_at(struct child *c, int fd, const char *path)
{
	int saved = errno, flags = real->fcntl(fd, F_GETFD, 0);
	const char *slash = path ? "/" : "";

	if (!path)
		path = "";
	c->by_shell = false;
	c->file = c->place;
	snprintf(c->place, sizeof(c->place), "/proc/self/fd/%d%s%s", fd, slash, path);
	target_judge(c->place, &c->target);
	if (c->target.kind == TARGET_FAILS && is_out_of_sight(fd, slash[0] ? path : NULL)) {
		c->target.kind = TARGET_UNREACHABLE;
		c->target.why = TARGET_WHY_UNREADABLE;
	}
	/* Its interpreter could not open it. */
	if (c->target.kind != TARGET_FAILS && c->target.scripts > 0 && flags >= 0 &&
	    (flags & FD_CLOEXEC)) {
		c->target.kind = TARGET_FAILS;
		c->target.err = -ENOENT;
	}
	decide(c);
	if (c->way == CHILD_CLOSED && access("/proc/self/fd", F_OK) < 0)
		refuse(c);
	errno = saved;
}

void child_plan_elsewhere(struct child *c, const char *file, bool by_search)
{
	int saved = errno;

	c->err = 0;
	c->fd = -1;
	c->by_shell = false;
	c->target = any;
	c->file = c->wrapper;
	c->way = CHILD_ELSEWHERE;
	find_entry(c, &any);
	if (strlen(file) >= sizeof(c->place) - 2) {
		c->way = CHILD_FAILS;
		c->err = -ENAMETOOLONG;
	} else if (!find_wrapper(c)) {
		refuse(c);
	}
	snprintf(c->place, sizeof(c->place), "%s", file);
	if (!by_search)
		add_slash(c->place, sizeof(c->place));
	errno = saved;
}

void child_plan_arguments(struct child *c, char *const argv[], char *const envp[])
{
	if (!c->target.is_loader || c->way == CHILD_ELSEWHERE)
		return;
	target_judge_loaded(&c->target, argv, envp);
	decide(c);
}

size_t child_args_len(const struct child *c, char *const argv[])
{
	size_t n = 0;

	while (argv && argv[n])
		n++;
	/* socksify --closed -q --argv0 NAME -- PROGRAM, the shell's script, the rest, the NULL. */
	return (c->way == CHILD_CLOSED || c->way == CHILD_ELSEWHERE ? 7 : 1) + c->by_shell +
	       (n > 0 ? n - 1 : 0) + 1;
}

void child_args(const struct child *c, char *const argv[], char **out)
{
	/* Linux gives this to a program without any argument, since 5.18. */
	static const char *const none[] = { "", NULL };
	const char *const *from = argv && argv[0] ? (const char *const *)argv : none;
	const char *program = c->by_shell ? SHELL : c->place;
	const char **to = (const char **)out;

	if (c->way == CHILD_CLOSED || c->way == CHILD_ELSEWHERE) {
		*to++ = "socksify";
		if (c->way == CHILD_CLOSED) {
			*to++ = "--closed";
			*to++ = "-q";
		}
		*to++ = "--argv0";
		*to++ = c->by_shell ? SHELL : *from;
		*to++ = "--";
		*to++ = program;
	} else {
		*to++ = c->by_shell ? SHELL : *from;
	}
	if (c->by_shell)
		*to++ = c->place;
	while (*from && *++from)
		*to++ = *from;
	*to = NULL;
}

/* What a person knows it by: of fexecve(3) the file that the descriptor is. */
static const char *name_of(const struct child *c, char *buf, size_t cap)
{
	int saved = errno;
	ssize_t n = -1;

	if (strncmp(c->place, "/proc/self/fd/", 14) == 0 || strncmp(c->place, "/dev/fd/", 8) == 0)
		n = readlink(c->place, buf, cap - 1);
	errno = saved;
	if (n <= 0 || buf[0] != '/')
		return c->place;
	buf[n] = '\0';
	return buf;
}

static void explain(const struct child *c, const char *name, char *buf, size_t cap)
{
	enum explain_fate fate = c->way == CHILD_CLOSED ? EXPLAIN_CLOSED
	                         : c->way == CHILD_OPEN ? EXPLAIN_OPEN
	                                                : EXPLAIN_REFUSED;

	if (c->way == CHILD_REFUSED && c->file == c->wrapper) {
		snprintf(buf, cap,
		         "%.512s: it is found in another folder, where socksify would judge it, "
		         "which is not installed beside the library",
		         name);
		return;
	}
	if (c->way == CHILD_REFUSED && c->target.kind == TARGET_PRIVILEGED) {
		explain_gain(&c->target, name, NULL, buf, cap);
		return;
	}
	if (c->way == CHILD_REFUSED && session_config()->exec == EXEC_CLOSED)
		fate = EXPLAIN_STUCK;
	explain_reach(&c->target, name, fate, buf, cap);
}

/* FNV-1a; 0 stands for an empty slot. */
static uint32_t told_hash(const char *text)
{
	uint32_t h = 2166136261u;

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 16777619u;
	return h ? h : 1;
}

static bool is_news(const char *line)
{
	uint32_t h = told_hash(line);

	return atomic_exchange_explicit(&told[h % TOLD_SLOTS], h, memory_order_relaxed) != h;
}

static void audit(const struct child *c, const char *name)
{
	enum deed_kind kind = c->way == CHILD_CLOSED ? DEED_CLOSED
	                      : c->way == CHILD_OPEN ? DEED_OPEN
	                                             : DEED_NOT_RUN;
	char why[DEED_WHY_MAX];

	if (!audit_is_on())
		return;
	explain_cause(&c->target, why, sizeof(why));
	audit_note(kind, name, why);
}

void child_tell(const struct child *c)
{
	char line[EXPLAIN_MAX], file[EXPLAIN_MAX / 2];
	const char *name;

	if (c->way == CHILD_PRELOADED || c->way == CHILD_FAILS || c->way == CHILD_ELSEWHERE ||
	    c->target.is_idle)
		return;
	name = name_of(c, file, sizeof(file));
	audit(c, name);
	explain(c, name, line, sizeof(line));
	if (is_news(line))
		log_warn("%s[%d]: %s", program_invocation_short_name, (int)getpid(), line);
}

void child_tell_audit(void)
{
	static const char line[] =
		"LD_AUDIT is taken from programs that it starts: audit libraries have a libc of "
		"their own, which would go past the proxy";

	if (is_news(line))
		log_warn("%s[%d]: %s", program_invocation_short_name, (int)getpid(), line);
}
