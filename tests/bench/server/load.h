/* What the stories of the load tool share. */
#ifndef LOAD_H
#define LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdnoreturn.h>

#define SOCKS5_REPLY_MAX 22 /* RFC 1928 section 6, with an IPv6 address; names are not sent here */

/* Durations of single operations. */
struct samples {
	uint32_t *ns;
	size_t n, room;
};

/* One tunnel: our end at the proxy, and our end at the target. */
struct pair {
	int client, target;
};

uint64_t now_ns(void);
noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void *get_memory(size_t n, size_t size);

void samples_add(struct samples *s, uint64_t ns);
/* Prints "p50_us" and "p99_us"; the samples are sorted, then gone. */
void samples_tell(struct samples *s);

/* What this process took of a processor since it began. */
void tell_own_cpu(void);

struct sockaddr_in loopback(uint16_t port);
/* Blocking; accept() gives up after a while. */
int listen_any(struct sockaddr_in *sa);
void set_nonblock(int fd);
void watch(int ep, int fd, uint32_t events, uint64_t data);

/* Port 0 is no proxy at all: straight to the target. Blocking; -1 and errno, the step in @why. */
int dial(uint16_t proxy, const struct sockaddr_in *target, const char **why);
/* An association: @relay is where datagrams go to. Returns the control connection. */
int associate(uint16_t proxy, struct sockaddr_in *relay, const char **why);
/* A tunnel, its target's end taken from @listener; they don't block. 0, or -1 as dial(). */
int dial_pair(uint16_t proxy, int listener, const struct sockaddr_in *target, struct pair *p,
              const char **why);
/* So many, or die. */
struct pair *dial_pairs(uint16_t proxy, unsigned n);

/* How long the reply is that starts like this; 0 while that can't be known. */
size_t socks5_reply_len(const uint8_t *reply, size_t len);
size_t socks5_request(uint8_t *out, uint8_t cmd, const struct sockaddr_in *to);

/* The stories; each gets the arguments behind the proxy's port, prints "key value" lines. */
void story_check(uint16_t proxy, char **argv);
void story_half(uint16_t proxy, char **argv);
void story_check_udp(uint16_t proxy, char **argv);
void story_bulk(uint16_t proxy, char **argv);
void story_connects(uint16_t proxy, char **argv);
void story_pingpong(uint16_t proxy, char **argv);
void story_idle(uint16_t proxy, char **argv);
void story_udp(uint16_t proxy, char **argv);
void story_flood(uint16_t proxy, char **argv);

#endif
