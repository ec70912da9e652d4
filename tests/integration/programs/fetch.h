/* What both programs do: find, connect, ask for a page. */
#ifndef PROGRAMS_FETCH_H
#define PROGRAMS_FETCH_H

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#define FETCH_MAX 4096

/* Connects a new blocking socket. Returns it, or -1. */
static inline int fetch_connect(const struct sockaddr *sa, socklen_t len)
{
	int fd = socket(sa->sa_family, SOCK_STREAM, 0);

	if (fd >= 0 && connect(fd, sa, len) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Asks for a page over @fd and writes its body, NUL-terminated, to @body. Returns 0 or -1. */
static inline int fetch_page(int fd, const char *host, const char *path, char body[FETCH_MAX])
{
	char text[FETCH_MAX];
	const char *start;
	size_t len = 0;
	ssize_t n;

	n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
	             path, host);
	if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		return -1;
	while (len < sizeof(text) - 1 && (n = recv(fd, text + len, sizeof(text) - 1 - len, 0)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	start = strstr(text, "\r\n\r\n");
	if (start == NULL)
		return -1;
	strcpy(body, start + 4);
	return 0;
}

#endif
