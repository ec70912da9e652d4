/*
 * Questions by hand to the name servers of resolv.conf, in a network of the test's own, whose
 * packets are watched.
 */
#ifndef TEST_ASK_H
#define TEST_ASK_H

#include "under.h"

#include <sys/types.h>

#define ASK_MSG_MAX 512
#define ASK_SERVERS 5

extern const struct server {
	int family;
	const char *ip, *own; /* what the kernel sends from, to there */
} servers[ASK_SERVERS];

/* The first two are IPv4, and have a source in common. */
#define FIRST  (&servers[0])
#define SECOND (&servers[1])
#define SIXTH  (&servers[3]) /* of IPv6 */

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage ss;
};

#define ck_assert_address(have, have_len, want, want_len)       \
	do {                                                    \
		ck_assert_uint_eq(have_len, want_len);          \
		ck_assert_mem_eq(&(have), &(want), (want_len)); \
	} while (0)

/*
 * main(): alone_begin(), with servers[] and the link-local fe80::53%away in resolv.conf. Where the
 * rights and ip(8) are there, "away" is a wire and the way to all the world, and IPv6 addresses are
 * there; without, what needs them is to be left out. SOCKSIFY_DNS is the first argument, or
 * "answer".
 */
int ask_main(int argc, char **argv, Suite *(*make)(void));

bool ask_has_wire(void);

/*
 * After each test: none of the packets of this network was for port 53, none left by the wire, and
 * the name server of alone.h was asked nothing.
 */
void ask_packets(void);

/* They return the length. */
socklen_t ask_address(union address *a, int family, const char *ip, uint16_t port);
socklen_t ask_at(const struct server *s, union address *a);

/* UDP, or -1 where this kernel has no IPv6. What waits for an answer for long fails. */
int ask_socket(int family, int flags);

/* connect(): 0 or errno. */
int ask_join(int fd, const struct server *s);

/* The question for the address of "q<n>.example", with the id @n. Returns its length. */
size_t ask_put(uint8_t *msg, int n);

/* Its answer: the same question, and a placeholder. */
void ask_check(const uint8_t *msg, ssize_t len, int n);

/* Ways to send one question; those before N_ADDRESSED take an address. */
enum send_way {
	BY_SENDTO,
	BY_SENDMSG,
	BY_SENDMMSG,
	BY_SYSCALL,
	N_ADDRESSED,
	BY_SEND = N_ADDRESSED,
	BY_WRITE,
	BY_WRITEV,
	N_SENDS,
};

/* @a  NULL where the socket is connected */
void ask_send(int fd, enum send_way way, int n, union address *a, socklen_t len);

enum receive_way {
	BY_RECVFROM,
	BY_RECVMSG,
	BY_RECVMMSG,
	BY_SYSCALL_TOO,
	BY_RECV,
	BY_READ,
	N_RECEIVES
};

/* The answer to the question @n comes, and from there. */
void ask_take(int fd, enum receive_way way, int n, const union address *from, socklen_t from_len);

/* TCP; or -1, as above. */
int ask_stream(int family, int protocol, int flags);

/* The same with its length in front (RFC 1035 section 4.2.2). */
size_t ask_put_framed(uint8_t *msg, int n);
void ask_take_framed(int fd, int n);

/* Questions and answers on a connected socket, which shows whose it is. */
void ask_by_stream(int fd, const struct server *s);

#endif
