/* The way of one address that a program named: what the hooks of connect and send share. */
#ifndef PRELOAD_PATH_H
#define PRELOAD_PATH_H

#include <stdbool.h>
#include <sys/socket.h>
#include <tunnel/dial.h>
#include <tunnel/route.h>

/* What a socket is. */
struct path_socket {
	int family, type, protocol;
	int shown_family; /* of a swapped socket: the one that the program takes it for; else 0 */
};

/* Who judges a socket and an address. */
enum path_judge {
	PATH_KERNEL, /* no way to another machine, or nothing that the kernel would take */
	PATH_OURS,
	PATH_NOBODY, /* it can't be known, or is a kind that we don't: EACCES, nothing may leave */
};

#define PATH_RULE_MAX (ENDPOINT_TEXT_MAX + 80) /* octets that path_reason() needs */

struct path {
	struct route route;
	struct endpoint hops[DIAL_HOPS_MAX]; /* the proxy's addresses */
	size_t n_hops;                       /* 0: its name has none */
	bool may_probe;  /* ROUTE_REFUSE: UDP may be told where it would send from; probe.h */
	bool unresolved; /* or has not been asked for: @may_wait said no */
};

/*
 * @out  filled where the answer is PATH_OURS, but for shown_family; and where it is PATH_NOBODY,
 *       with AF_UNSPEC where the socket can't be asked
 */
enum path_judge path_judge(int fd, struct path_socket *out);

/* Tell of a socket that is PATH_NOBODY's, and return its errno. */
int path_refuse_socket(const struct path_socket *sock);

/* TCP, or MPTCP, which falls back to it. */
bool path_is_tcp(const struct path_socket *sock);

/* UDP, and not UDP-Lite. */
bool path_is_udp(const struct path_socket *sock);

/* Does the kernel itself say no to the address, for the families do not fit, without a packet? */
bool path_is_misfit(int fd, const struct path_socket *sock, const struct sockaddr *sa);

/*
 * An address of a socket's, as endpoint_from_sockaddr() has it; but Linux takes an IPv4 datagram's
 * AF_UNSPEC for AF_INET.
 */
int path_decode(struct endpoint *dst, const struct path_socket *sock, const struct sockaddr *sa,
                socklen_t len);

/*
 * Sockets that have no way through the proxy get a refusal where the others get the proxy. What is
 * ROUTE_ANSWER here is UDP or TCP. False where @sa is not a whole internet address: the kernel
 * judges it then.
 *
 * @may_wait  for the addresses of the proxy's name. Where they are not known, @p is what it would
 *            be if the destination is none of them.
 */
bool path_find(struct path *p, const struct path_socket *sock, const struct sockaddr *sa,
               socklen_t len, bool may_wait);

/* Why the path is what it is, in words, with the rule where there is one. Returns @buf. */
char *path_reason(const struct path *p, char *buf, size_t cap);

/* Tell of a refusal, once for each destination, and return its errno. */
int path_refuse(const struct path *p);

/* O_NONBLOCK. */
bool path_is_nonblocking(int fd);

/* A TCP socket's state: TCP_CLOSE where it is unused, or can't be told. */
int path_tcp_state(int fd);

/*
 * What the kernel says to a connect() of a socket that is in use, or whose last one failed; of one
 * that is unused, that the address is none. Negative.
 */
int path_ask_kernel(int fd, int family);

/* SO_SNDTIMEO, rounded up; 0: none. */
int64_t path_send_timeout_ms(int fd);

/* AF_INET where it can't be told. */
int path_family(int fd);

/* The family that the program takes the socket for. */
int path_own_family(const struct path_socket *sock);

/* A socket's option of type int, or @otherwise where it can't be read. */
int path_option(int fd, int level, int name, int otherwise);

#endif
