/* A test's steps in a child, which a filter or landlock may take rights from for good. */
#ifndef CONFINED_H
#define CONFINED_H

#include "unit.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONFINED_CANNOT 77 /* to skip: this kernel can't */

/* The child may not ck_assert: it returns 0, or a number that tells which step failed. */
static inline int confined_run(int (*steps)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		_exit(steps());
	}
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "it was killed by signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

#endif
