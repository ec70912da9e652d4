/*
 * How it works: as the kernel's bprm_fill_uid() and cap_bprm_creds_from_file(). AT_SECURE is set
 * where the new effective ids are not the old ones, and, unless the real user is root, where the
 * file has capabilities. Tried on Linux 6.18, each row as root, as another user and under
 * no_new_privs: tests/unit/launch/test_privilege.c.
 *
 * Too strict in corners, which is the safe side: owners that a user namespace does not map, and
 * capabilities that belong to another one, count as if they took effect.
 */
#include "privilege.h"

#include <endian.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ST_NOSUID_FLAG 0x0002 /* statfs(2): ST_NOSUID, which the headers of statvfs have */

static bool is_on_nosuid_mount(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && ((unsigned long)fs.f_flags & ST_NOSUID_FLAG);
}

/* What this process may inherit: only a file that names the same gives it on. */
static void get_inheritable(uint32_t words[2])
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	/* Not to be known: all of them. */
	words[0] = words[1] = UINT32_MAX;
	if (syscall(SYS_capget, &header, data) == 0)
		for (size_t i = 0; i < 2; i++)
			words[i] = data[i].inheritable;
}

static bool has_capabilities(const char *path)
{
	/* The magic; then permitted and inheritable ones, low words before high words. */
	uint32_t words[XATTR_CAPS_SZ_3 / sizeof(uint32_t)] = { 0 }, ours[2];
	ssize_t len = getxattr(path, "security.capability", words, sizeof(words));

	if (len < (ssize_t)XATTR_CAPS_SZ_1)
		return false;
	if (len < (ssize_t)XATTR_CAPS_SZ_2)
		words[3] = words[4] = 0;
	if ((le32toh(words[0]) & VFS_CAP_FLAGS_EFFECTIVE) || words[1] || words[3])
		return true;
	if (!words[2] && !words[4])
		return false;
	get_inheritable(ours);
	return (le32toh(words[2]) & ours[0]) || (le32toh(words[4]) & ours[1]);
}

enum target_why privilege_gained(const char *path, const struct stat *st, bool *is_void)
{
	uid_t old_euid = geteuid(), euid = old_euid, uid = getuid();
	gid_t old_egid = getegid(), egid = old_egid, gid = getgid();
	bool has_caps = uid != 0 && has_capabilities(path);
	/* Without leave to execute for the group the bit once meant mandatory locking. */
	bool is_setgid = (st->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
	bool is_setuid = st->st_mode & S_ISUID, is_voided;

	*is_void = false;
	if ((has_caps || is_setuid || is_setgid) && is_on_nosuid_mount(path))
		has_caps = is_setuid = is_setgid = false;
	is_voided = (has_caps || is_setuid || is_setgid) &&
	            prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
	if (is_setuid && !is_voided)
		euid = st->st_uid;
	if (is_setgid && !is_voided)
		egid = st->st_gid;
	/* Since Linux 6.16 a change counts, too, even one back to the real ids. */
	if (euid != uid || euid != old_euid)
		return is_setuid && !is_voided ? TARGET_WHY_SETUID : TARGET_WHY_IDS;
	if (egid != gid || egid != old_egid)
		return is_setgid && !is_voided ? TARGET_WHY_SETGID : TARGET_WHY_IDS;
	if (has_caps) {
		*is_void = is_voided;
		return TARGET_WHY_CAPS;
	}
	return TARGET_WHY_NONE;
}
