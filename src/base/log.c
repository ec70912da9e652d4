/*
 * How it works: a line is put together on the stack and goes out in one write(2), so that lines of
 * several threads and processes do not mix. Whoever calls keeps its errno, its signal mask, and its
 * life: a reader of stderr that is gone must not send SIGPIPE to a program because of a line that
 * the program knows nothing of.
 */
#include <base/log.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static struct {
	const char *prefix, *path;
	enum log_level level;
	bool has_stderr;
	dev_t dev; /* of descriptor 2 at log_init() */
	ino_t ino;
} state;

void log_init(const char *prefix, enum log_level level, const char *path)
{
	int saved = errno;
	struct stat st;

	state.prefix = prefix;
	state.level = level;
	state.path = path;
	state.has_stderr = fstat(STDERR_FILENO, &st) == 0;
	if (state.has_stderr) {
		state.dev = st.st_dev;
		state.ino = st.st_ino;
	}
	errno = saved;
}

bool log_enabled(enum log_level level)
{
	return level <= state.level;
}

/* A descriptor to write to, or -1. */
static int sink_open(void)
{
	struct stat st;

	/* Non-blocking, or a FIFO that nobody reads would hold up the program. */
	if (state.path)
		return open(state.path,
		            O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
		            0600);
	if (!state.has_stderr || fstat(STDERR_FILENO, &st) < 0)
		return -1;
	return st.st_dev == state.dev && st.st_ino == state.ino ? STDERR_FILENO : -1;
}

/* write(2) that raises no SIGPIPE. A line that does not go out is lost. */
static void write_quietly(int fd, const char *line, size_t len)
{
	const struct timespec now = { 0 };
	sigset_t pipe_set, pending, old;
	ssize_t n;

	sigemptyset(&pipe_set);
	sigaddset(&pipe_set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_set, &old);
	sigpending(&pending);
	do {
		n = write(fd, line, len);
	} while (n < 0 && errno == EINTR);
	/* One that was pending before is the program's own. */
	if (n < 0 && errno == EPIPE && !sigismember(&pending, SIGPIPE))
		sigtimedwait(&pipe_set, NULL, &now);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* What vsnprintf() or snprintf() wrote of @cap octets, its NUL not counted. */
static size_t written(int n, size_t cap)
{
	if (n < 0)
		return 0;
	return (size_t)n < cap ? (size_t)n : cap - 1;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	int saved = errno, cancel, fd;
	char line[LOG_LINE_MAX + 1];
	size_t len = 0;
	va_list ap;

	if (!log_enabled(level))
		return;
	if (state.prefix)
		len = written(snprintf(line, LOG_LINE_MAX, "%s: ", state.prefix), LOG_LINE_MAX);
	va_start(ap, fmt);
	len += written(vsnprintf(line + len, LOG_LINE_MAX - len, fmt, ap), LOG_LINE_MAX - len);
	va_end(ap);
	/* Texts from the wire must neither begin a line of their own nor talk to the terminal. */
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	line[len++] = '\n';

	/* Cancelled in the middle, a thread would leave the file open. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	fd = sink_open();
	if (fd >= 0)
		write_quietly(fd, line, len);
	if (fd >= 0 && state.path)
		close(fd);
	pthread_setcancelstate(cancel, NULL);
	errno = saved;
}
