/*
 * How it works: launch/ says what a file is, the words for it are here, and SOCKSIFY_EXEC decides
 * between the ways for what the library can't get into. A program that would gain privileges is
 * never run closed: no_new_privs would take them away, and it would fail in ways of its own.
 */
#include "target.h"

#include "closed.h"
#include "library.h"
#include "options.h"

#include <base/errtext.h>
#include <base/log.h>
#include <elf.h>
#include <errno.h>
#include <grp.h>
#include <launch/entry.h>
#include <launch/environ.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHELL "/bin/sh" /* what execvp(3) runs */

/* One line whatever a file is called, or its first line names. */
static __attribute__((format(printf, 2, 0))) void put_line(struct target_plan *plan,
                                                           const char *fmt, va_list ap)
{
	vsnprintf(plan->line, sizeof(plan->line), fmt, ap);
	for (char *at = plan->line; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
}

static __attribute__((format(printf, 2, 3))) void say(struct target_plan *plan, const char *fmt,
                                                      ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_line(plan, fmt, ap);
	va_end(ap);
}

static __attribute__((format(printf, 3, 4))) void refuse(struct target_plan *plan, int status,
                                                         const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_line(plan, fmt, ap);
	va_end(ap);
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

/* Why the library can't get in: "is static". */
static void explain_reach(const struct target *t, char *buf, size_t cap)
{
	switch (t->why) {
	case TARGET_WHY_STATIC:
		snprintf(buf, cap, "is static");
		break;
	case TARGET_WHY_LOADER:
		snprintf(buf, cap, "is of another libc (its loader is %s)",
		         t->loader[0] ? t->loader : "one with a long name");
		break;
	case TARGET_WHY_MACHINE:
		snprintf(buf, cap, "is for another kind of machine");
		break;
	case TARGET_WHY_GO:
		snprintf(buf, cap, "is a Go program, which calls the kernel itself");
		break;
	case TARGET_WHY_UNREADABLE:
		snprintf(buf, cap, "can't be looked into (%s)", err_text(t->err));
		break;
	case TARGET_WHY_CAPS:
		snprintf(buf, cap, "has capabilities%s",
		         t->kind == TARGET_UNREACHABLE ? ", which no_new_privs voids" : "");
		break;
	case TARGET_WHY_NONE:
		snprintf(buf, cap, "is a %s-bit program, and no such libsocksify.so is installed",
		         t->class == ELFCLASS32 ? "32" : "64");
		break;
	case TARGET_WHY_SETUID:
	case TARGET_WHY_SETGID:
	case TARGET_WHY_IDS:
		snprintf(buf, cap, "would gain privileges");
		break;
	}
}

/* As /etc/passwd has it, else "#12", as sudo(8) wants it. NSS might ask the network. */
static void name_user(uid_t uid, char *buf, size_t cap)
{
	FILE *f = fopen("/etc/passwd", "re");
	struct passwd *pw = NULL;

	while (f && (pw = fgetpwent(f)) && pw->pw_uid != uid)
		;
	if (pw)
		snprintf(buf, cap, "%s", pw->pw_name);
	else
		snprintf(buf, cap, "#%u", (unsigned)uid);
	if (f)
		fclose(f);
}

static void name_group(gid_t gid, char *buf, size_t cap)
{
	FILE *f = fopen("/etc/group", "re");
	struct group *gr = NULL;

	while (f && (gr = fgetgrent(f)) && gr->gr_gid != gid)
		;
	if (gr)
		snprintf(buf, cap, "%s", gr->gr_name);
	else
		snprintf(buf, cap, "#%u", (unsigned)gid);
	if (f)
		fclose(f);
}

/* How sudo(8) makes one of a user who gains nothing; NULL where it can't. */
static const char *way_out(const struct target *t, char *buf, size_t cap)
{
	char name[64];

	switch (t->why) {
	case TARGET_WHY_CAPS:
		return "sudo";
	case TARGET_WHY_SETUID:
		if (t->uid == 0)
			return "sudo";
		name_user(t->uid, name, sizeof(name));
		snprintf(buf, cap, "sudo -u %s", name);
		return buf;
	case TARGET_WHY_SETGID:
		name_group(t->gid, name, sizeof(name));
		snprintf(buf, cap, "sudo -g %s", name);
		return buf;
	case TARGET_WHY_NONE:
	case TARGET_WHY_STATIC:
	case TARGET_WHY_LOADER:
	case TARGET_WHY_MACHINE:
	case TARGET_WHY_GO:
	case TARGET_WHY_UNREADABLE:
	case TARGET_WHY_IDS:
		break;
	}
	return NULL;
}

/* The loader ignores LD_PRELOAD where a program gains something; so have it before. */
static void refuse_gain(const char *file, const char *culprit, const struct target *t,
                        struct target_plan *plan)
{
	char buf[80];
	const char *sudo = way_out(t, buf, sizeof(buf));

	if (sudo)
		refuse(plan, EXIT_CANNOT_RUN,
		       "%s is %s, so it would gain privileges, and the library can't get into it; "
		       "run '%s socksify %s ...' instead",
		       culprit,
		       t->why == TARGET_WHY_CAPS     ? "a file with capabilities"
		       : t->why == TARGET_WHY_SETUID ? "set-uid"
		                                     : "set-gid",
		       sudo, file);
	else
		refuse(plan, EXIT_CANNOT_RUN,
		       "%s: the real and the effective user or group differ, so the library can't "
		       "get into it; start socksify as one user of one group",
		       culprit);
}

/* "busybox", or of a script "its interpreter /bin/busybox". */
static void name_culprit(const char *name, const struct target *t, char *buf, size_t cap)
{
	if (t->program[0])
		snprintf(buf, cap, "%s: its interpreter %s", name, t->program);
	else
		snprintf(buf, cap, "%s", name);
}

static void decide_unreachable(const char *name, const struct target *t, enum exec_policy policy,
                               struct target_plan *plan)
{
	char culprit[TARGET_LINE_MAX / 2], *why = plan->reason;

	name_culprit(name, t, culprit, sizeof(culprit));
	explain_reach(t, why, sizeof(plan->reason));
	/*
	 * Another libc's loader fails for the library, and another class's complains of it; else
	 * it stays, for the programs that this one starts.
	 */
	plan->must_unpreload = t->why == TARGET_WHY_LOADER ||
	                       (policy == EXEC_CLOSED && t->is_elf && !t->is_native);
	switch (policy) {
	case EXEC_CLOSED:
		plan->way = TARGET_CLOSED;
		say(plan,
		    "%s %s: the library can't get into it, so it runs without a network "
		    "(SOCKSIFY_EXEC=allow: past the proxy)",
		    culprit, why);
		break;
	case EXEC_REFUSE:
		refuse(plan, EXIT_CANNOT_RUN,
		       "%s %s: the library can't get into it, and SOCKSIFY_EXEC=refuse", culprit,
		       why);
		break;
	case EXEC_ALLOW:
		plan->way = TARGET_OPEN;
		say(plan,
		    "%s %s: the library can't get into it, so it goes past the proxy "
		    "(SOCKSIFY_EXEC=allow)",
		    culprit, why);
		break;
	}
}

/* The shell that execvp(3) runs for a text file is the target then. */
static void find(const char *file, struct target *t, struct target_plan *plan)
{
	target_find(file, getenv("PATH"), plan->path, sizeof(plan->path), t);
	plan->may_use_shell = t->kind == TARGET_FAILS && t->err == -ENOEXEC && !t->is_elf;
	if (plan->may_use_shell) {
		target_judge(SHELL, t);
		if (t->kind != TARGET_FAILS && !t->program[0])
			snprintf(t->program, sizeof(t->program), SHELL);
	}
}

static void plan_init(struct target_plan *plan)
{
	plan->way = TARGET_PRELOADED;
	plan->status = 0;
	plan->may_use_shell = plan->must_unpreload = false;
	plan->entry[0] = plan->reason[0] = plan->line[0] = '\0';
}

void target_prepare(const char *file, const struct config *cfg, const char *lib,
                    struct target_plan *plan)
{
	struct target t;
	char culprit[TARGET_LINE_MAX / 2];

	plan_init(plan);
	find(file, &t, plan);
	switch (t.kind) {
	case TARGET_DYNAMIC:
		if (entry_for(plan->entry, sizeof(plan->entry), lib, &t) < 0)
			decide_unreachable(file, &t, cfg->exec, plan);
		break;
	case TARGET_UNREACHABLE:
		decide_unreachable(file, &t, cfg->exec, plan);
		break;
	case TARGET_PRIVILEGED:
		if (cfg->exec == EXEC_ALLOW) {
			decide_unreachable(file, &t, cfg->exec, plan);
		} else {
			name_culprit(file, &t, culprit, sizeof(culprit));
			explain_reach(&t, plan->reason, sizeof(plan->reason));
			refuse_gain(file, culprit, &t, plan);
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
	if (args[1])
		execv(SHELL, args);
	err = -errno;
	free(args[1]);
	free(args);
	return err;
}

int target_run(const struct target_plan *plan, char **argv)
{
	int err = 0;

	if (plan->line[0])
		log_warn("%s", plan->line);
	if (plan->must_unpreload)
		unpreload();
	if (plan->way == TARGET_CLOSED)
		err = closed_enter();
	if (err < 0) {
		fprintf(stderr,
		        "socksify: %s: its network can't be closed: seccomp: %s "
		        "(SOCKSIFY_EXEC=allow runs it past the proxy)\n",
		        plan->path, err_text(err));
		return EXIT_CANNOT_RUN;
	}
	execv(plan->path, argv);
	err = -errno;
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

int target_run_closed(char **argv, char *argv0)
{
	static struct config cfg;
	static struct target_plan plan;
	const char *file = argv[0];
	struct target t;

	/* For the log alone: a value that is malformed can't send anything anywhere from here. */
	config_read(&cfg, getenv, LOG_LEVEL_WARN);
	log_init("socksify", cfg.log, cfg.log_file[0] ? cfg.log_file : NULL);
	plan_init(&plan);
	find(file, &t, &plan);
	if (t.kind == TARGET_FAILS) {
		explain_failure(file, &t, &plan);
		fprintf(stderr, "socksify: %s\n", plan.line);
		return plan.status;
	}
	if (is_unreachable(&t))
		decide_unreachable(file, &t, EXEC_CLOSED, &plan);
	plan.way = TARGET_CLOSED;
	if (argv0)
		argv[0] = argv0;
	return target_run(&plan, argv);
}
