#include <errno.h>
#include <fcntl.h>
#include <names/nameservers.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "folder.h"

/* By the path that folder.h has. */
static void write_conf(const char *text)
{
	char draft[128];
	FILE *f;

	snprintf(draft, sizeof(draft), "%s.new", table_path);
	f = fopen(draft, "we");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	ck_assert_int_eq(rename(draft, table_path), 0);
}

static void begin(const char *text)
{
	folder_init();
	if (text)
		write_conf(text);
	nameservers_set_path(table_path);
}

static void end(void)
{
	folder_fini();
	nameservers_set_path("/etc/resolv.conf");
}

static bool has(const char *text)
{
	struct endpoint ep = unit_endpoint(text);
	bool yes;

	errno = ERANGE;
	yes = nameservers_has(&ep);
	ck_assert_int_eq(errno, ERANGE);
	return yes;
}

static const char usual[] = "search lan\n"
			    "nameserver 192.0.2.1\n"
			    "nameserver 2001:db8::1\n"
			    "nameserver ::ffff:192.0.2.2\n"
			    "nameserver fe80::1%1\n"
			    "nameserver fe80::2\n";

static const struct {
	const char *conf, *asked;
	bool yes;
} rows[] = {
	{ usual, "192.0.2.1:53", true },
	{ usual, "[::ffff:192.0.2.1]:53", true },
	{ usual, "192.0.2.2:53", true },
	{ usual, "[2001:db8::1]:53", true },
	{ usual, "[fe80::1%1]:53", true },
	{ usual, "[fe80::1]:53", true },
	{ usual, "[fe80::1%2]:53", false },
	{ usual, "[fe80::2%7]:53", true },
	{ usual, "192.0.2.1:54", false },
	{ usual, "192.0.2.1:0", false },
	{ usual, "192.0.2.3:53", false },
	{ usual, "[2001:db8::2]:53", false },
	{ usual, "name.test:53", false },

	/* The stubs always, this machine where nobody is named. */
	{ usual, "127.0.0.53:53", true },
	{ usual, "[::ffff:127.0.0.53]:53", true },
	{ usual, "127.0.0.54:53", true },
	{ usual, "127.0.0.53:5353", false },
	{ usual, "127.0.0.1:53", false },
	{ "nameserver 0.0.0.0\nnameserver ::\n", "127.0.0.1:53", true },
	{ "nameserver 0.0.0.0\nnameserver ::\n", "[::1]:53", true },
	{ "nameserver 127.0.0.1\nnameserver ::1\n", "0.0.0.0:53", true },
	{ "nameserver 127.0.0.1\nnameserver ::1\n", "[::]:53", true },
	{ usual, "0.0.0.0:53", false },
	{ "search lan\n", "127.0.0.1:53", true },
	{ "", "127.0.0.1:53", true },
	{ "", "127.0.0.53:53", true },
	{ "", "[::1]:53", false },
	{ NULL, "127.0.0.1:53", true },
	{ NULL, "192.0.2.1:53", false },
};

START_TEST(port_53_of_those_in_the_file)
{
	begin(rows[_i].conf);
	/* Read, then known. */
	for (int i = 0; i < 2; i++)
		ck_assert(has(rows[_i].asked) == rows[_i].yes);
	end();
}
END_TEST

START_TEST(list_is_the_files_own_or_this_machine)
{
	struct endpoint out[NAMESERVERS_MAX];

	begin(usual);
	ck_assert_uint_eq(nameservers_list(out, NAMESERVERS_MAX), 5);
	ck_assert_str_eq(ENDPOINT_TEXT(&out[0]), "192.0.2.1:53");
	ck_assert_str_eq(ENDPOINT_TEXT(&out[2]), "192.0.2.2:53");
	ck_assert_str_eq(ENDPOINT_TEXT(&out[3]), "[fe80::1%1]:53");
	ck_assert_uint_eq(nameservers_list(out, 2), 2);
	ck_assert_uint_eq(nameservers_list(out, 0), 0);
	write_conf("options rotate\n");
	ck_assert_uint_eq(nameservers_list(out, NAMESERVERS_MAX), 1);
	ck_assert_str_eq(ENDPOINT_TEXT(&out[0]), "127.0.0.1:53");
	end();
}
END_TEST

START_TEST(changed_file_is_read_again)
{
	char text[64];

	begin("nameserver 10.0.0.0\n");
	for (int i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), "nameserver 10.0.0.%d\n", i);
		write_conf(text);
		snprintf(text, sizeof(text), "10.0.0.%d:53", i);
		ck_assert(has(text));
		snprintf(text, sizeof(text), "10.0.0.%d:53", i + 1);
		ck_assert(!has(text));
	}
	end();
}
END_TEST

