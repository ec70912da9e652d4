/*
 * Held against the kernel: this very program, copied with the bits of each row and executed, says
 * what AT_SECURE was. Most rows need root, who can be others; without root they are passed over.
 */
#include "folder.h"

#include <grp.h>
#include <launch/target.h>
#include <linux/capability.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#define NOBODY 65534
#define OTHER  12345 /* an id of nobody's */

enum { MAGIC_EFFECTIVE = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE };

static const struct {
	mode_t mode;
	uid_t owner;
	gid_t group;
	uint32_t caps[5]; /* magic, permitted, inheritable, both again for the high word */
	uid_t real, effective;
	bool no_new_privs;
	enum target_kind kind;
	enum target_why why;
} rows[] = {
	/* No bit, no privilege. */
	{ 0755, 0, 0, { 0 }, NOBODY, NOBODY, false, TARGET_DYNAMIC, TARGET_WHY_NONE },
	{ 0755, 0, 0, { 0 }, 0, 0, false, TARGET_DYNAMIC, TARGET_WHY_NONE },
	/* Set-uid means something to those who aren't the owner. */
	{ 04755, 0, 0, { 0 }, NOBODY, NOBODY, false, TARGET_PRIVILEGED, TARGET_WHY_SETUID },
	{ 04755, 0, 0, { 0 }, 0, 0, false, TARGET_DYNAMIC, TARGET_WHY_NONE },
	{ 04755, OTHER, 0, { 0 }, 0, 0, false, TARGET_PRIVILEGED, TARGET_WHY_SETUID },
	{ 04755, NOBODY, 0, { 0 }, NOBODY, NOBODY, false, TARGET_DYNAMIC, TARGET_WHY_NONE },
	{ 04755, 0, 0, { 0 }, NOBODY, NOBODY, true, TARGET_DYNAMIC, TARGET_WHY_NONE },
	/* Set-gid even to root; but without leave to execute for the group it meant locking. */
	{ 02755, 0, OTHER, { 0 }, NOBODY, NOBODY, false, TARGET_PRIVILEGED, TARGET_WHY_SETGID },
	{ 02755, 0, OTHER, { 0 }, 0, 0, false, TARGET_PRIVILEGED, TARGET_WHY_SETGID },
	{ 02755, 0, NOBODY, { 0 }, NOBODY, NOBODY, false, TARGET_DYNAMIC, TARGET_WHY_NONE },
	{ 02745, 0, OTHER, { 0 }, NOBODY, NOBODY, false, TARGET_DYNAMIC, TARGET_WHY_NONE },
	{ 02755, 0, OTHER, { 0 }, NOBODY, NOBODY, true, TARGET_DYNAMIC, TARGET_WHY_NONE },
	/* Capabilities: not to root; under no_new_privs void, and AT_SECURE all the same. */
	{ 0755,
	  0,
	  0,
	  { MAGIC_EFFECTIVE, 1 << CAP_NET_RAW },
	  NOBODY,
	  NOBODY,
	  false,
	  TARGET_PRIVILEGED,
	  TARGET_WHY_CAPS },
	{ 0755,
	  0,
	  0,
	  { VFS_CAP_REVISION_2, 1 << CAP_NET_RAW },
	  NOBODY,
	  NOBODY,
	  false,
	  TARGET_PRIVILEGED,
	  TARGET_WHY_CAPS },
	{ 0755,
	  0,
	  0,
	  { VFS_CAP_REVISION_2, 0, 1 << CAP_NET_RAW },
	  NOBODY,
	  NOBODY,
	  false,
	  TARGET_DYNAMIC,
	  TARGET_WHY_NONE },
	{ 0755,
	  0,
	  0,
	  { VFS_CAP_REVISION_2 },
	  NOBODY,
	  NOBODY,
	  false,
	  TARGET_DYNAMIC,
	  TARGET_WHY_NONE },
	{ 0755,
	  0,
	  0,
	  { MAGIC_EFFECTIVE, 1 << CAP_NET_RAW },
	  0,
	  0,
	  false,
	  TARGET_DYNAMIC,
	  TARGET_WHY_NONE },
	{ 0755,
	  0,
	  0,
	  { MAGIC_EFFECTIVE, 1 << CAP_NET_RAW },
	  NOBODY,
	  NOBODY,
	  true,
	  TARGET_UNREACHABLE,
	  TARGET_WHY_CAPS },
	/* A process of two users is nobody's guest. */
	{ 0755, 0, 0, { 0 }, NOBODY, 0, false, TARGET_PRIVILEGED, TARGET_WHY_IDS },
	{ 0755, 0, 0, { 0 }, 0, NOBODY, false, TARGET_PRIVILEGED, TARGET_WHY_IDS },
	/* Back to the real user: a privilege since Linux 6.16. */
	{ 04755, 0, 0, { 0 }, 0, NOBODY, false, TARGET_PRIVILEGED, TARGET_WHY_SETUID },
};

