/*
 * The options that follow a program's socket when another one takes its place, in one table, with
 * the reasons for those that don't.
 */
#ifndef PRELOAD_OPTIONS_H
#define PRELOAD_OPTIONS_H

#include <base/sys.h>
#include <stdbool.h>

enum {
	OPTIONS_PLAIN = 1,
	/*
	 * What a parked socket can't bear: it would look for the black hole on the wire, or give up
	 * before its time. While it is parked they live on the socket that is dialled.
	 */
	OPTIONS_LIFTED = 2,
	OPTIONS_ALL = 3,
};

/* Set on @to what the program set on @from. What the kernel refuses is left as it is. */
void options_copy(const struct sys *sys, int from, int to, int which);

/* The same, of a new @to, for half the calls: what its options are is known. */
void options_copy_to_new(const struct sys *sys, int from, int to, int which);

struct options_lifted {
	char device[16]; /* IFNAMSIZ */
	socklen_t device_len;
	int mark, user_timeout, syncnt;
};

/*
 * Take the second kind away from @fd, for a while. Returns 0, or -EPERM with all as before: only
 * the privileged may free a socket from a device.
 */
int options_lift(const struct sys *sys, int fd, struct options_lifted *was);
void options_restore(const struct sys *sys, int fd, const struct options_lifted *was);

/*
 * setsockopt() and getsockopt() of the second kind, upon what is kept. Return 0 or -1 with errno.
 */
int options_set_kept(struct options_lifted *kept, int level, int name, const void *val,
                     socklen_t len);
int options_get_kept(const struct options_lifted *kept, int level, int name, void *val,
                     socklen_t *len);

bool options_is_lifted(int level, int name);

#endif
