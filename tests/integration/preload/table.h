/*
 * What tests of a session's table of names share: sessions of their own, each a program that is
 * executed anew with what it finds changed before.
 */
#ifndef TEST_TABLE_H
#define TEST_TABLE_H

#include "routes.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* A folder for one test, and in it the log of the programs under it. */
static char folder[64], log_path[96];

static inline void folder_init(void)
{
	strcpy(folder, "/tmp/socksify-table.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chmod(folder, 0755), 0);
	snprintf(log_path, sizeof(log_path), "%s/log", folder);
	close(open(log_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
	ck_assert_int_eq(chmod(log_path, 0666), 0);
}

static inline int folder_remove(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static inline void folder_fini(void)
{
	nftw(folder, folder_remove, 8, FTW_DEPTH | FTW_PHYS);
}

static inline const char *in_folder(const char *name)
{
	static char path[160];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

/* How many lines of the log say so; NULL: how many there are. */
static inline int log_lines(const char *text)
{
	FILE *f = fopen(log_path, "re");
	char line[1100];
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += !text || strstr(line, text) != NULL;
	if (f)
		fclose(f);
	return n;
}

static inline void log_show(void)
{
	FILE *f = fopen(log_path, "re");
	char line[1100];

	while (f && fgets(line, sizeof(line), f))
		fputs(line, stdout);
	if (f)
		fclose(f);
}

/* In a child, before exec: a session that knows of no other. */
static inline void new_session(void)
{
	/* Empty is as good as unset; what is unset the library puts back for executed programs. */
	setenv("SOCKSIFY_NAMES", "", 1);
	setenv("SOCKSIFY_LOG", "warn", 1);
	setenv("SOCKSIFY_LOG_FILE", log_path, 1);
}

/* By the last program of a session whose table is in no folder of the test's. */
static inline void session_leave(void)
{
	const char *path = getenv("SOCKSIFY_NAMES");

	if (path)
		unlink(path);
}

/* The exit status of a child; -1 where a signal ended it. */
static inline int child_wait(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A name's address, or zero; for programs that no test may fail. */
static inline uint32_t address_of(const char *name)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *ai;
	uint32_t ip;

	if (getaddrinfo(name, "80", &hints, &ai) != 0)
		return 0;
	ip = ntohl(((struct sockaddr_in *)ai->ai_addr)->sin_addr.s_addr);
	freeaddrinfo(ai);
	return ip;
}

/* Returns 0 where the proxy's echo comes back from there, else errno. */
static inline int visit(uint32_t ip)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		                  .sin_port = htons(80),
		                  .sin_addr = { htonl(ip) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), err;
	char buf[8] = "";

	err = join(fd, &sa);
	if (err == 0 && (send(fd, "hello", 5, MSG_NOSIGNAL) != 5 ||
	                 recv(fd, buf, 5, MSG_WAITALL) != 5 || memcmp(buf, "hello", 5) != 0))
		err = EPROTO;
	close(fd);
	return err;
}

#endif
