/*
 * glibc's program loader, run as a command: "ld.so [OPTION]... PROGRAM [ARG]...". Its options are
 * read as itself does; one that it does not know would be a program's name to older ones. What it
 * can't load it says itself.
 */
#include "elf.h"
#include "file.h"

#include <elf.h>
#include <errno.h>
#include <launch/target.h>
#include <string.h>
#include <unistd.h>

#define HEAD_MAX 1024

static const struct option {
	const char *name;
	enum { PLAIN, WITH_VALUE, RUNS_NOTHING, AUDITS } kind;
} options[] = {
	{ "--list", RUNS_NOTHING },
	{ "--verify", RUNS_NOTHING },
	{ "--list-tunables", RUNS_NOTHING },
	{ "--list-diagnostics", RUNS_NOTHING },
	{ "--help", RUNS_NOTHING },
	{ "--version", RUNS_NOTHING },
	{ "--inhibit-cache", PLAIN },
	{ "--library-path", WITH_VALUE },
	{ "--inhibit-rpath", WITH_VALUE },
	{ "--preload", WITH_VALUE },
	{ "--argv0", WITH_VALUE },
	{ "--glibc-hwcaps-prepend", WITH_VALUE },
	{ "--glibc-hwcaps-mask", WITH_VALUE },
	{ "--audit", AUDITS },
};

static const struct option *find(const char *word)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (strcmp(word, options[i].name) == 0)
			return &options[i];
	return NULL;
}

static void set_unreachable(struct target *t, enum target_why why, int err)
{
	t->kind = TARGET_UNREACHABLE;
	t->why = why;
	t->err = err;
}

/* It gains nothing by its mode, and need not be executable. Returns 0 or a negative errno. */
static int look_at(const char *path, struct target *program)
{
	uint8_t head[HEAD_MAX] = { 0 };
	int fd = file_open(path);
	ssize_t n = fd < 0 ? fd : file_read(fd, head, sizeof(head), 0);

	memset(program, 0, sizeof(*program));
	if (n >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0)
		elf_judge(fd, head, (size_t)n, program);
	if (fd >= 0)
		close(fd);
	return n < 0 ? (int)n : 0;
}

static void judge_program(struct target *t)
{
	struct target program;
	int err;

	/* One without a slash is a library's name to the loader, of which there may be many. */
	if (!strchr(t->loads, '/')) {
		set_unreachable(t, TARGET_WHY_UNREADABLE, -ENOENT);
		return;
	}
	err = look_at(t->loads, &program);
	if (err < 0 && err != -ENOENT && err != -ENOTDIR)
		set_unreachable(t, TARGET_WHY_UNREADABLE, err);
	else if (program.kind == TARGET_UNREACHABLE)
		set_unreachable(t, program.why, 0);
	else if (program.kind == TARGET_FAILS || program.is_loader)
		set_unreachable(t, TARGET_WHY_UNREADABLE, -ENOEXEC);
	/* Of the program itself, for words. */
	if (program.why == TARGET_WHY_LOADER)
		memcpy(t->loader, program.loader, sizeof(t->loader));
}

/* Of one that is only listed the code of audit libraries runs all the same. */
static void judge_listed(struct target *t)
{
	struct target program;

	if (look_at(t->loads, &program) < 0 || program.why != TARGET_WHY_AUDIT)
		return;
	t->is_idle = false;
	set_unreachable(t, TARGET_WHY_AUDIT, 0);
}

/* LD_TRACE_LOADED_OBJECTS: ldd(1) asks so. */
static bool is_traced(char *const envp[])
{
	static const char name[] = "LD_TRACE_LOADED_OBJECTS=";

	for (; envp && *envp; envp++)
		if (strncmp(*envp, name, sizeof(name) - 1) == 0 && (*envp)[sizeof(name) - 1])
			return true;
	return false;
}

void target_judge_loaded(struct target *t, char *const argv[], char *const envp[])
{
	bool audits = false;
	int saved = errno;

	if (!t->is_loader || t->kind != TARGET_DYNAMIC)
		return;
	t->is_idle = is_traced(envp);
	for (argv += argv && *argv; argv && *argv; argv++) {
		const struct option *option = find(*argv);

		if (!option)
			break;
		t->is_idle |= option->kind == RUNS_NOTHING;
		audits |= option->kind == AUDITS;
		if (option->kind == WITH_VALUE || option->kind == AUDITS) {
			if (!argv[1])
				break;
			argv++;
		}
	}
	t->loads = argv ? *argv : NULL;
	/* A "#!" line's argument comes before those. */
	if (t->scripts > 0) {
		t->is_idle = false;
		set_unreachable(t, TARGET_WHY_UNREADABLE, -ENOEXEC);
	} else if (audits) {
		t->is_idle = false;
		set_unreachable(t, TARGET_WHY_AUDIT, 0);
	} else if (!t->loads) {
		t->is_idle = true;
	} else if (t->is_idle) {
		judge_listed(t);
	} else {
		judge_program(t);
	}
	errno = saved;
}
