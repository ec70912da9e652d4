/*
 * A program that the library shall not get into: linked statically, or made to gain privileges.
 * Tries the network as it can, with the sockets whose numbers it is given, too; exit status 0 if
 * every try was refused as "--closed" does it, and all else could work.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_closed(int family, int type)
{
	struct sockaddr_in web = { .sin_family = AF_INET, .sin_port = htons(80) };
	int fd = socket(family, type, 0);

	if (fd < 0)
		return errno == EACCES;
	web.sin_addr.s_addr = inet_addr("203.0.113.10");
	connect(fd, (struct sockaddr *)&web, sizeof(web));
	send(fd, "open", 4, MSG_NOSIGNAL);
	printf("alone: family %d, type %d is open\n", family, type);
	close(fd);
	return false;
}

/* In whatever state and of whatever kind. */
static bool is_useless(int fd)
{
	struct sockaddr_in web = { .sin_family = AF_INET, .sin_port = htons(80) };
	bool useless;

	web.sin_addr.s_addr = inet_addr("203.0.113.10");
	fcntl(fd, F_SETFL, O_NONBLOCK); /* a source route may lead nowhere */
	useless = write(fd, "open", 4) < 0;
	useless &= sendto(fd, "open", 4, MSG_NOSIGNAL, (struct sockaddr *)&web, sizeof(web)) < 0;
	useless &= connect(fd, (struct sockaddr *)&web, sizeof(web)) < 0 && errno != EINPROGRESS;
	if (!useless)
		printf("alone: socket %d is open\n", fd);
	return useless;
}

int main(int argc, char **argv)
{
	bool closed = is_closed(AF_INET, SOCK_STREAM);

	closed &= is_closed(AF_INET, SOCK_DGRAM);
	closed &= is_closed(AF_INET6, SOCK_STREAM);
#ifdef SYS_io_uring_setup
	closed &= syscall(SYS_io_uring_setup, 4, NULL) < 0 && errno != EFAULT;
#endif
	signal(SIGPIPE, SIG_IGN);
	for (int i = 1; i < argc; i++)
		closed &= is_useless(atoi(argv[i]));
	closed &= socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
	printf("alone: %s\n", closed ? "closed" : "not as it should be");
	return closed ? 0 : 1;
}
