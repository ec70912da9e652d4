/*
 * What becomes of a program that this one starts, by whichever call: the exec family, posix_spawn,
 * system. Its child after vfork may ask: nothing here allocates, takes a lock or leaves a descriptor
 * open. child_plan() needs some 24 KiB of stack besides struct child itself.
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
};

struct child {
	enum child_way way;
	int err;          /* negative errno */
	bool by_shell;    /* a text file without "#!", which execvp(3) gives to /bin/sh */
	const char *file; /* for execve: ->place, ->wrapper or "/bin/sh" */
	struct target target;
	char place[PATH_MAX + NAME_MAX + 2]; /* the program that was found; as given to execve() */
	char entry[PATH_MAX];                /* CHILD_PRELOADED: ours in LD_PRELOAD */
	char wrapper[PATH_MAX];              /* CHILD_CLOSED: socksify */
};

/* For execve(@file), by this process's ids and working directory; errno stays. */
void child_plan(struct child *c, const char *file);

/* The same for execvp(@file), with @path for PATH's value, or NULL. */
void child_plan_found(struct child *c, const char *file, const char *path);

/* Elements that child_args() writes, with the NULL. @argv may be NULL. */
size_t child_args_len(const struct child *c, char *const argv[]);

/* The arguments for ->file; borrows from @argv and @c. */
void child_args(const struct child *c, char *const argv[], char **out);

/*
 * The environment: what the caller gave, LD_PRELOAD with our entry in it once and in the user's
 * order, and those of our variables (environment.h) that @envp lacks. For a program that the library
 * would only hinder, without our entry.
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

#endif
