/*
 * Test programs that run under the library: under_main() starts a scripted proxy in a process of
 * its own, then runs this program again with libsocksify.so preloaded and pointed at it.
 */
#ifndef TEST_UNDER_H
#define TEST_UNDER_H

#include <check.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * The proxy does as the destination's name says:
 *   ok.*       grants, then echoes what comes until EOF, and closes
 *   refused.*  05, unreach.* 04, nonet.* 03, denied.* 02, expired.* 06
 *   silent.*   never answers the request
 *   garbage.*  answers "HTTP/1.1 400"           gone.*   closes instead of answering
 *   glued.*    grants with "early" glued to it  reset.*  resets instead of answering
 *   close.*    grants and closes                named.*  grants with a name as BND
 *   held.X     does what X says at under_release(), and at once after that
 *   slow.X     does what X says after 100 ms
 * Addresses are granted like ok.*; 203.0.113.5 is refused; at port 53 the others are name servers
 * (alone.h), counted as "dns.". RESOLVE_PTR, for any address, is counted as "ptr."; what it says
 * stands in proxy.h. Where user and password are offered they must be "user" and "secret".
 */
enum under_family {
	UNDER_IPV4,
	UNDER_IPV6,
	UNDER_NAMED, /* 127.0.0.1, called localhost, which may be ::1 as well */
};

/*
 * main() of a test program. @family: where the proxy listens and how it is called; @make adds the
 * suites. Environment: LIBSOCKSIFY is the library's path, UNDER_SCHEME the proxy's scheme
 * (socks5h), UNDER_HOST an IPv4 address for the proxy to listen at, UNDER_NETWORK the number of a
 * descriptor of the network namespace that it listens in.
 *
 * With "direct" as argument there is neither a library nor a proxy: the names are listeners of the
 * kernel's own (ok.*, refused.*, glued.*, close.* and those held), so that the same tests say what
 * a direct connection does. What is released goes on when the kernel next tries, within seconds.
 */
int under_main(int argc, char **argv, enum under_family family, Suite *(*make)(void));

/* Is the library there, and the proxy? */
bool under_is_second_run(void);

uint16_t under_proxy_port(void);

bool under_is_direct(void);

/* This program's path. Under valgrind /proc/self/exe is another one. */
const char *under_self(void);

/*
 * Orders to the proxy. Those that wait do so until it has come about; in between the order and its
 * answer one more descriptor is open. Direct, where there are no requests, they don't wait.
 */
void under_release(const char *name);
void under_await_requests(const char *name, int n); /* @n for this name in all */
void under_await_ended(const char *name, int n);    /* @n of its connections */
int under_requests(const char *name);
uint16_t under_port_seen(const char *name); /* that the last request came from */
void under_stop_proxy(void);                /* from here on it refuses connections */

/* A placeholder's address for a name, by getaddrinfo(); checked. Direct: the listener's. */
struct sockaddr_storage under_look_up(const char *name, int family, uint16_t port, socklen_t *len);

/*
 * socket() and connect() to a name, blocking, IPv4. Returns the descriptor or -1 with errno. Checks
 * nothing: check's own lock does not bear a fork while another thread's check holds it.
 */
int under_connect(const char *name);

/* Is the tunnel good: what is sent comes back. */
void under_echo(int fd);

#endif
