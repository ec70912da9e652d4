/*
 * How it works: launch/ says what a file is, and has words for it; SOCKSIFY_EXEC decides between
 * the ways for what the library can't get into. A program that would gain privileges is never run
 * closed: no_new_privs would take them away, and it would fail in ways of its own.
 */
#include "target.h"

#include "closed.h"
#include "inherited.h"
#include "library.h"
#include "options.h"
#include "unhooked.h"

#include <base/errtext.h>
#include <base/log.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <launch/entry.h>
#include <launch/environ.h>
#include <launch/explain.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHELL "/bin/sh" /* what execvp(3) runs */

/* One line whatever a file is called, or its first line names. */
static __attribute__((format(printf, 3, 4))) void refuse(struct target_plan *plan, int status,
                                                         const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(plan->line, sizeof(plan->line), fmt, ap);
	va_end(ap);
	for (char *at = plan->line; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	plan->way = TARGET_REFUSED;
	plan->status = status;
}

static bool ends_in_cr(const char *text)
{
	return text[0] && strchr(text, '\0')[-1] == '\r';
}

/* execve would fail; the words name the file that is to blame. */
static void explain_failure(const char *file, const struct target *t, struct target_plan *plan)
{
	if (!plan->path[0])
		refuse(plan, t->err == -ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN, "%s: %s",
		       file[0] ? file : "\"\"",
		       t->err == -ENOENT ? "no such program" : err_text(t->err));
	else if (t->loader[0])
		refuse(plan, EXIT_CANNOT_RUN, "%s: its loader %s: %s", plan->path, t->loader,
		       err_text(t->err));
	else if (t->scripts > TARGET_SCRIPTS_MAX && t->err == -ELOOP)
		refuse(plan, EXIT_CANNOT_RUN, "%s: too many interpreters of interpreters",
		       plan->path);
	else if (t->scripts > 0 && t->err == -ENOENT && ends_in_cr(t->program))
		refuse(plan, EXIT_CANNOT_RUN,
		       "%s: its interpreter %s: %s (its lines end in CR LF, as on Windows)",
		       plan->path, t->program, err_text(t->err));
	else if (t->scripts > 0)
		refuse(plan, EXIT_CANNOT_RUN, "%s: its interpreter %s: %s", plan->path, t->program,
		       err_text(t->err));
	else
		refuse(plan, EXIT_CANNOT_RUN, "%s: %s", plan->path, err_text(t->err));
}

/* As /etc/passwd has it. NSS might ask the network. */
static const char *name_user(uid_t uid, char *buf, size_t cap)
{
	FILE *f = fopen("/etc/passwd", "re");
	struct passwd *pw = NULL;

	while (f && (pw = fgetpwent(f)) && pw->pw_uid != uid)
		;
	if (pw)
		snprintf(buf, cap, "%s", pw->pw_name);
	if (f)
		fclose(f);
	return pw ? buf : NULL;
}

static const char *name_group(gid_t gid, char *buf, size_t cap)
{
	FILE *f = fopen("/etc/group", "re");
	struct group *gr = NULL;

	while (f && (gr = fgetgrent(f)) && gr->gr_gid != gid)
		;
	if (gr)
		snprintf(buf, cap, "%s", gr->gr_name);
	if (f)
		fclose(f);
	return gr ? buf : NULL;
}

static void refuse_gain(const char *file, const struct target *t, struct target_plan *plan)
{
	char name[64];
	const char *owner = NULL;

	if (t->why == TARGET_WHY_SETUID)
		owner = name_user(t->uid, name, sizeof(name));
	else if (t->why == TARGET_WHY_SETGID)
		owner = name_group(t->gid, name, sizeof(name));
	explain_gain(t, file, owner, plan->line, sizeof(plan->line));
	plan->way = TARGET_REFUSED;
	plan->status = EXIT_CANNOT_RUN;
}

static void decide_unreachable(const char *name, const struct target *t, enum exec_policy policy,
                               struct target_plan *plan)
{
	static const struct {
		enum explain_fate fate;
		enum target_way way;
	} fates[] = {
		[EXEC_CLOSED] = { EXPLAIN_CLOSED, TARGET_CLOSED },
		[EXEC_REFUSE] = { EXPLAIN_REFUSED, TARGET_REFUSED },
		[EXEC_ALLOW] = { EXPLAIN_OPEN, TARGET_OPEN },
	};

	explain_cause(t, plan->reason, sizeof(plan->reason));
	explain_reach(t, name, fates[policy].fate, plan->line, sizeof(plan->line));
	plan->way = fates[policy].way;
	plan->status = EXIT_CANNOT_RUN; /* where it is refused */
	/*
	 * Another libc's loader fails for the library, and another class's complains of it; else
	 * it stays, for the programs that this one starts.
	 */
	plan->must_unpreload = t->why == TARGET_WHY_LOADER ||
	                       (policy == EXEC_CLOSED && t->is_elf && !t->is_native);
}

/* The shell that execvp(3) runs for a text file is the target then. */
static void find(char *const argv[], struct target *t, struct target_plan *plan)
{
	const char *file = argv[0];

	target_find(file, getenv("PATH"), plan->path, sizeof(plan->path), t);
	plan->may_use_shell = t->kind == TARGET_FAILS && t->err == -ENOEXEC && !t->is_elf;
	if (plan->may_use_shell) {
		target_judge(SHELL, t);
		if (t->kind != TARGET_FAILS && !t->program[0])
			snprintf(t->program, sizeof(t->program), SHELL);
	}
	target_judge_loaded(t, argv, environ);
}

static void plan_init(struct target_plan *plan)
{
	plan->way = TARGET_PRELOADED;
	plan->status = 0;
	plan->may_use_shell = plan->must_unpreload = plan->is_quiet = false;
	plan->entry[0] = plan->reason[0] = plan->line[0] = '\0';
}

void target_prepare(char *const argv[], const struct config *cfg, const char *lib,
                    struct target_plan *plan)
{
	const char *file = argv[0];
	struct target t;

	plan_init(plan);
	find(argv, &t, plan);
	switch (t.kind) {
	case TARGET_DYNAMIC:
		if (entry_for(plan->entry, sizeof(plan->entry), lib, &t) == 0)
			break;
		if (t.is_idle) {
			plan->way = TARGET_OPEN;
			plan->must_unpreload = true;
		} else {
			decide_unreachable(file, &t, cfg->exec, plan);
		}
		break;
	case TARGET_UNREACHABLE:
		decide_unreachable(file, &t, cfg->exec, plan);
		break;
	case TARGET_PRIVILEGED:
		if (cfg->exec == EXEC_ALLOW) {
			decide_unreachable(file, &t, cfg->exec, plan);
		} else {
			explain_cause(&t, plan->reason, sizeof(plan->reason));
			refuse_gain(file, &t, plan);
		}
		break;
	case TARGET_FAILS:
		explain_failure(file, &t, plan);
		break;
	}
}

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "socksify: %s: %s\n", what, why);
	return EXIT_CANNOT_RUN;
}

