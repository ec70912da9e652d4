#include <base/log.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>
#include <unit.h>

static int real_stderr;
static char path[64];

static void begin(void)
{
	real_stderr = dup(STDERR_FILENO);
	strcpy(path, "/tmp/socksify-test-log.XXXXXX");
	close(mkstemp(path));
}

static void end(void)
{
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	unlink(path);
}

/* What the file holds now. */
static const char *content(void)
{
	static char buf[64 * 1024];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, buf, sizeof(buf) - 1);

	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

static void stderr_to_file(void)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

	dup2(fd, STDERR_FILENO);
	close(fd);
}

START_TEST(nothing_is_written_before_init)
{
	begin();
	stderr_to_file();
	log_error("too early");
	ck_assert_str_eq(content(), "");
	end();
}
END_TEST

START_TEST(stderr_gets_a_line)
{
	begin();
	stderr_to_file();
	log_init("prog", LOG_LEVEL_WARN, NULL);
	log_warn("%s is %d", "seven", 7);
	log_error("last");
	ck_assert_str_eq(content(), "prog: seven is 7\nprog: last\n");
	end();
}
END_TEST

START_TEST(no_prefix_is_no_colon)
{
	begin();
	stderr_to_file();
	log_init(NULL, LOG_LEVEL_WARN, NULL);
	log_warn("key=value");
	ck_assert_str_eq(content(), "key=value\n");
	end();
}
END_TEST

START_TEST(a_replaced_stderr_stays_silent)
{
	char other[] = "/tmp/socksify-test-log.XXXXXX", buf[8];
	int fd;

	begin();
	stderr_to_file();
	log_init("prog", LOG_LEVEL_WARN, NULL);
	fd = mkstemp(other);
	dup2(fd, STDERR_FILENO);
	log_error("into the program's own file");
	ck_assert_int_eq(pread(fd, buf, sizeof(buf), 0), 0);
	ck_assert_str_eq(content(), "");
	close(fd);
	unlink(other);
	end();
}
END_TEST

START_TEST(a_closed_stderr_stays_silent)
{
	begin();
	stderr_to_file();
	log_init("prog", LOG_LEVEL_WARN, NULL);
	close(STDERR_FILENO);
	errno = E2BIG;
	log_error("nowhere");
	ck_assert_int_eq(errno, E2BIG);
	end();
}
END_TEST

START_TEST(a_stderr_closed_at_init_is_never_used)
{
	begin();
	close(STDERR_FILENO);
	errno = E2BIG;
	log_init("prog", LOG_LEVEL_WARN, NULL);
	ck_assert_int_eq(errno, E2BIG);
	stderr_to_file();
	log_error("into a stranger's file");
	ck_assert_str_eq(content(), "");
	end();
}
END_TEST

START_TEST(a_file_is_appended_to_and_closed)
{
	int before, after;
	struct stat st;

	begin();
	log_init("prog", LOG_LEVEL_INFO, path);
	before = dup(0);
	close(before);
	log_info("one");
	log_info("two");
	after = dup(0);
	close(after);
	ck_assert_int_eq(after, before);
	ck_assert_str_eq(content(), "prog: one\nprog: two\n");

	unlink(path);
	log_info("three");
	ck_assert_str_eq(content(), "prog: three\n");
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 077, 0);
	end();
}
END_TEST

START_TEST(a_file_that_cannot_be_is_no_error)
{
	begin();
	stderr_to_file();
	log_init("prog", LOG_LEVEL_INFO, "/nonexistent/log");
	errno = E2BIG;
	log_error("lost");
	ck_assert_int_eq(errno, E2BIG);
	ck_assert_str_eq(content(), "");
	end();
}
END_TEST

START_TEST(a_fifo_that_nobody_reads_holds_up_nothing)
{
	begin();
	unlink(path);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	log_init("prog", LOG_LEVEL_INFO, path);
	log_error("lost");
	end();
}
END_TEST

START_TEST(levels_above_are_left_out)
{
	enum log_level limit = (enum log_level)_i;
	char want[64] = "";

	begin();
	log_init(NULL, limit, path);
	for (int level = LOG_LEVEL_ERROR; level <= (int)LOG_LEVEL_DEBUG; level++) {
		ck_assert_int_eq(log_enabled((enum log_level)level), level <= _i);
		log_line((enum log_level)level, "%d", level);
		if (level <= _i)
			snprintf(want + strlen(want), sizeof(want) - strlen(want), "%d\n", level);
	}
	ck_assert_str_eq(content(), want);
	end();
}
END_TEST

