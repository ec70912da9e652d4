/*
 * How it works: while the terminal's echo is off the signals that end or stop a program come only
 * within ppoll(2); the terminal is put right before they do their work, and asked again after.
 */
#include "hash.h"

#include "username.h"

#include <crypt.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define PASSWORD_MAX 255 /* octets: RFC 1929 can say no more */

struct password {
	size_t len;
	bool zero, eof; /* an octet 0 was in it; the input ended before a line did */
	char text[PASSWORD_MAX + 2];
};

static const int endings[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP };
#define ENDINGS (sizeof(endings) / sizeof(endings[0]))

static volatile sig_atomic_t caught;

static void catch_it(int number)
{
	caught = number;
}

static int complain(const char *what)
{
	fprintf(stderr, "socksifyd: --hash: %s\n", what);
	return 1;
}

/* One octet more, or the end of the line. Returns whether there is more to come. */
static bool take(struct password *p, ssize_t n, char c)
{
	p->eof = n == 0;
	if (n == 0 || c == '\n')
		return false;
	p->zero |= c == '\0';
	/* What is too long is read to the end of its line, so that the shell doesn't get it. */
	if (p->len <= PASSWORD_MAX)
		p->text[p->len++] = c;
	return true;
}

/* From a file or a pipe. 0 or a negative errno. */
static int read_line(struct password *p)
{
	char c = 0;
	ssize_t n;

	do {
		n = read(STDIN_FILENO, &c, 1);
		if (n < 0 && errno != EINTR)
			return -errno;
	} while (n < 0 || take(p, n, c));
	return 0;
}

/* A line with the echo off already. Returns 0, a negative errno, or the signal that came. */
static int read_unseen(struct password *p, const char *prompt, const sigset_t *wait_mask)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	char c = 0;
	ssize_t n;

	p->len = 0;
	fprintf(stderr, "%s", prompt);
	do {
		n = -1;
		caught = 0;
		if (ppoll(&in, 1, NULL, wait_mask) < 0) {
			if (caught)
				return caught;
			if (errno != EINTR)
				return -errno;
			continue;
		}
		n = read(STDIN_FILENO, &c, 1);
		if (n < 0 && errno != EINTR)
			return -errno;
	} while (n < 0 || take(p, n, c));
	fprintf(stderr, "\n");
	return 0;
}

/* Let a signal do what it does to a program that does not catch it. */
static void obey(int number, const sigset_t *mask)
{
	struct sigaction plain = { .sa_handler = SIG_DFL }, ours;

	sigaction(number, &plain, &ours);
	raise(number);
	/* Stops or ends here. */
	sigprocmask(SIG_SETMASK, mask, NULL);
	sigaction(number, &ours, NULL);
}

/* With the echo off, once or twice; a stop begins it anew. */
static int ask(struct password *p, const char *prompt)
{
	struct sigaction act = { .sa_handler = catch_it }, before[ENDINGS];
	struct termios shown, hidden;
	sigset_t block, wait_mask, mask;
	int got;

	sigemptyset(&block);
	for (size_t i = 0; i < ENDINGS; i++) {
		sigaddset(&block, endings[i]);
		sigaction(endings[i], &act, &before[i]);
		/* What was ignored stays so, as for any program under nohup. */
		if (before[i].sa_handler == SIG_IGN)
			sigaction(endings[i], &before[i], NULL);
	}
	sigprocmask(SIG_BLOCK, &block, &mask);
	/* main() blocks some of these for the server. */
	wait_mask = mask;
	for (size_t i = 0; i < ENDINGS; i++)
		sigdelset(&wait_mask, endings[i]);
	do {
		got = tcgetattr(STDIN_FILENO, &shown) < 0 ? -errno : 0;
		hidden = shown;
		hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
		if (got == 0 && tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) < 0)
			got = -errno;
		if (got < 0)
			break;
		got = read_unseen(p, prompt, &wait_mask);
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
		if (got > 0) {
			fprintf(stderr, "\n");
			explicit_bzero(p, sizeof(*p));
			obey(got, &wait_mask);
			sigprocmask(SIG_BLOCK, &block, NULL);
		}
	} while (got > 0);
	for (size_t i = 0; i < ENDINGS; i++)
		sigaction(endings[i], &before[i], NULL);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	return got;
}

static int judge(const struct password *p)
{
	if (p->len == 0)
		return complain(p->eof ? "there is no password: the input is empty"
		                       : "the password is empty, which RFC 1929 does not allow");
	if (p->zero)
		return complain("the password has an octet of value 0, which crypt(3) can't take");
	if (p->len > PASSWORD_MAX)
		return complain("the password is longer than the 255 octets that RFC 1929 allows");
	return 0;
}

static int get_password(struct password *p)
{
	struct password again = { 0 };
	bool terminal = isatty(STDIN_FILENO);
	int err = terminal ? ask(p, "Password: ") : read_line(p), status;

	if (err < 0)
		return complain(strerror(-err));
	status = judge(p);
	if (status != 0 || !terminal)
		return status;
	err = ask(&again, "Again: ");
	if (err < 0)
		status = complain(strerror(-err));
	else if (again.len != p->len || memcmp(again.text, p->text, p->len) != 0)
		status = complain("these were two different passwords");
	explicit_bzero(&again, sizeof(again));
	return status;
}

static int print(const char *name, char *password)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE], written[4 * USERS_NAME_MAX + 1];
	struct crypt_data data = { 0 };
	const char *hash = NULL;
	int status = 0;

	if (crypt_gensalt_rn(NULL, 0, NULL, 0, setting, sizeof(setting)))
		hash = crypt_r(password, setting, &data);
	if (!hash || hash[0] == '*') {
		status = complain(strerror(errno));
	} else if (name) {
		username_write(written, name, strlen(name));
		printf("%s:%s\n", written, hash);
	} else {
		printf("%s\n", hash);
	}
	explicit_bzero(&data, sizeof(data));
	if (status == 0 && fflush(stdout) != 0)
		status = complain(strerror(errno));
	return status;
}

int hash_command(const char *name)
{
	struct password p = { 0 };
	int status;

	status = get_password(&p);
	if (status == 0)
		status = print(name, p.text);
	explicit_bzero(&p, sizeof(p));
	return status;
}
