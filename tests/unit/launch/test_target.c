/*
 * The judgement is held against the kernel's own: each file of a table is executed, too, and where
 * it can't be, the errno must be the one that was foretold.
 */
#include "folder.h"

#include <elf.h>
#include <errno.h>
#include <launch/target.h>
#include <limits.h>
#include <sys/wait.h>

/* execve(2) in a child: its negative errno, or 0 where something ran. */
static int kernel_says(const char *path)
{
	char *argv[] = { (char[]){ "program" }, NULL }, *envp[] = { NULL };
	int status, fds[2], err = 0;
	pid_t child;

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		alarm(20);
		dup2(open("/dev/null", O_RDWR), STDIN_FILENO);
		dup2(STDIN_FILENO, STDOUT_FILENO);
		dup2(STDIN_FILENO, STDERR_FILENO);
		execve(path, argv, envp);
		err = -errno;
		_exit(write(fds[1], &err, sizeof(err)) != sizeof(err));
	}
	ck_assert_int_gt(child, 0);
	close(fds[1]);
	if (read(fds[0], &err, sizeof(err)) != sizeof(err))
		err = 0;
	close(fds[0]);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return err;
}

#define BLANK64 "                                                                "
#define NAME64  "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"

/* A file, written with this text; "@" in it stands for the folder. */
static const struct {
	const char *text;
	size_t len; /* 0: the text's */
	mode_t mode;
	enum target_kind kind;
	int err;
	unsigned scripts;
	const char *program;
} files[] = {
	{ "#!/bin/sh\n", 0, 0755, TARGET_DYNAMIC, 0, 1, "/bin/sh" },
	{ "#! \t/bin/sh \t\n", 0, 0755, TARGET_DYNAMIC, 0, 1, "/bin/sh" },
	{ "#!/bin/sh -e -u\nexit 0\n", 0, 0755, TARGET_DYNAMIC, 0, 1, "/bin/sh" },
	{ "#!/bin/sh\t-e", 0, 0755, TARGET_DYNAMIC, 0, 1, "/bin/sh" },
	{ "#!/bin/sh", 0, 0755, TARGET_DYNAMIC, 0, 1, "/bin/sh" },
	{ "#!/usr/bin/env sh\n", 0, 0755, TARGET_DYNAMIC, 0, 1, "/usr/bin/env" },
	{ "#!/bin/sh\0 -e\n", 15, 0755, TARGET_DYNAMIC, 0, 1, "/bin/sh" },
	/* Only the first 256 octets count. */
	{ "#!/bin/true " NAME64 NAME64 NAME64 NAME64, 0, 0755, TARGET_DYNAMIC, 0, 1, "/bin/true" },
	{ "#!/" NAME64 NAME64 NAME64 NAME64 "\n", 0, 0755, TARGET_FAILS, -ENOEXEC, 0, "" },
	{ "#!" BLANK64 BLANK64 BLANK64 BLANK64 "/bin/sh\n", 0, 0755, TARGET_FAILS, -ENOEXEC, 0,
	  "" },
	/* No name at all. */
	{ "#!", 0, 0755, TARGET_FAILS, -EACCES, 0, "" },
	{ "#!\n/bin/sh\n", 0, 0755, TARGET_FAILS, -ENOEXEC, 0, "" },
	{ "#! \t\n", 0, 0755, TARGET_FAILS, -ENOEXEC, 0, "" },
	/* Text, which execvp gives to the shell. */
	{ "", 0, 0755, TARGET_FAILS, -ENOEXEC, 0, "" },
	{ "#", 0, 0755, TARGET_FAILS, -ENOEXEC, 0, "" },
	{ "echo\n", 0, 0755, TARGET_FAILS, -ENOEXEC, 0, "" },
	{ " #!/bin/sh\n", 0, 0755, TARGET_FAILS, -ENOEXEC, 0, "" },
	/* What isn't there, or can't be executed. */
	{ "#!/nonexistent/sh\n", 0, 0755, TARGET_FAILS, -ENOENT, 1, "/nonexistent/sh" },
	{ "#!/etc/passwd/sh\n", 0, 0755, TARGET_FAILS, -ENOTDIR, 1, "/etc/passwd/sh" },
	{ "#!/etc/passwd\n", 0, 0755, TARGET_FAILS, -EACCES, 1, "/etc/passwd" },
	{ "#!/etc\n", 0, 0755, TARGET_FAILS, -EACCES, 1, "/etc" },
	{ "#!/bin/sh\n", 0, 0644, TARGET_FAILS, -EACCES, 0, "" },
	/* A relative one is looked for from the working directory, not from the file. */
	{ "#!./sh-that-is-nowhere\n", 0, 0755, TARGET_FAILS, -ENOENT, 1, "./sh-that-is-nowhere" },
	/* An interpreter that is text is not given to the shell by the kernel. */
	{ "#!@/text\n", 0, 0755, TARGET_FAILS, -ENOEXEC, 1, "@/text" },
	/* Truncated ELF files. */
	{ "\177ELF", 0, 0755, TARGET_UNREACHABLE, 0, 0, "" },
	{ "#!@/script4\n", 0, 0755, TARGET_DYNAMIC, 0, 5, "/bin/true" },
	{ "#!@/script5\n", 0, 0755, TARGET_FAILS, -ELOOP, 6, "/bin/true" },
	{ "#!@/self\n", 0, 0755, TARGET_FAILS, -ELOOP, 6, "@/self" },
};

