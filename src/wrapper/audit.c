/*
 * How it works: the file lies beside the tables of names, under a name by which table_collect()
 * takes it for one; the lock that the parent holds keeps it from being collected, and should the
 * parent be killed, it is. The parent reads by its own descriptor, whatever became of the name.
 *
 * The parent has its signals blocked and takes them one by one. Those of the terminal go to the
 * child by themselves, since both are of one group; those that were sent to the parent alone are
 * passed on.
 */
#include "audit.h"

#include "options.h"
#include "summary.h"

#include <base/errtext.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <names/table.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SUFFIX   ".audit"
#define FD_FIRST 3 /* not the number of a standard descriptor that is closed */

static const int passed_on[] = {
	SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH,
};

struct child {
	pid_t pid;
	sigset_t taken;
	struct sigaction old_chld;
	sigset_t old_mask;
};

static int fail(const char *what, int err)
{
	fprintf(stderr, "socksify: --audit: %s: %s\n", what, err_text(err));
	return EXIT_SOCKSIFY;
}

static int open_new(const char *path)
{
	int fd, high = -1, err = 0;

	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY,
	          S_IRUSR | S_IWUSR);
	if (fd < 0)
		return -errno;
	high = fcntl(fd, F_DUPFD_CLOEXEC, FD_FIRST);
	/* The mode is not the umask's to decide. */
	if (high < 0 || fchmod(high, S_IRUSR | S_IWUSR) < 0 || flock(high, LOCK_SH | LOCK_NB) < 0)
		err = -errno;
	close(fd);
	if (err == 0)
		return high;
	if (high >= 0)
		close(high);
	unlink(path);
	return err;
}

/* In the folder of tables, made where it is missing. */
static int make_file_at(struct audit *a, const char *runtime_dir)
{
	const size_t room = sizeof(a->path) - sizeof(SUFFIX) + 1;
	uint64_t nonce;
	char *slash;
	int err;

	if (getrandom(&nonce, sizeof(nonce), 0) != sizeof(nonce))
		return -errno;
	err = table_new_path(a->path, room, runtime_dir, nonce);
	if (err < 0)
		return err;
	slash = strrchr(a->path, '/');
	*slash = '\0';
	mkdir(a->path, S_IRWXU);
	*slash = '/';
	strcat(a->path, SUFFIX);
	a->fd = open_new(a->path);
	return a->fd < 0 ? a->fd : 0;
}

static int make_file(struct audit *a)
{
	const char *runtime_dir = getenv("XDG_RUNTIME_DIR");
	int err = make_file_at(a, runtime_dir);

	if (err < 0 && runtime_dir)
		err = make_file_at(a, NULL);
	return err;
}

/* All of it, with an octet behind; NULL where there is no memory. */
static char *read_file(int fd, size_t *len)
{
	struct stat st;
	size_t size = 0;
	char *text;
	ssize_t n;

	*len = 0;
	if (fstat(fd, &st) == 0 && st.st_size > 0)
		size = st.st_size < (off_t)DEED_FILE_MAX ? (size_t)st.st_size : DEED_FILE_MAX;
	text = malloc(size + 1);
	while (text && *len < size) {
		n = pread(fd, text + *len, size - *len, (off_t)*len);
		if (n == 0 || (n < 0 && errno != EINTR))
			break;
		*len += n > 0 ? (size_t)n : 0;
	}
	return text;
}

static bool has_variable(const char *pid, const char *variable)
{
	char path[40], *text = NULL;
	bool found = false;
	size_t cap = 0;
	FILE *f;

	if (snprintf(path, sizeof(path), "/proc/%s/environ", pid) >= (int)sizeof(path))
		return false;
	f = fopen(path, "re");
	while (f && !found && getdelim(&text, &cap, '\0', f) > 0)
		found = strcmp(text, variable) == 0;
	free(text);
	if (f)
		fclose(f);
	return found;
}

/* Processes that go on, as far as their environment tells. */
static size_t count_left(const struct audit *a)
{
	char variable[sizeof("SOCKSIFY_AUDIT=") + PATH_MAX];
	const struct dirent *entry;
	DIR *dir = opendir("/proc");
	size_t n = 0;

	snprintf(variable, sizeof(variable), "SOCKSIFY_AUDIT=%s", a->path);
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			n += has_variable(entry->d_name, variable);
	if (dir)
		closedir(dir);
	return n;
}

/* A name that a stranger may have chosen. */
static void put_printable(FILE *out, const char *text)
{
	for (; *text; text++)
		putc(*text >= 0x20 && *text < 0x7f ? *text : '?', out);
}

static void put_end(FILE *out, const struct audit *a, const char *program, int status)
{
	fputs(SUMMARY_PREFIX, out);
	put_printable(out, program);
	if (!*a->ran)
		fputs(" was not run\n", out);
	else if (WIFSIGNALED(status))
		fprintf(out, " was ended by signal %d (%s)\n", WTERMSIG(status),
		        strsignal(WTERMSIG(status)));
	else
		fprintf(out, " ended with status %d\n", WEXITSTATUS(status));
}

