/* The places that execvp(3) tries for a program's name, one after the other. */
#ifndef LAUNCH_SEARCH_H
#define LAUNCH_SEARCH_H

#include <stdbool.h>
#include <stddef.h>

/* Where there is no PATH: execvp's, which is confstr(3)'s _CS_PATH. */
#define SEARCH_DEFAULT_PATH "/bin:/usr/bin"

struct search {
	const char *file;
	const char *at; /* the element that comes next; NULL after the last */
	int err;        /* what execvp fails with if no place does */
};

/*
 * @file  a name; with a slash in it there is one place, the name itself
 * @path  PATH's value, or NULL where it is not set; an empty element is the working directory
 *
 * Both are borrowed. Async-signal-safe, as all of this.
 */
void search_init(struct search *s, const char *file, const char *path);

/* The next place, NUL-terminated. What @cap has no room for is passed over, as execvp does. */
bool search_next(struct search *s, char *buf, size_t cap);

/*
 * The place last given can't be executed: @err, a negative errno. Returns whether execvp would go
 * on to the next place; where it wouldn't, ->err is the end of it.
 */
bool search_goes_on(struct search *s, int err);

#endif
