/*
 * socksify --audit: PROGRAM runs as a child here, and at its end a summary tells what it and what
 * it started were refused, what went past the proxy, and what ran without a network.
 */
#ifndef WRAPPER_AUDIT_H
#define WRAPPER_AUDIT_H

#include <limits.h>

struct audit {
	char path[PATH_MAX]; /* for SOCKSIFY_AUDIT */
	int *ran;            /* shared by the two */
	int fd;
};

/*
 * Make the file that the session's programs note in, and fork.
 *
 * Returns -1 in the child, which is to become @program, with the signal mask and dispositions of
 * before. The parent waits for the child's end, and returns its exit status after the summary, or
 * EXIT_SOCKSIFY where the child could not be made; it dies by the signal that the child died by.
 *
 * @log_file  for the summary; "" is stderr
 */
int audit_fork(struct audit *a, const char *program, const char *log_file);

/* In the child, which could not become the program. */
void audit_not_run(const struct audit *a);

#endif