static void put_all(FILE *out, const struct audit *a, const char *program, int status)
{
	struct summary summary;
	size_t len, left = count_left(a);
	char *text = read_file(a->fd, &len);

	put_end(out, a, program, status);
	if (text && summary_init(&summary, text, len) == 0) {
		if (*a->ran || summary.n > 0)
			summary_print(out, &summary);
		summary_fini(&summary);
	} else {
		fprintf(out, SUMMARY_PREFIX "%s\n", err_text(ENOMEM));
	}
	free(text);
	if (left > 0)
		fprintf(out,
		        SUMMARY_PREFIX "%zu process%s of it go%s on; what comes of that is not "
		                       "told\n",
		        left, left > 1 ? "es" : "", left > 1 ? "" : "es");
}

static void write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			return;
		text += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
}

/* In one write where it can be, so that lines of others don't come between. */
static void tell(const struct audit *a, const char *program, const char *log_file, int status)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int fd = -1;

	if (!out)
		return;
	put_all(out, a, program, status);
	fclose(out);
	/* As log.c opens it. */
	if (log_file[0])
		fd = open(log_file,
		          O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
	write_all(fd < 0 ? STDERR_FILENO : fd, text, len);
	if (fd >= 0)
		close(fd);
	free(text);
}

/*
 * Of the kernel's are the terminal's, which the child gets by itself; but for an alarm(2) that was
 * set before this process became socksify. What the child sends, it sends to its whole group.
 */
static bool is_passed_on(const struct child *c, const siginfo_t *info)
{
	if (info->si_signo == SIGCHLD)
		return false;
	return info->si_signo == SIGALRM || (info->si_code <= 0 && info->si_pid != c->pid);
}

/* A stop of the terminal's is this process's, too; one of the child alone has to become so. */
static void stop_along(const struct child *c)
{
	raise(SIGSTOP);
	kill(c->pid, SIGCONT);
}

/* Until its end; its status. */
static int await(const struct child *c)
{
	siginfo_t info;
	int status;
	pid_t pid;

	for (;;) {
		int sig = sigwaitinfo(&c->taken, &info);

		if (sig > 0 && is_passed_on(c, &info))
			kill(c->pid, sig);
		while ((pid = waitpid(c->pid, &status, WNOHANG | WUNTRACED)) == c->pid) {
			if (!WIFSTOPPED(status))
				return status;
			if (WSTOPSIG(status) == SIGSTOP)
				stop_along(c);
		}
	}
}

static void block_signals(struct child *c)
{
	const struct sigaction dfl = { .sa_handler = SIG_DFL };

	sigemptyset(&c->taken);
	sigaddset(&c->taken, SIGCHLD);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		sigaddset(&c->taken, passed_on[i]);
	sigprocmask(SIG_BLOCK, &c->taken, &c->old_mask);
	/* Inherited as ignored there would be no status to wait for. */
	sigaction(SIGCHLD, &dfl, &c->old_chld);
}

static void restore_signals(const struct child *c)
{
	sigaction(SIGCHLD, &c->old_chld, NULL);
	sigprocmask(SIG_SETMASK, &c->old_mask, NULL);
}

/* As the child did, but for its core. Returns the status for a signal that can't be died of. */
static int die_by(int sig)
{
	const struct rlimit none = { 0, 0 };
	sigset_t set;

	setrlimit(RLIMIT_CORE, &none);
	(void)signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(sig);
	return 128 + sig;
}

static void audit_fini(struct audit *a)
{
	unlink(a->path);
	close(a->fd);
	munmap(a->ran, sizeof(*a->ran));
}

static int see_through(struct audit *a, const struct child *c, const char *program,
                       const char *log_file)
{
	int status;

	/* Who reads the summary may be gone; the status goes on all the same. */
	(void)signal(SIGPIPE, SIG_IGN);
	status = await(c);
	tell(a, program, log_file, status);
	audit_fini(a);
	return WIFSIGNALED(status) ? die_by(WTERMSIG(status)) : WEXITSTATUS(status);
}

int audit_fork(struct audit *a, const char *program, const char *log_file)
{
	struct child c;
	int err = make_file(a);

	if (err < 0)
		return fail(a->path, err);
	a->ran = mmap(NULL, sizeof(*a->ran), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	              0);
	if (a->ran == MAP_FAILED) {
		unlink(a->path);
		return fail("memory", -errno);
	}
	*a->ran = 1;
	block_signals(&c);
	c.pid = fork();
	err = c.pid < 0 ? -errno : 0;
	if (c.pid > 0)
		return see_through(a, &c, program, log_file);
	restore_signals(&c);
	if (err == 0)
		return -1;
	audit_fini(a);
	return fail("fork", err);
}

void audit_not_run(const struct audit *a)
{
	*a->ran = 0;
}
