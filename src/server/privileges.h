/*
 * What the server may do on this machine, given away once its listeners are open: root's identity,
 * all capabilities, the ways to get new ones, and core dumps, which hold passwords.
 */
#ifndef SERVER_PRIVILEGES_H
#define SERVER_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

struct privileges {
	bool drop;     /* another user is to be taken on, or was */
	bool demanded; /* by --user: there is no going on without */
	uid_t uid;
	gid_t gid;
};

/*
 * Choose the user, before anything is given away. For root that is the one of --user, else
 * "socksifyd" where there is one, else a uid and a gid that nobody has.
 *
 * @user  a name, a uid, or "UID:GID"; NULL: not given
 *
 * Returns 0, or a status to exit with, the complaint written.
 */
int privileges_plan(struct privileges *p, const char *user);

/*
 * Carry it out, for good; without other threads yet. Where no other user can be had, and none was
 * demanded, a warning says so, and ->drop is false after.
 *
 * Returns 0, or a status to exit with, the complaint written.
 */
int privileges_drop(struct privileges *p);

/* Keep root's identity and its right to read any file, and nothing more. 0 or a negative errno. */
int privileges_keep_reading(void);

#endif