/* "@" becomes the folder. Returns the new length. */
static size_t expand(const char *text, size_t len, char *buf, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		if (text[i] == '@')
			n += (size_t)snprintf(buf + n, cap - n, "%s", folder);
		else
			buf[n++] = text[i];
	buf[n] = '\0';
	return n;
}

/* script1 is of /bin/true, script2 of script1, and so on. */
static void put_scripts(void)
{
	char name[16], text[512] = "#!/bin/true\n";

	for (int i = 1; i <= 5; i++) {
		snprintf(name, sizeof(name), "script%d", i);
		folder_put(name, text, strlen(text), 0755);
		snprintf(text, sizeof(text), "#!%s/%s\n", folder, name);
	}
	snprintf(text, sizeof(text), "#!%s/self\n", folder);
	folder_put("self", text, strlen(text), 0755);
	folder_put("text", "exit 0\n", 7, 0755);
}

START_TEST(file_is_what_the_kernel_takes_it_for)
{
	char text[1024], program[512];
	size_t len = files[_i].len ? files[_i].len : strlen(files[_i].text);
	const char *path;
	struct target t;
	int err;

	folder_init();
	put_scripts();
	len = expand(files[_i].text, len, text, sizeof(text));
	path = folder_put("file", text, len, files[_i].mode);
	errno = E2BIG;
	target_judge(path, &t);
	ck_assert_int_eq(errno, E2BIG);
	err = kernel_says(path);
	expand(files[_i].program, strlen(files[_i].program), program, sizeof(program));
	folder_fini();
	ck_assert_int_eq(t.kind, files[_i].kind);
	ck_assert_int_eq(t.err, files[_i].err);
	ck_assert_uint_eq(t.scripts, files[_i].scripts);
	ck_assert_str_eq(t.program, program);
	if (t.kind != TARGET_UNREACHABLE)
		ck_assert_int_eq(err, files[_i].err);
}
END_TEST

START_TEST(what_is_no_file_is_told_as_the_kernel_tells_it)
{
	static const struct {
		const char *path;
		int err;
	} rows[] = {
		{ "/", -EACCES },
		{ "/etc", -EACCES },
		{ "/dev/null", -EACCES },
		{ "/nonexistent", -ENOENT },
		{ "/etc/passwd/x", -ENOTDIR },
		{ "", -ENOENT },
	};
	struct target t;

	for (int i = 0; i < ROWS(rows); i++) {
		target_judge(rows[i].path, &t);
		ck_assert_int_eq(t.kind, TARGET_FAILS);
		ck_assert_int_eq(t.err, rows[i].err);
		ck_assert_int_eq(kernel_says(rows[i].path), rows[i].err);
	}
}
END_TEST

