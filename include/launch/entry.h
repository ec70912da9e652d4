/*
 * Our entry in LD_PRELOAD for one target: a plain path, which serves programs of the library's own
 * class, or one with $LIB in it, which each loader replaces by its own ("lib/x86_64-linux-gnu",
 * "lib32"), so that it serves programs of both classes where both libraries are installed.
 *
 * Async-signal-safe, opens files, allocates nothing; needs some 6 KiB of stack.
 */
#ifndef LAUNCH_ENTRY_H
#define LAUNCH_ENTRY_H

#include <launch/target.h>
#include <stdbool.h>

/*
 * What $LIB stands for to the glibc loader at @loader (ld.so(8)). There is no call that tells it:
 * it is the folder that the loader itself lies in, links resolved, without "/" or "/usr/" before
 * it (seen on Debian, where a patch makes it "lib/x86_64-linux-gnu", Fedora, Arch).
 *
 * Returns 0 or a negative errno.
 */
int entry_dst_lib(const char *loader, char *buf, size_t cap);

/*
 * The entry for a target of TARGET_DYNAMIC.
 *
 * @lib  absolute path of the library of our own class
 *
 * The form with $LIB is taken only where the target's loader makes a library of the target's class
 * of it, our own loader makes @lib of it, and a library of a second class is there. Else the path
 * itself, if the target is of our class.
 *
 * Returns 0, -ENOENT where no library for the target's class is installed, -ENAMETOOLONG.
 */
int entry_for(char *buf, size_t cap, const char *lib, const struct target *target);

/*
 * Is this entry of somebody else's, of @len octets, the absolute path of a library of @target's
 * class, once its loader has replaced $LIB in it? Other names than $LIB are not looked into: false.
 */
bool entry_serves(const char *entry, size_t len, const struct target *target);

#endif
