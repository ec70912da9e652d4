#include "landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/landlock.h, of which distributions have older ones than the kernels that they meet. */

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule       445
#define SYS_landlock_restrict_self  446
#endif

#define CREATE_RULESET_VERSION 1u
#define RULE_PATH_BENEATH      1

#define FS_READ_FILE  ((uint64_t)1 << 2)
#define FS_READ_DIR   ((uint64_t)1 << 3)
#define FS_VERSION_1  (((uint64_t)1 << 13) - 1)
#define FS_REFER      ((uint64_t)1 << 13) /* since version 2 */
#define FS_TRUNCATE   ((uint64_t)1 << 14) /* 3 */
#define FS_IOCTL_DEV  ((uint64_t)1 << 15) /* 5 */
#define SCOPE_VERSION 6
#define SCOPE_ALL     ((uint64_t)3) /* abstract UNIX sockets, signals */

struct ruleset_attr {
	uint64_t fs, net, scoped;
};

struct path_attr {
	uint64_t access;
	int32_t fd;
} __attribute__((packed));

int landlock_version(void)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);

	return version < 0 ? -errno : (int)version;
}

static uint64_t rights_of(int version)
{
	return FS_VERSION_1 | (version >= 2 ? FS_REFER : 0) | (version >= 3 ? FS_TRUNCATE : 0) |
	       (version >= 5 ? FS_IOCTL_DEV : 0);
}

static int allow(int ruleset, const char *path)
{
	struct path_attr attr = { .fd = open(path, O_PATH | O_CLOEXEC) };
	struct stat st;
	int err = 0;

	if (attr.fd < 0)
		return 0;
	if (fstat(attr.fd, &st) == 0) {
		attr.access = FS_READ_FILE | (S_ISDIR(st.st_mode) ? FS_READ_DIR : 0);
		if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &attr, 0) < 0)
			err = -errno;
	}
	close(attr.fd);
	return err;
}

int landlock_enter(const char *const *readable, size_t n)
{
	struct ruleset_attr attr = { 0 };
	int version = landlock_version(), ruleset, err = 0;

	if (version < 0)
		return version;
	attr.fs = rights_of(version);
	attr.scoped = version >= SCOPE_VERSION ? SCOPE_ALL : 0;
	/* To a kernel that knows less the rest is zeros, which it takes. */
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return -errno;
	for (size_t i = 0; i < n && err == 0; i++)
		err = allow(ruleset, readable[i]);
	if (err == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		err = -errno;
	close(ruleset);
	return err < 0 ? err : version;
}
