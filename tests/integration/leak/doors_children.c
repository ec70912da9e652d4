/* Programs that this one starts, however: each is "doors connect" again, or a static one. */
#include "doors.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wordexp.h>

static char connect_word[] = "connect";
static char *words[] = { door_self, connect_word, NULL };
static char *static_words[] = { door_beside, NULL };
static char *none[] = { NULL };

static int connect_here(void)
{
	struct sockaddr_storage web;
	socklen_t len = door_address(&web, WEB4, 80);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return door_fetch(fd, connect(fd, (struct sockaddr *)&web, len));
}

/* What a begin() of a child came to that should not have returned; -errno. */
static int start(void (*begin)(char **args), char **args)
{
	int *err = mmap(NULL, sizeof(*err), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	                0);
	int res, pid;

	if (err == MAP_FAILED)
		return -errno;
	pid = fork();
	if (pid == 0) {
		begin(args);
		*err = errno;
		_exit(1);
	}
	res = door_of_child(pid);
	return *err ? -*err : res;
}

/* In a child of fork, which ends there. */
#define STARTS(name, begin_with)                  \
	static void name##_begin(char **args)     \
	{                                         \
		(void)args;                       \
		begin_with;                       \
	}                                         \
	static int name(char **args)              \
	{                                         \
		return start(name##_begin, args); \
	}

STARTS(by_execve, execve(door_self, words, none))
STARTS(by_execve_syscall, syscall(SYS_execve, door_self, words, none))
STARTS(by_execveat, execveat(AT_FDCWD, door_self, words, none, 0))
STARTS(by_execveat_syscall, syscall(SYS_execveat, AT_FDCWD, door_self, words, none, 0))
STARTS(by_fexecve, fexecve(open(door_self, O_RDONLY | O_CLOEXEC), words, none))
STARTS(by_execle, execle(door_self, door_self, connect_word, (char *)NULL, none))
STARTS(by_execvpe, execvpe(door_self, words, none))
STARTS(by_execv, (clearenv(), execv(door_self, words)))
STARTS(by_execvp, (clearenv(), execvp(door_self, words)))
STARTS(by_execl, (unsetenv("LD_PRELOAD"), execl(door_self, door_self, connect_word, (char *)NULL)))
STARTS(by_execlp,
       (unsetenv("LD_PRELOAD"), execlp(door_self, door_self, connect_word, (char *)NULL)))
STARTS(by_env, execlp("env", "env", "-i", door_self, connect_word, (char *)NULL))
STARTS(by_static, execve(door_beside, static_words, none))
STARTS(by_set_uid, execl(args[0], args[0], connect_word, (char *)NULL))

/* A file without a name. */
static int in_memory(const char *from)
{
	int file = open(from, O_RDONLY | O_CLOEXEC), to = memfd_create("program", MFD_CLOEXEC);

	while (sendfile(to, file, NULL, 1 << 20) > 0)
		continue;
	close(file);
	return to;
}

static char env_word[] = "env", env_file[] = "/usr/bin/env";
static char *env_words[] = { env_word, door_self, connect_word, NULL };

/* One of the system's, which has no libraries beside it. */
STARTS(of_memory, fexecve(in_memory(env_file), env_words, none))
STARTS(static_of_memory, fexecve(in_memory(door_beside), static_words, none))

/* Where neither the library nor the wrapper is. */
static void jailed_begin(char **args)
{
	static char inside[] = "/alone";
	char *jailed[] = { inside, NULL };
	int from = open(door_beside, O_RDONLY | O_CLOEXEC), to;

	(void)args;
	if (mkdir("jail", 0755) < 0)
		return;
	to = open("jail/alone", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	while (sendfile(to, from, NULL, 1 << 20) > 0)
		continue;
	close(to);
	if (chroot("jail") == 0 && chdir("/") == 0)
		execve(inside, jailed, none);
}

static int jailed(char **args)
{
	return start(jailed_begin, args);
}

static int by_pidfd_spawn(char **args)
{
	int (*call)(int *, const char *, const posix_spawn_file_actions_t *,
	            const posix_spawnattr_t *, char *const *, char *const *) = NULL;
	void *found = dlsym(RTLD_DEFAULT, "pidfd_spawn");
	int fd, err, status;

	(void)args;
	if (!found)
		return door_lacks("this libc has no pidfd_spawn()");
	memcpy(&call, &found, sizeof(call));
	err = call(&fd, door_self, NULL, NULL, words, none);
	/* The library has one, whatever libc has. */
	if (err == ENOSYS)
		return door_lacks("this libc has no pidfd_spawn()");
	return err ? -err : wait(&status) < 0 ? -errno : door_of_status(status);
}

static int by_sh(char **args)
{
	char text[8192];

	(void)args;
	snprintf(text, sizeof(text), "unset LD_PRELOAD; exec %s connect", door_self);
	return door_of_status(system(text));
}

static void loader_begin(char **args)
{
	char *all[] = { args[0], door_self, connect_word, NULL };

	execve(args[0], all, none);
}

/* ld.so as the program, with the real one as its argument. */
static int by_loader(char **args)
{
	char *loader = (char *)(uintptr_t)door_loader();

	(void)args;
	return loader ? start(loader_begin, &loader) : door_lacks("no loader is named");
}

static void loader_of_static_begin(char **args)
{
	char *all[] = { args[0], door_beside, NULL };

	execve(args[0], all, none);
}

static int static_by_loader(char **args)
{
	char *loader = (char *)(uintptr_t)door_loader();

	(void)args;
	return loader ? start(loader_of_static_begin, &loader) : door_lacks("no loader is named");
}

static void script_begin(char **args)
{
	static char name[] = "./script";
	char *script[] = { name, NULL };

	(void)args;
	execve(name, script, none);
}

/* A file here that starts with "#!" and a program; run. */
static int script_of(const char *program, const char *word)
{
	char text[8192];
	int len = snprintf(text, sizeof(text), "#!%s%s%s\n", program, word ? " " : "",
	                   word ? word : "");
	int fd = open("script", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	if (fd < 0 || write(fd, text, (size_t)len) != len || close(fd) < 0)
		return -errno;
	return start(script_begin, NULL);
}

static int script(char **args)
{
	(void)args;
	return script_of(door_self, connect_word);
}

static int static_script(char **args)
{
	(void)args;
	return script_of(door_beside, NULL);
}

static int by_spawn(char **args)
{
	int err;
	pid_t pid;

	(void)args;
	err = posix_spawn(&pid, door_self, NULL, NULL, words, none);
	return err ? -err : door_of_child(pid);
}

static int by_spawnp(char **args)
{
	int err;
	pid_t pid;

	(void)args;
	err = posix_spawnp(&pid, door_self, NULL, NULL, words, none);
	return err ? -err : door_of_child(pid);
}

static int spawn_static(char **args)
{
	int err;
	pid_t pid;

	(void)args;
	err = posix_spawn(&pid, door_beside, NULL, NULL, static_words, none);
	return err ? -err : door_of_child(pid);
}

static int by_system(char **args)
{
	char text[8192];

	(void)args;
	clearenv();
	snprintf(text, sizeof(text), "%s connect", door_self);
	return door_of_status(system(text));
}

static int by_popen(char **args)
{
	char text[8192];
	FILE *f;

	(void)args;
	clearenv();
	snprintf(text, sizeof(text), "%s connect", door_self);
	f = popen(text, "r");
	if (!f)
		return -errno;
	while (fgets(text, sizeof(text), f))
		fputs(text, stdout);
	return door_of_status(pclose(f));
}

static int by_wordexp(char **args)
{
	char text[8192];
	wordexp_t list;
	int err;

	(void)args;
	clearenv();
	snprintf(text, sizeof(text), "$(%s connect)", door_self);
	err = wordexp(text, &list, 0);
	if (err != 0)
		return -EIO;
	err = list.we_wordc == 2 && strcmp(list.we_wordv[1], "through") == 0;
	wordfree(&list);
	return err ? DOOR_THROUGH : DOOR_SENT;
}

static int by_vfork(char **args)
{
	pid_t pid = vfork();

	(void)args;
	if (pid == 0) {
		execve(door_self, words, none);
		_exit(1);
	}
	return door_of_child(pid);
}

static int clone_begin(void *unused)
{
	(void)unused;
	execve(door_self, words, none);
	return 1;
}

/* As the Go runtime and others start programs: in the parent's own memory. */
static int by_clone(char **args)
{
	static char stack[256 * 1024] __attribute__((aligned(16)));

	(void)args;
	return door_of_child(
		clone(clone_begin, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, NULL));
}

/* Children that are this program still. */
static int of_copy(pid_t pid)
{
	if (pid == 0)
		_exit(connect_here() == DOOR_THROUGH ? 0 : 1);
	return door_of_child(pid);
}

static int copy_by_fork(char **args)
{
	(void)args;
	return of_copy(fork());
}

static int copy_by_fork_now(char **args)
{
	pid_t (*call)(void) = NULL;
	void *found = dlsym(RTLD_DEFAULT, "_Fork");

	(void)args;
	if (!found)
		return door_lacks("this libc has no _Fork()");
	memcpy(&call, &found, sizeof(call));
	return of_copy(call());
}

static int copy_by_syscall(char **args)
{
	(void)args;
	return of_copy((pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

static int copy_after_connects(char **args)
{
	(void)args;
	if (connect_here() != DOOR_THROUGH)
		return DOOR_SENT;
	return of_copy(fork());
}

/* In the manner of daemons: nothing is left but the memory. */
static int daemon_life(void)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *list;
	int fd;

	setsid();
	if (fork() != 0)
		_exit(0);
	for (fd = 0; fd < 1024; fd++)
		close(fd);
	clearenv();
	if (chdir("/") < 0 || getaddrinfo(WEB_NAME, "80", &hints, &list) != 0)
		return 1;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	return door_fetch(fd, connect(fd, list->ai_addr, list->ai_addrlen)) == DOOR_THROUGH ? 0 : 1;
}

static int as_daemon(char **args)
{
	int status, bad = 0, n = 0;

	(void)args;
	/* So that its end is told here. */
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (fork() == 0)
		_exit(daemon_life());
	for (; wait(&status) > 0; n++)
		bad |= status;
	return n == 2 ? door_of_status(bad) : -ECHILD;
}

static void *thread_life(void *unused)
{
	(void)unused;
	return (void *)(intptr_t)connect_here();
}

static int threads(char **args)
{
	pthread_t all[8];
	int res = DOOR_THROUGH;
	size_t n;

	(void)args;
	for (n = 0; n < 8; n++)
		if (pthread_create(&all[n], NULL, thread_life, NULL) != 0)
			break;
	if (n < 8)
		res = -EAGAIN;
	while (n > 0) {
		void *end;

		pthread_join(all[--n], &end);
		if ((intptr_t)end != DOOR_THROUGH)
			res = (int)(intptr_t)end;
	}
	return res;
}

static void socket_begin(char **args)
{
	static char name[] = "inherited-tcp";
	char *all[] = { door_self, name, args[0], NULL };

	execve(door_self, all, none);
}

static int with_a_socket(char **args)
{
	char number[16], *all[] = { number, NULL };

	(void)args;
	snprintf(number, sizeof(number), "%d", socket(AF_INET, SOCK_STREAM, 0));
	return start(socket_begin, all);
}

static void static_begin(char **args)
{
	char *all[8] = { door_beside };

	for (int i = 1; i < 7 && args[i - 1]; i++)
		all[i] = args[i - 1];
	execve(door_beside, all, none);
}

/* Made here, and left for the program to use. */
static int static_with_sockets(char **args)
{
	static const struct {
		int family, type;
	} kinds[] = {
		{ AF_INET, SOCK_STREAM | SOCK_NONBLOCK },
		{ AF_INET, SOCK_DGRAM },
		{ AF_INET6, SOCK_STREAM | SOCK_NONBLOCK },
		{ AF_INET6, SOCK_DGRAM },
	};
	char numbers[4][16], *all[5] = { NULL };

	(void)args;
	for (size_t i = 0; i < 4; i++) {
		snprintf(numbers[i], sizeof(numbers[i]), "%d",
		         socket(kinds[i].family, kinds[i].type, 0));
		all[i] = numbers[i];
	}
	return start(static_begin, all);
}

static int static_that_inherits(char **args)
{
	if (access(door_beside, X_OK) < 0)
		return door_lacks("no static program can be linked here");
	return start(static_begin, args);
}

const struct door doors_children[] = {
	{ "execve", by_execve, ALL_SEND, DOOR_THROUGH, NULL },
	{ "execve-by-syscall", by_execve_syscall, ALL_SEND, DOOR_THROUGH, NULL },
	{ "execveat", by_execveat, ALL_SEND, DOOR_THROUGH, NULL },
	{ "execveat-by-syscall", by_execveat_syscall, ALL_SEND, DOOR_THROUGH, NULL },
	{ "fexecve", by_fexecve, ALL_SEND, DOOR_THROUGH, NULL },
	{ "execv", by_execv, ALL_SEND, DOOR_THROUGH, NULL },
	{ "execvp", by_execvp, ALL_SEND, DOOR_THROUGH, NULL },
	{ "execvpe", by_execvpe, ALL_SEND, DOOR_THROUGH, NULL },
	{ "execl", by_execl, ALL_SEND, DOOR_THROUGH, NULL },
	{ "execle", by_execle, ALL_SEND, DOOR_THROUGH, NULL },
	{ "execlp", by_execlp, ALL_SEND, DOOR_THROUGH, NULL },
	{ "exec-with-a-socket", with_a_socket, ALL_SEND, DOOR_THROUGH, NULL },
	{ "exec-by-loader", by_loader, ALL_SEND, DOOR_THROUGH, NULL },
	{ "fexecve-of-memory", of_memory, ALL_SEND, DOOR_THROUGH, NULL },
	{ "pidfd_spawn", by_pidfd_spawn, ALL_SEND, DOOR_THROUGH, NULL },
	{ "env-i", by_env, ALL_SEND, DOOR_THROUGH, NULL },
	{ "sh-that-unsets", by_sh, ALL_SEND, DOOR_THROUGH, NULL },
	{ "script", script, ALL_SEND, DOOR_THROUGH, NULL },
	{ "posix_spawn", by_spawn, ALL_SEND, DOOR_THROUGH, NULL },
	{ "posix_spawnp", by_spawnp, ALL_SEND, DOOR_THROUGH, NULL },
	{ "system", by_system, ALL_SEND, DOOR_THROUGH, NULL },
	{ "popen", by_popen, ALL_SEND, DOOR_THROUGH, NULL },
	{ "wordexp", by_wordexp, ALL_SEND, DOOR_THROUGH, NULL },
	{ "vfork", by_vfork, ALL_SEND, DOOR_THROUGH, NULL },
	{ "clone-in-one-memory", by_clone, ALL_SEND, DOOR_THROUGH, NULL },
	{ "static-program", by_static, ALL_SEND, DOOR_THROUGH, "static" },
	{ "static-program-spawned", spawn_static, ALL_SEND, DOOR_THROUGH, "static" },
	{ "static-program-of-memory", static_of_memory, ALL_SEND, DOOR_THROUGH, "static" },
	{ "static-program-by-loader", static_by_loader, ALL_SEND, DOOR_THROUGH, "static" },
	{ "static-program-with-sockets", static_with_sockets, ALL_SEND, DOOR_THROUGH, "static" },
	{ "static-program-that-inherits", static_that_inherits, ALL_SEND, DOOR_THROUGH,
	  "inherits" },
	{ "static-program-jailed", jailed, ROOT_SENDS, DOOR_ANY_ERROR, "static" },
	{ "script-of-a-static-program", static_script, ALL_SEND, DOOR_THROUGH, "static" },
	{ "set-uid-program", by_set_uid, NOBODY_SENDS, -EACCES, "set-uid" },
	{ "fork", copy_by_fork, ALL_SEND, DOOR_THROUGH, NULL },
	{ "fork-after-a-connect", copy_after_connects, ALL_SEND, DOOR_THROUGH, NULL },
	{ "fork-without-handlers", copy_by_fork_now, ALL_SEND, DOOR_THROUGH, NULL },
	{ "fork-by-syscall", copy_by_syscall, ALL_SEND, DOOR_THROUGH, NULL },
	{ "daemon", as_daemon, ALL_ASK, DOOR_THROUGH, NULL },
	{ "threads", threads, ALL_SEND, DOOR_THROUGH, NULL },
	{ NULL, NULL, SENDS_NOTHING, 0, NULL },
};
