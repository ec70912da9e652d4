/* The way of one address that a program named: what the hooks of connect and send share. */
#ifndef PRELOAD_PATH_H
#define PRELOAD_PATH_H

#include <stdbool.h>
#include <sys/socket.h>
#include <tunnel/dial.h>
#include <tunnel/route.h>

struct path {
	struct route route;
	struct endpoint hops[DIAL_HOPS_MAX]; /* the proxy's addresses */
	size_t n_hops;                       /* 0: its name has none */
};

/* False where @sa is not an internet address: the kernel judges it then. */
bool path_find(struct path *p, const struct sockaddr *sa, socklen_t len);

/* Turn a way through the proxy into a refusal, for sockets that have none. */
void path_refuse_untunnelled(struct path *p);

/* Tell of a refusal, once for each destination, and return its errno. */
int path_refuse(const struct path *p);

bool path_is_tcp(int fd);

/* A socket's option of type int, or @otherwise where it can't be read. */
int path_option(int fd, int level, int name, int otherwise);

#endif