START_TEST(a_long_line_is_cut_and_ended)
{
	char longer[2 * LOG_LINE_MAX];

	begin();
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	log_init("prog", LOG_LEVEL_INFO, path);
	log_info("%s", longer);
	ck_assert_uint_eq(strlen(content()), LOG_LINE_MAX);
	ck_assert_int_eq(content()[LOG_LINE_MAX - 1], '\n');

	ck_assert_int_eq(truncate(path, 0), 0);
	log_init(longer, LOG_LEVEL_INFO, path);
	log_info("y");
	ck_assert_uint_eq(strlen(content()), LOG_LINE_MAX);
	ck_assert_int_eq(content()[LOG_LINE_MAX - 1], '\n');
	end();
}
END_TEST

START_TEST(control_octets_cannot_forge_a_line)
{
	begin();
	log_init("prog", LOG_LEVEL_INFO, path);
	log_info("a\nprog: b\x1b[2J\r\x7f \xc3\xa4");
	ck_assert_str_eq(content(), "prog: a?prog: b?[2J?? \xc3\xa4\n");
	end();
}
END_TEST

START_TEST(errno_survives)
{
	begin();
	log_init("prog", LOG_LEVEL_INFO, path);
	errno = E2BIG;
	log_info("line");
	ck_assert_int_eq(errno, E2BIG);
	log_debug("no line");
	ck_assert_int_eq(errno, E2BIG);
	end();
}
END_TEST

static volatile sig_atomic_t got_sigpipe;

static void on_sigpipe(int sig)
{
	got_sigpipe = sig;
}

START_TEST(a_reader_that_went_away_raises_no_sigpipe)
{
	struct sigaction action = { .sa_handler = on_sigpipe }, old;
	sigset_t set, before, after;
	int fds[2];

	begin();
	sigaction(SIGPIPE, &action, &old);
	ck_assert_int_eq(pipe(fds), 0);
	dup2(fds[1], STDERR_FILENO);
	log_init("prog", LOG_LEVEL_INFO, NULL);
	close(fds[0]);
	got_sigpipe = 0;
	log_info("lost");
	ck_assert_int_eq(got_sigpipe, 0);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	ck_assert(!sigismember(&after, SIGPIPE));

	/* One that was pending before is the program's, and stays. */
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, &before);
	raise(SIGPIPE);
	log_info("lost");
	sigpending(&after);
	ck_assert(sigismember(&after, SIGPIPE));
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	ck_assert_int_eq(got_sigpipe, SIGPIPE);

	close(fds[1]);
	sigaction(SIGPIPE, &old, NULL);
	end();
}
END_TEST

#define THREADS 8
#define LINES   200

static void *write_lines(void *arg)
{
	for (int i = 0; i < LINES; i++)
		log_info("%s", (const char *)arg);
	return NULL;
}

START_TEST(lines_of_threads_do_not_mix)
{
	static char texts[THREADS][32];
	pthread_t threads[THREADS];
	size_t lines = 0;

	begin();
	log_init("prog", LOG_LEVEL_INFO, path);
	for (int i = 0; i < THREADS; i++) {
		memset(texts[i], 'a' + i, sizeof(texts[i]) - 1);
		ck_assert_int_eq(pthread_create(&threads[i], NULL, write_lines, texts[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (const char *at = content(); *at; at += 6 + 31 + 1, lines++) {
		ck_assert_mem_eq(at, "prog: ", 6);
		ck_assert_mem_eq(at + 6, texts[at[6] - 'a'], 31);
		ck_assert_int_eq(at[6 + 31], '\n');
	}
	ck_assert_uint_eq(lines, THREADS * LINES);
	end();
}
END_TEST

UNIT_MAIN("log", { nothing_is_written_before_init, 0 }, { stderr_gets_a_line, 0 },
          { no_prefix_is_no_colon, 0 }, { a_replaced_stderr_stays_silent, 0 },
          { a_closed_stderr_stays_silent, 0 }, { a_stderr_closed_at_init_is_never_used, 0 },
          { a_file_is_appended_to_and_closed, 0 }, { a_file_that_cannot_be_is_no_error, 0 },
          { a_fifo_that_nobody_reads_holds_up_nothing, 0 }, { levels_above_are_left_out, 4 },
          { a_long_line_is_cut_and_ended, 0 }, { control_octets_cannot_forge_a_line, 0 },
          { errno_survives, 0 }, { a_reader_that_went_away_raises_no_sigpipe, 0 },
          { lines_of_threads_do_not_mix, 0 })
