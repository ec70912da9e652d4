/* Would the kernel set AT_SECURE for a program, so that its loader ignores LD_PRELOAD. */
#ifndef LAUNCH_PRIVILEGE_H
#define LAUNCH_PRIVILEGE_H

#include <launch/target.h>
#include <sys/stat.h>

/*
 * @path, @st  the file that is loaded in the end: a script's own bits mean nothing
 *
 * Returns TARGET_WHY_NONE, or why. @is_void is set where the kernel sets AT_SECURE and grants
 * nothing all the same: file capabilities under no_new_privs.
 */
enum target_why privilege_gained(const char *path, const struct stat *st, bool *is_void);

#endif
