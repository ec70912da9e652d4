/*
 * What becomes of a program that this one starts, by whichever call: the exec family, posix_spawn,
 * system. Its child after vfork may ask: nothing here allocates, takes a lock or leaves a
 * descriptor open. child_plan() needs some 24 KiB of stack besides struct child itself.
 */
#ifndef PRELOAD_CHILD_H
#define PRELOAD_CHILD_H

#include <launch/target.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum child_way {
	CHILD_PRELOADED, /* with the library in it */
	CHILD_CLOSED,    /* which can't get in: "socksify --closed" runs it without a network */
	CHILD_OPEN,      /* nor here, and SOCKSIFY_EXEC=allow: past the proxy */
	CHILD_REFUSED,   /* not at all: ->err */
	CHILD_FAILS,     /* execve would fail, and is left to say so; ->err: how */
	CHILD_ELSEWHERE, /* only there it can be known what it is: socksify judges and becomes it */
};

struct child {
	enum child_way way;
	int err;          /* negative errno */
	bool by_shell;    /* a text file without "#!", which execvp(3) gives to /bin/sh */
	const char *file; /* for execve: ->place, ->wrapper or "/bin/sh" */
	int fd;           /* close-on-exec, and the wrapper needs it open; or -1 */
	struct target target;
	char place[PATH_MAX + NAME_MAX + 2]; /* the program that was found; as given to execve() */
	/* Ours in LD_PRELOAD: for the program itself, or for those that it starts; "" is none. */
	char entry[PATH_MAX];
	char wrapper[PATH_MAX]; /* CHILD_CLOSED, CHILD_ELSEWHERE: socksify */
};

/* By the constructor: where this library is, and how the loader found it. */
void child_init(void);
void child_env_init(void);

/* For execve(@file), by this process's ids and working directory; errno stays. */
void child_plan(struct child *c, const char *file);

/* The same for execvp(@file), with @path for PATH's value, or NULL. */
void child_plan_found(struct child *c, const char *file, const char *path);

/*
 * For fexecve(@fd), and execveat(@fd, @path) where @path is not NULL: relative, and not "".
 * ->place is the name that the kernel gives to interpreters.
 */
void child_plan_at(struct child *c, int fd, const char *path);

/*
 * For a file that another process will find, from a folder of its own.
 *
 * @by_search  as execvp() does
 */
void child_plan_elsewhere(struct child *c, const char *file, bool by_search);

/*
 * With these arguments and this environment: a program loader is judged by what it loads. After
 * each of those that plan.
 */
void child_plan_arguments(struct child *c, char *const argv[], char *const envp[]);

/* Elements that child_args() writes, with the NULL. @argv may be NULL. */
size_t child_args_len(const struct child *c, char *const argv[]);

/* The arguments for ->file; borrows from @argv and @c. */
void child_args(const struct child *c, char *const argv[], char **out);

/* Is @envp what child_env() would make of it? There is nothing to be made then. */
bool child_env_serves(const struct child *c, char *const envp[]);

/*
 * The environment: what the caller gave, LD_PRELOAD with our entry in it once and in the user's
 * order, and those of our variables (environment.h) that @envp lacks. For a program that the
 * library would only hinder, without our entry; for all, without LD_AUDIT, which is told.
 *
 * Returns how many elements child_env() writes, with the NULL; @text gets how many octets it needs
 * for texts of its own. @envp may be NULL.
 */
size_t child_env_len(const struct child *c, char *const envp[], size_t *text);
void child_env(const struct child *c, char *const envp[], char **out, char *text);

/*
 * One line of the log about what is closed, refused or open, once for each file; to be called right
 * before it happens.
 */
void child_tell(const struct child *c);

/* The same, that LD_AUDIT is not handed on; by child_env(). */
void child_tell_audit(void);

#endif
