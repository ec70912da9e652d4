/*
 * connects HOST PORT N: looks HOST up and connects to it N times, one after the other, each time
 * with one octet there and back; prints microseconds per connect. What a preloaded library adds
 * shows beside a run without it.
 *
 * connects --serve: the other end, on any address; prints its port.
 */
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int serve(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	char octet;

	if (bind(listener, (struct sockaddr *)&sa, len) < 0 || listen(listener, 4096) < 0 ||
	    getsockname(listener, (struct sockaddr *)&sa, &len) < 0)
		return 1;
	printf("%d\n", ntohs(sa.sin_port));
	fflush(stdout);
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			continue;
		if (read(fd, &octet, 1) == 1 && write(fd, &octet, 1) < 0)
			perror("write");
		close(fd);
	}
}

static int connect_once(const char *host, const char *port)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *ai;
	char octet = 'x';
	int fd, ok;

	if (getaddrinfo(host, port, &hints, &ai) != 0)
		return 0;
	fd = socket(ai->ai_family, ai->ai_socktype, 0);
	ok = connect(fd, ai->ai_addr, ai->ai_addrlen) == 0 && write(fd, &octet, 1) == 1 &&
	     read(fd, &octet, 1) == 1;
	close(fd);
	freeaddrinfo(ai);
	return ok;
}

int main(int argc, char **argv)
{
	struct timespec from, to;
	int n, i;

	if (argc == 2 && strcmp(argv[1], "--serve") == 0)
		return serve();
	if (argc != 4 || (n = atoi(argv[3])) < 1) {
		fprintf(stderr, "usage: connects HOST PORT N | connects --serve\n");
		return 2;
	}
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (i = 0; i < n; i++) {
		if (!connect_once(argv[1], argv[2])) {
			perror("connect");
			return 1;
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("%.1f\n",
	       ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) / n /
	               1e3);
	return 0;
}