/* A file that went, as after chroot(2): the servers that are known stay known. */
START_TEST(known_servers_outlast_the_file)
{
	begin("nameserver 192.0.2.1\n");
	ck_assert(has("192.0.2.1:53"));
	ck_assert(!has("127.0.0.1:53"));
	ck_assert_int_eq(unlink(table_path), 0);
	ck_assert(has("192.0.2.1:53"));
	ck_assert(has("127.0.0.1:53"));
	write_conf("nameserver 192.0.2.2\n");
	ck_assert(!has("192.0.2.1:53"));
	ck_assert(has("192.0.2.2:53"));
	end();
}
END_TEST

START_TEST(without_a_descriptor_what_is_known_holds)
{
	struct rlimit before, none;

	begin("nameserver 192.0.2.1\n");
	ck_assert(has("192.0.2.1:53"));
	write_conf("nameserver 192.0.2.2\n");
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert(has("192.0.2.1:53"));
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert(has("192.0.2.2:53"));
	end();
}
END_TEST

START_TEST(lines_lie_across_the_pieces_that_are_read)
{
	enum { LEN = 3000 };
	char text[LEN + 64];

	begin("");
	for (size_t at = 0; at < LEN; at += 37) {
		/* Comments, as long as comes; then one line far longer than a piece. */
		memset(text, '#', at);
		for (size_t i = 80; i < at; i += 80)
			text[i] = '\n';
		sprintf(text + at, "\nnameserver 192.0.2.9\nnameserver 192.0.2.10");
		write_conf(text);
		ck_assert(has("192.0.2.9:53"));
		ck_assert(has("192.0.2.10:53"));
		ck_assert(!has("192.0.2.1:53"));
		memset(text, ' ', at);
		memcpy(text, "nameserver 192.0.2.1 ", at > 21 ? 21 : 0);
		write_conf(text);
		ck_assert(has("192.0.2.1:53") == (at > 21));
		ck_assert(has("192.0.2.9:53"));
	}
	end();
}
END_TEST

START_TEST(what_is_no_file_names_nobody)
{
	int before;

	begin(NULL);
	before = open_descriptors();
	ck_assert_int_eq(mkfifo(table_path, 0600), 0);
	ck_assert(has("127.0.0.1:53"));
	ck_assert_int_eq(unlink(table_path), 0);
	ck_assert_int_eq(mkdir(table_path, 0700), 0);
	ck_assert(has("127.0.0.1:53"));
	ck_assert_int_eq(open_descriptors(), before);
	end();
}
END_TEST

static atomic_bool stop;

/* Each pair of servers was in one file: half a snapshot would show as another pair. */
static void assert_pair(void)
{
	struct endpoint out[NAMESERVERS_MAX];
	size_t n = nameservers_list(out, NAMESERVERS_MAX);

	if (n != 2 || out[0].ip[3] != out[1].ip[3])
		abort();
}

static void in_handler(int sig)
{
	(void)sig;
	assert_pair();
}

static void *ask(void *unused)
{
	while (!atomic_load(&stop))
		assert_pair();
	return unused;
}

START_TEST(threads_handlers_and_forks_see_whole_files)
{
	struct sigaction act = { .sa_handler = in_handler };
	pthread_t threads[4];
	char text[80];

	begin("nameserver 10.0.0.0\nnameserver 10.1.1.0\n");
	ck_assert_int_eq(sigaction(SIGUSR1, &act, NULL), 0);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, ask, NULL), 0);
	for (int i = 0; i < 200; i++) {
		pid_t pid;

		snprintf(text, sizeof(text), "nameserver 10.0.0.%d\nnameserver 10.1.1.%d\n", i, i);
		write_conf(text);
		ck_assert_int_eq(pthread_kill(threads[i % 4], SIGUSR1), 0);
		if (i % 10 != 0)
			continue;
		pid = fork();
		if (pid == 0) {
			assert_pair();
			_exit(0);
		}
		ck_assert_int_eq(child_wait(pid), 0);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	signal(SIGUSR1, SIG_DFL);
	end();
}
END_TEST

UNIT_MAIN("names/nameservers", { port_53_of_those_in_the_file, ROWS(rows) },
          { list_is_the_files_own_or_this_machine, 0 }, { changed_file_is_read_again, 0 },
          { known_servers_outlast_the_file, 0 }, { without_a_descriptor_what_is_known_holds, 0 },
          { lines_lie_across_the_pieces_that_are_read, 0 }, { what_is_no_file_names_nobody, 0 },
          { threads_handlers_and_forks_see_whole_files, 0 })
