/* The file of --users at the start and at SIGHUP: what users_load() finds is told. */
#ifndef SERVER_USERSFILE_H
#define SERVER_USERSFILE_H

#include "users.h"

/*
 * At the start. Returns 0, or a status to exit with, the complaint written to stderr; what is no
 * mistake, but not well either, is logged.
 */
int usersfile_load(struct users **out, struct opener *opener, const char *path);

/* At SIGHUP: 0 and other @users, or a negative errno, logged, and the old ones stay. */
int usersfile_renew(struct users **users, struct opener *opener, const char *path);

#endif
