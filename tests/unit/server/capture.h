/* What a test's code writes to a standard descriptor, in a file for a while. */
#ifndef CAPTURE_H
#define CAPTURE_H

#include "unit.h"

#include <unistd.h>

struct capture {
	int fd;   /* STDOUT_FILENO or STDERR_FILENO */
	int kept; /* what it was before */
	FILE *file;
};

static inline void capture_begin(struct capture *c, int fd)
{
	fflush(NULL);
	c->fd = fd;
	c->file = tmpfile();
	ck_assert_ptr_nonnull(c->file);
	c->kept = dup(fd);
	ck_assert_int_eq(dup2(fileno(c->file), fd), fd);
}

/* Undo that. What was written goes to @text, cut where @cap ends. */
static inline void capture_end(struct capture *c, char *text, size_t cap)
{
	ssize_t n;

	fflush(NULL);
	dup2(c->kept, c->fd);
	close(c->kept);
	n = pread(fileno(c->file), text, cap - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	(void)fclose(c->file);
}

#endif
