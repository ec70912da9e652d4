/* An epoll in few words; checked. */
#ifndef TEST_EVENTS_H
#define TEST_EVENTS_H

#include <stdint.h>
#include <sys/epoll.h>

/* All 64 bits are the program's. */
#define DATA  UINT64_C(0xfedcba9876543210)
#define OTHER UINT64_C(0x0123456789abcdef)

int events_new(void);
int events_ctl(int epoll, int op, int fd, uint32_t events, uint64_t data); /* 0 or an errno */
void events_add(int epoll, int fd, uint32_t events, uint64_t data);
void events_mod(int epoll, int fd, uint32_t events, uint64_t data);

/* Exactly one event, of @data. Returns which. */
uint32_t events_one(int epoll, uint64_t data, int ms);
void events_none(int epoll);

#endif
