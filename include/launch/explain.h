/*
 * Why the library can't get into a program, what is done about it, and the way out, in words: one
 * line for a person, without a newline. Pure functions of what launch/target.h found; what is too
 * long is cut, and no octet of a file's name is a control character.
 */
#ifndef LAUNCH_EXPLAIN_H
#define LAUNCH_EXPLAIN_H

#include <launch/target.h>
#include <stddef.h>

#define EXPLAIN_MAX 1024 /* octets of a line that nothing is cut from, as a rule */

enum explain_fate {
	EXPLAIN_CLOSED,  /* runs without a network */
	EXPLAIN_REFUSED, /* by SOCKSIFY_EXEC=refuse */
	EXPLAIN_STUCK,   /* as well, for the wrapper is not there */
	EXPLAIN_OPEN,    /* by SOCKSIFY_EXEC=allow */
};

/* Why alone: "is static"; of a script "its interpreter /bin/busybox is static". */
void explain_cause(const struct target *t, char *buf, size_t cap);

/* "busybox is static: the library can't get into it, so ...". @name: as it was called. */
void explain_reach(const struct target *t, const char *name, enum explain_fate fate, char *buf,
                   size_t cap);

/*
 * Of TARGET_PRIVILEGED, which is refused: with the way out. The loader ignores LD_PRELOAD where a
 * program gains something; so the library must be there before.
 *
 * @owner  the name of the user ->uid of TARGET_WHY_SETUID, or of the group ->gid of
 *         TARGET_WHY_SETGID; NULL: the number, as sudo(8) takes it
 */
void explain_gain(const struct target *t, const char *name, const char *owner, char *buf,
                  size_t cap);

#endif