struct answer {
	enum target_kind kind;
	enum target_why why;
	int secure;
};

/* In a child: become that user, judge, and become the program. */
static struct answer ask(const char *path, int row)
{
	struct answer answer = { .secure = -1 };
	struct target t;
	int fds[2], status;
	pid_t child;
	char fd_text[16];

	ck_assert_int_eq(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		if (setgroups(0, NULL) < 0 ||
		    setresgid(rows[row].real, rows[row].real, rows[row].real) < 0 ||
		    setresuid(rows[row].real, rows[row].effective, 0) < 0)
			_exit(1);
		if (rows[row].no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
			_exit(1);
		target_judge(path, &t);
		answer.kind = t.kind;
		answer.why = t.why;
		if (write(fds[1], &answer, sizeof(answer)) != sizeof(answer))
			_exit(1);
		snprintf(fd_text, sizeof(fd_text), "%d", fds[1]);
		execl(path, path, "--at-secure", fd_text, (char *)NULL);
		_exit(1);
	}
	close(fds[1]);
	ck_assert_int_eq(read(fds[0], &answer, sizeof(answer)), sizeof(answer));
	ck_assert_int_eq(read(fds[0], &answer.secure, sizeof(int)), sizeof(int));
	close(fds[0]);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return answer;
}

START_TEST(privilege_is_what_the_kernel_makes_of_the_file)
{
	struct answer answer;
	const char *path;
	bool is_made;

	if (geteuid() != 0)
		return;
	folder_init();
	path = folder_copy("file", "/proc/self/exe", 0700);
	/* In a user namespace that has one user there are no others to give it to. */
	is_made = chown(path, rows[_i].owner, rows[_i].group) == 0 &&
	          chmod(path, rows[_i].mode) == 0 &&
	          (!rows[_i].caps[0] || setxattr(path, "security.capability", rows[_i].caps,
	                                         sizeof(rows[_i].caps), 0) == 0);
	if (is_made)
		answer = ask(path, _i);
	folder_fini();
	if (!is_made)
		return;
	ck_assert_int_eq(answer.kind, rows[_i].kind);
	ck_assert_int_eq(answer.why, rows[_i].why);
	if (rows[_i].kind == TARGET_DYNAMIC || rows[_i].effective == rows[_i].real)
		ck_assert_int_eq(answer.secure, rows[_i].kind != TARGET_DYNAMIC);
}
END_TEST

/* What anybody can see: programs of this machine that are set-uid root. */
START_TEST(su_gains_for_those_who_are_not_root)
{
	struct target t;
	struct stat st;

	if (stat("/usr/bin/su", &st) < 0 || !(st.st_mode & S_ISUID) || st.st_uid != 0 ||
	    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		return;
	target_judge("/usr/bin/su", &t);
	ck_assert_int_eq(t.kind, getuid() == 0 ? TARGET_DYNAMIC : TARGET_PRIVILEGED);
}
END_TEST

START_TEST(set_uid_means_nothing_to_a_script)
{
	struct target t;
	const char *path;

	folder_init();
	path = folder_put("script", "#!/bin/sh\n", 10, 06755);
	if (geteuid() == 0)
		ck_assert_int_eq(chown(path, NOBODY, NOBODY) == 0 ? chmod(path, 06755) : 0, 0);
	target_judge(path, &t);
	folder_fini();
	ck_assert_int_eq(t.kind, TARGET_DYNAMIC);
}
END_TEST

int main(int argc, char **argv)
{
	const struct unit_test list[] = {
		{ privilege_is_what_the_kernel_makes_of_the_file, ROWS(rows) },
		{ su_gains_for_those_who_are_not_root, 0 },
		{ set_uid_means_nothing_to_a_script, 0 },
	};
	int secure = getauxval(AT_SECURE) != 0;

	if (argc == 3 && strcmp(argv[1], "--at-secure") == 0)
		return write(atoi(argv[2]), &secure, sizeof(secure)) != sizeof(secure);
	return unit_run("launch/privilege", list, sizeof(list) / sizeof(list[0]));
}
