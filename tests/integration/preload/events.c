#include "events.h"

#include <check.h>
#include <errno.h>

int events_new(void)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	ck_assert_int_ge(epoll, 0);
	return epoll;
}

int events_ctl(int epoll, int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event ev = { .events = events, .data.u64 = data };

	return epoll_ctl(epoll, op, fd, &ev) < 0 ? errno : 0;
}

void events_add(int epoll, int fd, uint32_t events, uint64_t data)
{
	ck_assert_int_eq(events_ctl(epoll, EPOLL_CTL_ADD, fd, events, data), 0);
}

void events_mod(int epoll, int fd, uint32_t events, uint64_t data)
{
	ck_assert_int_eq(events_ctl(epoll, EPOLL_CTL_MOD, fd, events, data), 0);
}

uint32_t events_one(int epoll, uint64_t data, int ms)
{
	struct epoll_event evs[4];

	ck_assert_int_eq(epoll_wait(epoll, evs, 4, ms), 1);
	ck_assert_uint_eq(evs[0].data.u64, data);
	return evs[0].events;
}

void events_none(int epoll)
{
	struct epoll_event ev;

	ck_assert_int_eq(epoll_wait(epoll, &ev, 1, 0), 0);
}
