/*
 * Names of users as the files have them: \xHH is an octet and \\ a backslash, as in the log, so
 * that every name can be written.
 */
#ifndef SERVER_USERNAME_H
#define SERVER_USERNAME_H

#include "users.h"

/*
 * The name that a file has as @text, up to its NUL. Returns its length, or -1 with what is wrong
 * and what would be right in static words.
 */
int username_read(const char *text, char out[USERS_NAME_MAX + 1], const char **what,
                  const char **expected);

/* As a file has it; @out has room for 4 * @len + 1. */
void username_write(char *out, const char *name, size_t len);

#endif
