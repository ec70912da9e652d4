/*
 * chain MODE NAME PORT FILE: resolve NAME, connect, fetch /chain and write it to FILE, in the way
 * that MODE says. The last octet written is always ".", so that a reader knows the end.
 *
 *	exec      resolve, exec this program again with the address alone, connect there
 *	daemon    fork twice, leave the session, close every descriptor, then resolve
 *	closeall  close every descriptor, then resolve and connect
 *	fork      parent and child resolve at once; each connects to what the other found
 *	wipe      clear the environment, then resolve and connect
 *	address   (for exec) NAME is "FAMILY:HEX", a sockaddr's address
 */
#include "fetch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>

struct found {
	struct sockaddr_storage sa;
	socklen_t len;
};

static void say(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0 || write(fd, ".", 1) < 0)
		_exit(1);
	close(fd);
}

static bool resolve(const char *name, const char *port, struct found *out)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
	struct addrinfo *list;

	if (getaddrinfo(name, port, &hints, &list) != 0)
		return false;
	memcpy(&out->sa, list->ai_addr, list->ai_addrlen);
	out->len = list->ai_addrlen;
	freeaddrinfo(list);
	return true;
}

static int connect_and_say(const struct found *to, const char *path)
{
	char body[FETCH_MAX];
	int fd = fetch_connect((const struct sockaddr *)&to->sa, to->len);

	if (fd < 0)
		snprintf(body, sizeof(body), "connect: %s", strerror(errno));
	else if (fetch_page(fd, "web.test", "/chain", body) < 0)
		snprintf(body, sizeof(body), "no page came");
	if (fd >= 0)
		close(fd);
	say(path, body);
	return 0;
}

static int resolve_and_say(char **argv)
{
	struct found to;

	if (!resolve(argv[2], argv[3], &to)) {
		say(argv[4], "the name is not found");
		return 1;
	}
	return connect_and_say(&to, argv[4]);
}

static void close_all(void)
{
	long max = sysconf(_SC_OPEN_MAX);

	/* One by one, as old daemons do, and then in one go, as new ones do. */
	for (int fd = 0; fd < (max < 1024 ? max : 1024); fd++)
		close(fd);
	closefrom(0);
}

static int in_exec(char **argv)
{
	struct found to;
	const struct sockaddr_in *sin = (const struct sockaddr_in *)&to.sa;
	char text[INET_ADDRSTRLEN];

	if (!resolve(argv[2], argv[3], &to)) {
		say(argv[4], "the name is not found");
		return 1;
	}
	inet_ntop(AF_INET, &sin->sin_addr, text, sizeof(text));
	execl(argv[0], argv[0], "address", text, argv[3], argv[4], (char *)NULL);
	say(argv[4], "exec failed");
	return 1;
}

static int in_address(char **argv)
{
	struct found to = { .len = sizeof(struct sockaddr_in) };
	struct sockaddr_in *sin = (struct sockaddr_in *)&to.sa;

	sin->sin_family = AF_INET;
	sin->sin_port = htons((uint16_t)atoi(argv[3]));
	inet_pton(AF_INET, argv[2], &sin->sin_addr);
	return connect_and_say(&to, argv[4]);
}

static int in_daemon(char **argv)
{
	if (fork() != 0)
		return 0;
	setsid();
	if (fork() != 0)
		_exit(0);
	if (chdir("/") < 0)
		_exit(1);
	close_all();
	_exit(resolve_and_say(argv));
}

/* The child's name goes to the parent by a pipe: both must know it. */
static int in_fork(char **argv)
{
	struct found mine, theirs;
	char body[FETCH_MAX] = "";
	int to_parent[2], status, fd;

	if (pipe(to_parent) < 0)
		return 1;
	pid_t child = fork();

	if (child == 0) {
		bool ok = resolve(argv[2], argv[3], &theirs);

		_exit(!ok || write(to_parent[1], &theirs, sizeof(theirs)) != sizeof(theirs));
	}
	if (!resolve("v4only.test", argv[3], &mine) ||
	    read(to_parent[0], &theirs, sizeof(theirs)) != sizeof(theirs) ||
	    waitpid(child, &status, 0) != child || status != 0) {
		say(argv[4], "one of the two did not find its name");
		return 1;
	}
	fd = fetch_connect((const struct sockaddr *)&mine.sa, mine.len);
	if (fd < 0 || fetch_page(fd, "v4only.test", "/chain", body) < 0 ||
	    strcmp(body, "you asked v4only.test for /chain\n") != 0) {
		say(argv[4], "the parent's own name was not reached");
		return 1;
	}
	close(fd);
	if (memcmp(&mine.sa, &theirs.sa, mine.len) == 0) {
		say(argv[4], "two names, one address");
		return 1;
	}
	return connect_and_say(&theirs, argv[4]);
}

int main(int argc, char **argv)
{
	if (argc != 5)
		return 2;
	if (strcmp(argv[1], "exec") == 0)
		return in_exec(argv);
	if (strcmp(argv[1], "address") == 0)
		return in_address(argv);
	if (strcmp(argv[1], "daemon") == 0)
		return in_daemon(argv);
	if (strcmp(argv[1], "fork") == 0)
		return in_fork(argv);
	if (strcmp(argv[1], "closeall") == 0)
		close_all();
	else if (strcmp(argv[1], "wipe") == 0)
		clearenv();
	else
		return 2;
	return resolve_and_say(argv);
}