/* In the environment itself, whose strings are ours to write to. */
static void unpreload(void)
{
	char *value = getenv("LD_PRELOAD");

	if (value)
		environ_unpreload(value);
	if (value && !value[0])
		unsetenv("LD_PRELOAD");
}

/* It would be loaded with a libc of its own, which the library does not get into. */
static void drop_audit(bool is_quiet)
{
	const char *value = getenv("LD_AUDIT");

	if (value && value[0] && !is_quiet)
		log_warn("LD_AUDIT is not handed on: audit libraries have a libc of their own, "
		         "which would go past the proxy");
	unsetenv("LD_AUDIT");
}

static int run_by_shell(const char *path, char **argv)
{
	static char shell[] = SHELL;
	size_t n = 0;
	char **args;
	int err;

	while (argv[n])
		n++;
	args = calloc(n + 2, sizeof(*args));
	if (!args)
		return -ENOMEM;
	args[0] = shell;
	args[1] = strdup(path);
	for (size_t i = 1; i < n; i++)
		args[i + 1] = argv[i];
	err = args[1] ? unhooked_execv(SHELL, args) : -ENOMEM;
	free(args[1]);
	free(args);
	return err;
}

/* What it inherits is closed first, while all calls are there. */
static int close_network(const char *path)
{
	struct sys sys;
	bool standard;
	unsigned n;

	unhooked_sys(&sys);
	n = inherited_disarm(&sys, &standard);
	/* That is what it was started for. */
	if (standard)
		log_warn("%s: its standard input or output is a socket that is no TCP connection, "
		         "and is taken from it",
		         path);
	else if (n > 0)
		log_info("%s: %u of the sockets that it would inherit %s taken from it", path, n,
		         n == 1 ? "is" : "are");
	return closed_enter();
}

int target_run(const struct target_plan *plan, char **argv)
{
	int err = 0;

	drop_audit(plan->is_quiet);
	if (plan->line[0])
		log_warn("%s", plan->line);
	if (plan->must_unpreload)
		unpreload();
	if (plan->way == TARGET_CLOSED)
		err = close_network(plan->path);
	if (err < 0) {
		fprintf(stderr,
		        "socksify: %s: its network can't be closed: seccomp: %s "
		        "(SOCKSIFY_EXEC=allow runs it past the proxy)\n",
		        plan->path, err_text(err));
		return EXIT_CANNOT_RUN;
	}
	err = unhooked_execv(plan->path, argv);
	/* Not at once: binfmt_misc may know the file. */
	if (err == -ENOEXEC && plan->may_use_shell)
		err = run_by_shell(plan->path, argv);
	return fail(plan->path, err_text(err));
}

/* Is it true that the library can't get in; else a person wanted the program closed, and knows. */
static bool is_unreachable(const struct target *t)
{
	char lib[PATH_MAX], entry[PATH_MAX];

	if (t->kind == TARGET_DYNAMIC)
		return library_find(lib, sizeof(lib)) == 0 &&
		       entry_for(entry, sizeof(entry), lib, t) < 0;
	return t->kind == TARGET_UNREACHABLE;
}

void target_take_descriptor(const char *path)
{
	int fd, end = 0;

	if (sscanf(path, "/proc/self/fd/%d%n", &fd, &end) == 1 && (!path[end] || path[end] == '/'))
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int target_run_closed(char **argv, char *argv0, bool is_quiet)
{
	static struct config cfg;
	static struct target_plan plan;
	const char *file = argv[0];
	struct target t;

	target_take_descriptor(file);
	/* For the log alone: a value that is malformed can't send anything anywhere from here. */
	config_read(&cfg, getenv, LOG_LEVEL_WARN);
	log_init("socksify", cfg.log, cfg.log_file[0] ? cfg.log_file : NULL);
	plan_init(&plan);
	find(argv, &t, &plan);
	if (t.kind == TARGET_FAILS) {
		explain_failure(file, &t, &plan);
		fprintf(stderr, "socksify: %s\n", plan.line);
		return plan.status;
	}
	if (is_unreachable(&t))
		decide_unreachable(file, &t, EXEC_CLOSED, &plan);
	plan.is_quiet = is_quiet;
	if (is_quiet)
		plan.line[0] = '\0';
	plan.way = TARGET_CLOSED;
	if (argv0)
		argv[0] = argv0;
	return target_run(&plan, argv);
}
