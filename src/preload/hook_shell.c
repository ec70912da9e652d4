/*
 * Calls that run a command by /bin/sh, from within libc and with the process's own environment.
 * That is made whole before, and the shell judged: one that the library can't get into is run by
 * the wrapper, in the same libc call, as "exec socksify --closed ... /bin/sh -c COMMAND".
 *
 * These are all that libc has: it starts no other program by itself.
 */
#include "child.h"
#include "real.h"
#include "repair.h"

#include <base/log.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <wordexp.h>

#define SHELL           "/bin/sh"
#define ARGS_MAX        16
#define STATUS_NO_SHELL (127 << 8) /* what system(3) returns where a shell can't be executed */

/* In single quotes, each of which within is '\''. Returns the end; counts where @out is NULL. */
static size_t quote(const char *text, char *out)
{
	size_t n = 0;

#define PUT(c) (void)(out ? out[n] = (c) : 0), n++
	PUT('\'');
	for (; *text; text++) {
		if (*text == '\'') {
			PUT('\'');
			PUT('\\');
			PUT('\'');
		}
		PUT(*text);
	}
	PUT('\'');
#undef PUT
	return n;
}

/* The command that runs @command by a shell without a network, or NULL. */
static char *make_closed(const struct child *c, const char *command)
{
	static const char exec[] = "exec";
	const char *argv[] = { "sh", "-c", command, NULL };
	char *const *from = (char *const *)(uintptr_t)argv;
	size_t len = sizeof(exec);
	char *args[ARGS_MAX], *line, *at;

	if (child_args_len(c, from) > ARGS_MAX)
		return NULL;
	child_args(c, from, args);
	args[0] = (char *)(uintptr_t)c->file;
	for (char **arg = args; *arg; arg++)
		len += 1 + quote(*arg, NULL);
	line = malloc(len);
	if (!line)
		return NULL;
	at = stpcpy(line, exec);
	for (char **arg = args; *arg; arg++) {
		*at++ = ' ';
		at += quote(*arg, at);
	}
	*at = '\0';
	return line;
}

/*
 * What is to be run for @command, to be freed if it is another text. NULL with errno where nothing
 * may.
 */
static const char *prepare(struct child *c, const char *command)
{
	const char *line = command;

	child_plan(c, SHELL);
	child_tell(c);
	if (c->way == CHILD_REFUSED) {
		errno = -c->err;
		return NULL;
	}
	if (repair_environ(c) < 0)
		line = NULL;
	else if (c->way == CHILD_CLOSED || c->way == CHILD_ELSEWHERE)
		line = make_closed(c, command);
	if (!line)
		errno = ENOMEM;
	return line;
}

static void release(const char *line, const char *command)
{
	int saved = errno;

	if (line != command)
		free((char *)(uintptr_t)line);
	errno = saved;
}

int hook_system(const char *command)
{
	struct child c;
	const char *line;
	int status;

	/* Is there a shell at all? */
	if (!command)
		return real->system(command);
	line = prepare(&c, command);
	if (!line)
		return c.way == CHILD_REFUSED ? STATUS_NO_SHELL : -1;
	if (line == command)
		return real->system(command);
	/* A thread may be cancelled within. */
	pthread_cleanup_push(free, (char *)(uintptr_t)line);
	status = real->system(line);
	pthread_cleanup_pop(0);
	release(line, command);
	return status;
}

void *hook_popen(const char *command, const char *mode)
{
	struct child c;
	const char *line = prepare(&c, command);
	void *file;

	if (!line)
		return NULL;
	file = real->popen(line, mode);
	release(line, command);
	return file;
}

void *hook__IO_proc_open(void *file, const char *command, const char *mode)
{
	struct child c;
	const char *line = prepare(&c, command);
	void *res;

	if (!line)
		return NULL;
	res = real->_IO_proc_open(file, line, mode);
	release(line, command);
	return res;
}

int hook_wordexp(const char *words, void *res, int flags)
{
	struct child c;

	if ((flags & WRDE_NOCMD) || (!strchr(words, '`') && !strstr(words, "$(")))
		return real->wordexp(words, res, flags);
	child_plan(&c, SHELL);
	/* The words are libc's to read: there is no command to put another one around. */
	if (c.way == CHILD_REFUSED || c.way == CHILD_CLOSED || c.way == CHILD_ELSEWHERE) {
		int err = real->wordexp(words, res, flags | WRDE_NOCMD);

		if (err == WRDE_CMDSUB)
			log_warn("wordexp: the commands in it are not run: the library can't get "
			         "into %s",
			         SHELL);
		return err;
	}
	if (repair_environ(&c) < 0)
		return WRDE_NOSPACE;
	child_tell(&c);
	return real->wordexp(words, res, flags);
}
