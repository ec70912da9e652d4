/*
 * How it works: three processes. This one, which becomes PROGRAM; the server; and a watcher between
 * them, which waits for the end of PROGRAM by a pidfd, and then ends the server.
 *
 *	this one ---clone---> a step, gone at once ---fork---> watcher ---fork---> socksifyd
 *
 * The step makes the watcher nobody's child of ours. It is made without a signal at its end, since
 * a SIGCHLD that is blocked would reach PROGRAM. Watcher and server have a session of their own, so
 * that Ctrl-C is PROGRAM's alone, and hold none of its descriptors, so that a pipeline ends when
 * PROGRAM does. Should the watcher be killed, the server ends by PR_SET_PDEATHSIG.
 *
 * The server's log goes into a pipe that is read until "listening", or, where the server fails, to
 * its end. Afterwards nobody reads it, and the server, which ignores SIGPIPE, goes on in silence.
 */
#include "server.h"
#include "ticket.h"

#include <base/clock.h>
#include <base/errtext.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <launch/beside.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_WITHIN_MS 10000
#define SAID_MAX        4096

/* In the watcher; what is below is closed to begin with. */
enum { PROGRAM_FD = 3, FIRST_OTHER_FD };

struct start {
	char path[PATH_MAX]; /* of socksifyd */
	struct ticket ticket;
	int program; /* pidfd of this process */
	int said[2]; /* pipe: the server's standard error */
	sigset_t none;
	char **argv;
};

static int pidfd_of(pid_t pid)
{
#ifdef SYS_pidfd_open
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : fd;
#else
	(void)pid;
	return -ENOSYS;
#endif
}

/* The watcher would be shown with PROGRAM's words, and be found by pkill(1) -f for PROGRAM. */
static void wipe_arguments(char **argv)
{
	for (size_t i = 1; argv[0] && argv[i]; i++)
		memset(argv[i], 0, strlen(argv[i]));
}

static void close_from(int first)
{
	const struct dirent *entry;
	DIR *dir;

#ifdef SYS_close_range
	if (syscall(SYS_close_range, first, ~0u, 0) == 0)
		return;
#endif
	dir = opendir("/proc/self/fd");
	while (dir && (entry = readdir(dir))) {
		int fd = atoi(entry->d_name);

		if (fd >= first && fd != dirfd(dir))
			close(fd);
	}
	if (dir)
		closedir(dir);
}

/* Nothing of PROGRAM's is held: not its descriptors, folder, terminal, or place in a job. */
static int leave(struct start *s)
{
	int program, said, null;

	if (chdir("/") < 0)
		return -errno;
	/* Out of the way first: where standard descriptors were closed they have their numbers. */
	program = fcntl(s->program, F_DUPFD_CLOEXEC, FIRST_OTHER_FD);
	said = fcntl(s->said[1], F_DUPFD_CLOEXEC, FIRST_OTHER_FD);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (program < 0 || said < 0 || null < 0)
		return -errno;
	/* Of the standard ones only null may have the number already, which then stays. */
	if ((null != STDIN_FILENO && dup2(null, STDIN_FILENO) < 0) ||
	    dup2(STDIN_FILENO, STDOUT_FILENO) < 0 || dup2(said, STDERR_FILENO) < 0 ||
	    dup3(program, PROGRAM_FD, O_CLOEXEC) < 0)
		return -errno;
	if (null == STDIN_FILENO && fcntl(null, F_SETFD, 0) < 0)
		return -errno;
	s->program = PROGRAM_FD;
	close_from(FIRST_OTHER_FD);
	return 0;
}

_Noreturn static void become_server(struct start *s, pid_t watcher)
{
	char users[TICKET_PATH_MAX];
	int err = prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 ? -errno : 0;

	if (getppid() != watcher)
		_exit(1);
	if (err == 0)
		err = ticket_put_users(&s->ticket, users, sizeof(users));
	if (err == 0) {
		execl(s->path, "socksifyd", "--listen", "127.0.0.1:0", "--users", users, "--quiet",
		      (char *)NULL);
		err = -errno;
	}
	dprintf(STDERR_FILENO, "%s: %s\n", s->path, err_text(err));
	_exit(1);
}

/* PROGRAM's end or the server's. */
static void watch(int program, int server)
{
	struct pollfd both[2] = {
		{ .fd = program, .events = POLLIN },
		{ .fd = server, .events = POLLIN },
	};

	while (poll(both, 2, -1) < 0 && errno == EINTR)
		;
}

