/*
 * How it works: a question is the number of a file, in one octet; the answer is an errno, or 0 with
 * the descriptor beside it. One socket pair carries both, and the end of either process is the end
 * of the other's wait. Should the helper be lost, files that only it could open stay as they are.
 */
#include "opener.h"

#include "events.h"
#include "filter.h"
#include "landlock.h"
#include "privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_SECONDS 10 /* for the helper; a disk may have to wake up */
#define STOP_SECONDS 1
#define NAME         "socksifyd-files"

struct opener {
	pthread_mutex_t lock;
	pid_t pid; /* of the helper; 0: there is none */
	int sock;  /* -1: the helper is lost */
	size_t n;
	const char *paths[OPENER_FILES_MAX];
};

/* Octets, and room for one descriptor. */
struct message {
	struct msghdr head;
	struct iovec iov;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
};

static void message_init(struct message *m, void *octets, size_t len)
{
	memset(m, 0, sizeof(*m));
	m->iov.iov_base = octets;
	m->iov.iov_len = len;
	m->head.msg_iov = &m->iov;
	m->head.msg_iovlen = 1;
	m->head.msg_control = m->control;
	m->head.msg_controllen = sizeof(m->control);
}

/* A descriptor or a negative errno. */
static int open_here(const char *path)
{
	int fd;

	do {
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	} while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

/* The helper */

static void hand_over(int sock, int fd)
{
	int32_t err = fd < 0 ? fd : 0;
	struct message m;
	struct cmsghdr *c;

	message_init(&m, &err, sizeof(err));
	if (fd < 0) {
		m.head.msg_control = NULL;
		m.head.msg_controllen = 0;
	} else {
		c = CMSG_FIRSTHDR(&m.head);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	/* What can't be sent is missed by nobody but a server that is gone. */
	(void)!sendmsg(sock, &m.head, MSG_NOSIGNAL);
}

/* All but one, the log's above all: its readers wait for the last writer's end. */
static int keep_one_descriptor(int sock)
{
	struct rlimit rl;

	if (dup2(sock, STDIN_FILENO) < 0)
		return -errno;
#ifdef SYS_close_range
	if (syscall(SYS_close_range, STDIN_FILENO + 1, ~0u, 0) == 0)
		return STDIN_FILENO;
#endif
	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		return -errno;
	for (int fd = STDIN_FILENO + 1; (rlim_t)fd < rl.rlim_max && fd < 1 << 20; fd++)
		close(fd);
	return STDIN_FILENO;
}

/* 0 or a negative errno. */
static int become_helper(int *sock, bool confine)
{
	sigset_t all;
	int err;

	/* What comes for the whole group, such as SIGINT from a terminal, is the server's. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	(void)prctl(PR_SET_NAME, NAME, 0, 0, 0);
	*sock = keep_one_descriptor(*sock);
	if (*sock < 0)
		return *sock;
	err = privileges_keep_reading();
	if (err < 0 || !confine)
		return err;
	/* Where there is no such thing the server says so. */
	(void)landlock_enter((const char *const[]){ "/" }, 1);
	(void)filter_enter_opener(*sock);
	return 0;
}

_Noreturn static void serve(const struct opener *o, int sock, bool confine)
{
	uint8_t which;
	int fd;

	if (become_helper(&sock, confine) < 0)
		_exit(1);
	while (recv(sock, &which, sizeof(which), 0) == sizeof(which)) {
		fd = which < o->n ? open_here(o->paths[which]) : -EINVAL;
		hand_over(sock, fd);
		if (fd >= 0)
			close(fd);
	}
	_exit(0);
}

/* The server */

static int descriptor_in(struct message *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(&m->head);
	int fd;

	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
	    c->cmsg_len != CMSG_LEN(sizeof(int)))
		return -EMFILE;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* With the lock held. -EPIPE where the helper doesn't answer, whose late answer must not count. */
static int ask(const struct opener *o, uint8_t which)
{
	int32_t err = 0;
	struct message m;
	ssize_t n;

	do {
		n = send(o->sock, &which, sizeof(which), MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n != sizeof(which))
		return -EPIPE;
	message_init(&m, &err, sizeof(err));
	do {
		n = recvmsg(o->sock, &m.head, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n != sizeof(err))
		return -EPIPE;
	return err < 0 ? err : descriptor_in(&m);
}

static int ask_helper(struct opener *o, uint8_t which, int denied)
{
	int fd = denied;

	pthread_mutex_lock(&o->lock);
	if (o->sock >= 0)
		fd = ask(o, which);
	if (fd == -EPIPE) {
		close(o->sock);
		o->sock = -1;
		fd = denied;
		event_warn("the process that opens files is lost, restart the server",
		           o->paths[which]);
	}
	pthread_mutex_unlock(&o->lock);
	return fd;
}

static bool is_denied(int err)
{
	return err == -EACCES || err == -EPERM;
}

int opener_open(struct opener *o, const char *path)
{
	int fd = open_here(path);

	for (size_t i = 0; is_denied(fd) && o && i < o->n; i++)
		if (strcmp(o->paths[i], path) == 0)
			return ask_helper(o, (uint8_t)i, fd);
	return fd;
}

int opener_stat(struct opener *o, const char *path, struct stat *st)
{
	int err = stat(path, st) < 0 ? -errno : 0, fd;

	if (!is_denied(err) || !o)
		return err;
	fd = opener_open(o, path);
	if (fd < 0)
		return fd;
	err = fstat(fd, st) < 0 ? -errno : 0;
	close(fd);
	return err;
}

/* Birth and death */

static int start(struct opener *o, bool confine)
{
	const struct timeval wait = { .tv_sec = WAIT_SECONDS };
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	(void)setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	pid = fork();
	if (pid == 0)
		serve(o, pair[1], confine);
	close(pair[1]);
	if (pid < 0) {
		pid = -errno;
		close(pair[0]);
		return pid;
	}
	o->pid = pid;
	o->sock = pair[0];
	return 0;
}

/* What these paths mean is another thing in each process. */
static bool is_own(const char *path)
{
	return strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/dev/", 5) == 0;
}

int opener_new(struct opener **out, const char *const *paths, size_t n, bool confine)
{
	struct opener *o = calloc(1, sizeof(*o));
	int err;

	*out = NULL;
	if (!o)
		return -ENOMEM;
	pthread_mutex_init(&o->lock, NULL);
	o->sock = -1;
	for (size_t i = 0; i < n && o->n < OPENER_FILES_MAX; i++)
		if (!is_own(paths[i]))
			o->paths[o->n++] = paths[i];
	err = o->n > 0 ? start(o, confine) : 0;
	if (err < 0)
		opener_free(o);
	else
		*out = o;
	return err;
}

/*
 * Its end is waited for, since not every first process buries orphans; but not on a disk, which it
 * may be waiting for.
 */
static void stop(const struct opener *o)
{
	const struct timeval wait = { .tv_sec = STOP_SECONDS };
	bool ended = false;
	char octet;

	if (o->sock >= 0) {
		(void)setsockopt(o->sock, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
		ended = shutdown(o->sock, SHUT_WR) == 0 &&
		        recv(o->sock, &octet, sizeof(octet), 0) == 0;
		close(o->sock);
	}
	if (o->pid > 0)
		(void)waitpid(o->pid, NULL, ended ? 0 : WNOHANG);
}

void opener_free(struct opener *o)
{
	if (!o)
		return;
	stop(o);
	pthread_mutex_destroy(&o->lock);
	free(o);
}
