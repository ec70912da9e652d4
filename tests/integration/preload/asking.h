/* DNS by hand, to the name server of a network of the test's own (alone.h). */
#ifndef TEST_ASKING_H
#define TEST_ASKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ASKING_MAX 65536

enum { ASKING_A = 1, ASKING_PTR = 12 };

/* Write a question for @name (or, "203.0.113.7", for the name of that address). */
size_t asking_put(uint8_t *msg, uint16_t id, const char *name, int type);

/* Sockets that are connected to 127.0.0.1, port 53. */
int asking_udp(void);
int asking_tcp(void);

/* Where the socket is connected to by the kernel's own word: a port of 127.0.0.1. */
uint16_t asking_port(int fd);

/* The same sockets, connected to that port itself, past the library. */
int asking_past(int type, uint16_t port);

/* Ask over a socket that is connected, and take the answer to it. Returns its length. */
size_t asking_ask(int fd, uint16_t id, const char *name, int type, uint8_t *answer);

/* The same by TCP: without waiting, and the next answer alone (0: the other end is closed). */
void asking_send(int fd, uint16_t id, const char *name, int type);
size_t asking_receive(int fd, uint8_t *answer);

/* It is an answer with that id and code, and so many records. */
void asking_check(const uint8_t *answer, size_t len, uint16_t id, int rcode, int count);

/* All in one: a name's placeholder comes. */
void asking_works(int fd);

/*
 * The same without check's macros, which in a child of fork() may wait for a lock that nobody holds
 * there, and write to a file that it has closed. -1, or false.
 */
int asking_open(int type);
bool asking_does(int fd);

#endif