/* Nobody writes there while it is looked at: a FIFO must not hold up the one who asks. */
START_TEST(fifo_does_not_hold_up_anybody)
{
	struct target t;

	folder_init();
	ck_assert_int_eq(mkfifo(folder_path("fifo"), 0777), 0);
	target_judge(folder_path("fifo"), &t);
	folder_fini();
	ck_assert_int_eq(t.kind, TARGET_FAILS);
	ck_assert_int_eq(t.err, -EACCES);
}
END_TEST

START_TEST(file_that_may_not_be_read_is_told_from_others)
{
	struct target t;
	const char *path;

	folder_init();
	path = folder_copy("file", "/bin/true", 0111);
	target_judge(path, &t);
	folder_fini();
	if (geteuid() == 0) {
		ck_assert_int_eq(t.kind, TARGET_DYNAMIC);
	} else {
		ck_assert_int_eq(t.kind, TARGET_UNREACHABLE);
		ck_assert_int_eq(t.why, TARGET_WHY_UNREADABLE);
		ck_assert_int_eq(t.err, -EACCES);
	}
}
END_TEST

START_TEST(descriptors_are_all_given_back)
{
	struct target t;
	int before = dup(STDIN_FILENO), after;

	close(before);
	target_judge("/bin/true", &t);
	target_judge("/usr/bin/ldd", &t);
	target_judge("/etc/passwd", &t);
	after = dup(STDIN_FILENO);
	close(after);
	ck_assert_int_eq(after, before);
}
END_TEST

/* execvp(3) in PATH. */
START_TEST(first_place_that_can_be_executed_is_found)
{
	char path[256], place[PATH_MAX], want[128];
	struct target t;

	folder_init();
	folder_put("a/denied", "#!/bin/sh\n", 10, 0644);
	folder_put("b/denied", "#!/bin/sh\n", 10, 0755);
	folder_put("a/closed", "#!/bin/sh\n", 10, 0644);
	folder_put("a/broken", "#!/nonexistent/sh\n", 18, 0755);
	folder_put("b/text", "exit 0\n", 7, 0755);
	snprintf(path, sizeof(path), "/nonexistent:%s/a:%s/b", folder, folder);

	target_find("denied", path, place, sizeof(place), &t);
	snprintf(want, sizeof(want), "%s/b/denied", folder);
	ck_assert_str_eq(place, want);
	ck_assert_int_eq(t.kind, TARGET_DYNAMIC);

	target_find("closed", path, place, sizeof(place), &t);
	snprintf(want, sizeof(want), "%s/a/closed", folder);
	ck_assert_str_eq(place, want);
	ck_assert_int_eq(t.kind, TARGET_FAILS);
	ck_assert_int_eq(t.err, -EACCES);

	target_find("broken", path, place, sizeof(place), &t);
	snprintf(want, sizeof(want), "%s/a/broken", folder);
	ck_assert_str_eq(place, want);
	ck_assert_int_eq(t.err, -ENOENT);
	ck_assert_str_eq(t.program, "/nonexistent/sh");

	target_find("text", path, place, sizeof(place), &t);
	snprintf(want, sizeof(want), "%s/b/text", folder);
	ck_assert_str_eq(place, want);
	ck_assert_int_eq(t.err, -ENOEXEC);
	ck_assert(!t.is_elf);

	target_find("nowhere", path, place, sizeof(place), &t);
	ck_assert_str_eq(place, "");
	ck_assert_int_eq(t.err, -ENOENT);
	folder_fini();
}
END_TEST

UNIT_MAIN("launch/target", { file_is_what_the_kernel_takes_it_for, ROWS(files) },
          { what_is_no_file_is_told_as_the_kernel_tells_it, 0 },
          { fifo_does_not_hold_up_anybody, 0 },
          { file_that_may_not_be_read_is_told_from_others, 0 },
          { descriptors_are_all_given_back, 0 }, { first_place_that_can_be_executed_is_found, 0 })
