/*
 * What tests of programs that are started share: each function of the exec family, in a child, and
 * what the program that the child becomes says of itself (shown.c).
 */
#ifndef TEST_EXEC_H
#define TEST_EXEC_H

#include "under.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY          65534
#define FOLDER_VARIABLE "EXEC_FOLDER"
#define FAILED          100 /* a child's status: this, and the errno */
#define SKIPPED         99

/* The folder has the log, too. */
static const char *folder, *library, *shown, *shown_static;
static char log_path[128];

enum call {
	EXECVE,
	EXECVPE,
	EXECLE,
	FEXECVE,
	EXECVEAT,
	EXECVEAT_FD,
	EXECVEAT_DIR,
	SYSCALL_EXECVE,
	SYSCALL_EXECVEAT,
	/* With the environment that is there. */
	EXECV,
	EXECVP,
	EXECL,
	EXECLP,
	CALLS,
};

static char zero[] = "zero", one[] = "one",
	    two[] = "two three", *const args[] = { zero, one, two, NULL };
#define ARGS "zero|one|two three|\n"

static inline int open_dir(const char *file, const char **name)
{
	char dir[4096];

	snprintf(dir, sizeof(dir), "%s", file);
	*strrchr(dir, '/') = '\0';
	*name = strrchr(file, '/') + 1;
	return open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Returns where it fails only. */
static inline void call_with(enum call call, const char *file, char *const argv[],
                             char *const envp[])
{
	const char *name;
	int fd;

	if (call >= EXECV)
		environ = (char **)(uintptr_t)envp;
	switch (call) {
	case EXECVE:
		execve(file, argv, envp);
		break;
	case EXECVPE:
		execvpe(file, argv, envp);
		break;
	case EXECLE:
		execle(file, argv[0], argv[1], argv[2], (char *)NULL, envp);
		break;
	case FEXECVE:
		fexecve(open(file, O_RDONLY | O_CLOEXEC), argv, envp);
		break;
	case EXECVEAT:
		execveat(AT_FDCWD, file, argv, envp, 0);
		break;
	case EXECVEAT_FD:
		execveat(open(file, O_PATH | O_CLOEXEC), "", argv, envp, AT_EMPTY_PATH);
		break;
	case EXECVEAT_DIR:
		fd = open_dir(file, &name);
		execveat(fd, name, argv, envp, 0);
		break;
	case SYSCALL_EXECVE:
		syscall(SYS_execve, file, argv, envp);
		break;
	case SYSCALL_EXECVEAT:
		syscall(SYS_execveat, -1, file, argv, envp, 0);
		break;
	case EXECV:
		execv(file, argv);
		break;
	case EXECVP:
		execvp(file, argv);
		break;
	case EXECL:
		execl(file, argv[0], argv[1], argv[2], (char *)NULL);
		break;
	case EXECLP:
		execlp(file, argv[0], argv[1], argv[2], (char *)NULL);
		break;
	case CALLS:
		break;
	}
}

/* What a child and the program that it becomes write. */
static struct {
	char text[65536];
	int status; /* the errno of what was not executed, + FAILED */
} said;

static inline void run(void (*child)(void))
{
	size_t len = 0;
	ssize_t n;
	int fds[2];
	pid_t pid;

	ck_assert_int_eq(pipe(fds), 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], 1);
		for (int fd = 3; fd < 256; fd++)
			close(fd);
		child();
		_exit(FAILED + errno);
	}
	close(fds[1]);
	while ((n = read(fds[0], said.text + len, sizeof(said.text) - 1 - len)) > 0)
		len += (size_t)n;
	said.text[len] = '\0';
	close(fds[0]);
	ck_assert_int_eq(waitpid(pid, &said.status, 0), pid);
	ck_assert_msg(WIFEXITED(said.status), "ended by signal %d", WTERMSIG(said.status));
	said.status = WEXITSTATUS(said.status);
}

static inline void check_said(const char *line)
{
	ck_assert_msg(strstr(said.text, line), "not said: %s\nbut (%d): %s", line, said.status,
	              said.text);
}

static inline void check_said_of(const char *what, const char *value)
{
	char line[8200];

	snprintf(line, sizeof(line), "\n%s %s\n", what, value);
	check_said(line);
}

static inline int log_lines(const char *text)
{
	FILE *f = fopen(log_path, "re");
	char line[1100];
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += strstr(line, text) != NULL;
	if (f)
		fclose(f);
	return n;
}

static inline void log_empty(void)
{
	ck_assert_int_eq(truncate(log_path, 0), 0);
}

static inline const char *in_folder(const char *name)
{
	static char paths[4][256];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static inline const char *put(const char *name, const char *text, mode_t mode)
{
	const char *path = in_folder(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	fchmod(fd, mode);
	close(fd);
	return path;
}

static inline int copy_into(int to, const char *from)
{
	int fd = open(from, O_RDONLY | O_CLOEXEC);
	char buf[65536];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (write(to, buf, (size_t)n) != n)
			return -1;
	close(fd);
	return (int)n;
}

static inline const char *copy(const char *name, const char *from, mode_t mode)
{
	const char *path = in_folder(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(copy_into(fd, from), 0);
	fchmod(fd, mode);
	close(fd);
	return path;
}

static inline bool is_mode(const char *mode)
{
	const char *exec = getenv("SOCKSIFY_EXEC");

	return strcmp(exec ? exec : "closed", mode) == 0;
}

/* What the children below work on. */
static struct {
	enum call call;
	const char *file;
	char *const *argv;
	char **envp;
} plan;

static inline void execute(void)
{
	call_with(plan.call, plan.file, plan.argv, plan.envp);
}

static inline void run_plan(enum call call, const char *file, char *const argv[], char **envp)
{
	plan.call = call;
	plan.file = file;
	plan.argv = argv;
	plan.envp = envp;
	run(execute);
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

/* main(). The first argument is SOCKSIFY_EXEC's value. */
static inline int exec_main(int argc, char **argv, Suite *(*make)(void))
{
	char made[] = "/tmp/socksify-exec.XXXXXX", path[128];
	int status;

	if (!under_is_second_run()) {
		if (!mkdtemp(made))
			return SKIPPED;
		chmod(made, 0755);
		snprintf(path, sizeof(path), "%s/log", made);
		close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
		setenv(FOLDER_VARIABLE, made, 1);
		setenv("SOCKSIFY_LOG_FILE", path, 1);
		setenv("SOCKSIFY_LOG", "warn", 1);
		if (argc > 1)
			setenv("SOCKSIFY_EXEC", argv[1], 1);
	}
	folder = getenv(FOLDER_VARIABLE);
	library = getenv("LIBSOCKSIFY");
	shown = getenv("EXEC_SHOWN");
	shown_static = getenv("EXEC_SHOWN_STATIC");
	snprintf(log_path, sizeof(log_path), "%s/log", folder);
	status = under_main(argc, argv, UNDER_IPV4, make);
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return status;
}

#endif