_Noreturn static void become_watcher(struct start *s)
{
	pid_t self = getpid(), server;
	int err = leave(s), null;

	sigprocmask(SIG_SETMASK, &s->none, NULL);
	/* Inherited as ignored there would be no status to wait for. */
	(void)signal(SIGCHLD, SIG_DFL);
	server = err == 0 ? fork() : -1;
	if (server == 0)
		become_server(s, self);
	if (server < 0) {
		dprintf(STDERR_FILENO, "%s\n", err_text(err == 0 ? errno : err));
		_exit(1);
	}
	wipe_arguments(s->argv);
	/* The pipe's end is the server's end. */
	null = dup2(STDIN_FILENO, STDERR_FILENO);
	if (null >= 0)
		watch(s->program, pidfd_of(server));
	/* It lets what is under way arrive, and ends. */
	kill(server, SIGTERM);
	while (waitpid(server, NULL, 0) < 0 && errno == EINTR)
		;
	_exit(0);
}

_Noreturn static void step(struct start *s)
{
	pid_t watcher;

	setsid();
	watcher = fork();
	if (watcher == 0)
		become_watcher(s);
	_exit(watcher < 0 ? errno : 0);
}

/* The watcher, made; nobody's child of ours. */
static int detach(struct start *s)
{
	int status = 0;
	/* fork(2), but for the signal at the end, which the low octet of the flags would be. */
	pid_t pid = (pid_t)syscall(SYS_clone, 0L, 0L, 0L, 0L, 0L);

	if (pid == 0)
		step(s);
	if (pid < 0)
		return -errno;
	while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

/* The port in a line "listening address=127.0.0.1 port=N", or 0. */
static unsigned port_in(const char *said)
{
	static const char word[] = "listening ", key[] = " port=";
	const char *line = said, *port;

	while (line && strncmp(line, word, strlen(word)) != 0) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	if (!line || !strchr(line, '\n'))
		return 0;
	port = strstr(line, key);
	return port ? (unsigned)strtoul(port + strlen(key), NULL, 10) : 0;
}

/* Until it is ready: 0. Else what it said is in the buffer, and its pipe at the end. */
static int await(int fd, char *said, size_t cap, unsigned *port)
{
	int64_t end = clock_ms() + READY_WITHIN_MS, left;
	struct pollfd in = { .fd = fd, .events = POLLIN };
	size_t len = 0;
	ssize_t n;

	said[0] = '\0';
	while ((*port = port_in(said)) == 0) {
		left = end - clock_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		if (len == cap - 1)
			return -EMSGSIZE;
		n = poll(&in, 1, (int)left);
		if (n > 0)
			n = read(fd, said + len, cap - 1 - len);
		else if (n == 0)
			return -ETIMEDOUT;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -ESRCH;
		len += n > 0 ? (size_t)n : 0;
		said[len] = '\0';
	}
	return 0;
}

static int fail(const char *what, int err)
{
	fprintf(stderr, "socksify: --with-server: %s: %s\n", what, err_text(err));
	return err;
}

static int wait_for_server(const struct start *s, char *url, size_t cap)
{
	char said[SAID_MAX];
	unsigned port;
	int err = await(s->said[0], said, sizeof(said), &port);

	if (err == 0) {
		ticket_url(&s->ticket, port, url, cap);
		return 0;
	}
	fprintf(stderr, "socksify: --with-server: %s %s\n", s->path,
	        err == -ESRCH ? "did not start" : "is not ready");
	if (said[0])
		fprintf(stderr, "%s%s", said, strchr(said, '\0')[-1] == '\n' ? "" : "\n");
	return err;
}

static int find_server(struct start *s)
{
	static const struct beside server = {
		"socksifyd",
		"../server/socksifyd",
		SOCKSIFY_BINDIR "/socksifyd",
	};
	char folder[PATH_MAX];
	bool is_known = beside_folder("/proc/self/exe", folder, sizeof(folder)) == 0;
	int err = beside_find(&server, is_known ? folder : NULL, s->path, sizeof(s->path));

	return err < 0 ? fail(s->path, err) : 0;
}

int server_start(char *url, size_t cap, char **argv)
{
	struct start s = { .argv = argv };
	int err = find_server(&s);

	if (err < 0)
		return err;
	sigemptyset(&s.none);
	err = ticket_init(&s.ticket);
	if (err < 0)
		return fail("random octets", err);
	s.program = pidfd_of(getpid());
	if (s.program == -ENOSYS)
		return fail("watching a process takes Linux 5.3", s.program);
	if (s.program < 0)
		return fail("pidfd_open", s.program);
	err = pipe2(s.said, O_CLOEXEC) < 0 ? -errno : 0;
	if (err == 0) {
		err = detach(&s);
		close(s.said[1]);
		err = err < 0 ? fail("fork", err) : wait_for_server(&s, url, cap);
		close(s.said[0]);
	} else {
		fail("pipe", err);
	}
	close(s.program);
	return err;
}
