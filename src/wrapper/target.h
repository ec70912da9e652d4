/* What becomes of PROGRAM: run with the library, run without a network, or not run at all. */
#ifndef WRAPPER_TARGET_H
#define WRAPPER_TARGET_H

#include <config/config.h>
#include <launch/explain.h>
#include <launch/target.h>
#include <limits.h>
#include <stdbool.h>

#define TARGET_REASON_MAX 400

enum target_way {
	TARGET_PRELOADED, /* LD_PRELOAD is to have ->entry */
	TARGET_CLOSED,    /* the library can't get in: no network */
	TARGET_OPEN,      /* nor can it, and SOCKSIFY_EXEC=allow: past the proxy */
	TARGET_REFUSED,   /* exit with ->status */
};

struct target_plan {
	enum target_way way;
	int status;
	bool may_use_shell;  /* a text file without "#!", which execvp(3) gives to /bin/sh */
	bool must_unpreload; /* it would fail or complain for a library that it can't load */
	bool is_quiet;       /* somebody else has told what there is to tell */
	char path[PATH_MAX + NAME_MAX + 2]; /* the file to execute */
	char entry[PATH_MAX];
	char reason[TARGET_REASON_MAX]; /* "is static"; "" where the library is no part of it */
	char line[EXPLAIN_MAX];         /* for a person, without newline; "" where all is well */
};

/*
 * @argv  PROGRAM, looked for in PATH as execvp(3) does, and its arguments
 * @lib   absolute path of libsocksify.so
 *
 * Nothing is changed or told yet. What is to be told is told by target_run(), but for
 * TARGET_REFUSED, where ->line is the caller's to tell.
 */
void target_prepare(char *const argv[], const struct config *cfg, const char *lib,
                    struct target_plan *plan);

/*
 * Become the program: tells ->line, closes the network if that is the plan, execve(2)s with
 * the environment as it is, less LD_AUDIT, and our library in LD_PRELOAD where ->must_unpreload.
 *
 * Returns an exit status, after telling why.
 */
int target_run(const struct target_plan *plan, char **argv);

/*
 * For what the library would execute by fexecve(3), a descriptor that is close-on-exec was left
 * open until here, and its path says which: one that the program would have has another name,
 * "/dev/fd/3". By that name the kernel itself tells it to interpreters.
 */
void target_take_descriptor(const char *path);

/*
 * socksify --closed PROGRAM [ARGS...]: run it without a network, whatever it is. What the library
 * executes for programs that it can't get into, to whom that is told; people may, too.
 *
 * @argv      PROGRAM and its arguments, NULL-terminated
 * @argv0     what PROGRAM is to find as its own name, or NULL for argv[0]
 * @is_quiet  but for errors; the library has told what there is to tell
 *
 * Returns an exit status, after telling why.
 */
int target_run_closed(char **argv, char *argv0, bool is_quiet);

#endif
