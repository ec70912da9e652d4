#include <arpa/inet.h>
#include <base/sys.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>
#include <unit.h>

/* One connection over loopback by way of the table alone, but for accept(). */
START_TEST(the_table_reaches_libc)
{
	const struct sys *sys = &sys_libc;
	struct sockaddr_in sin = { .sin_family = AF_INET,
		                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr *sa = (struct sockaddr *)&sin;
	struct pollfd pfd = { .events = POLLIN };
	int listener, client, server, copy, val = 1;
	socklen_t len = sizeof(val);
	char buf[8];

	listener = sys->socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(listener, 0);
	ck_assert_int_eq(sys->setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &val, len), 0);
	ck_assert_int_eq(sys->getsockopt(listener, SOL_SOCKET, SO_TYPE, &val, &len), 0);
	ck_assert_int_eq(val, SOCK_STREAM);
	ck_assert_int_eq(sys->bind(listener, sa, sizeof(sin)), 0);
	ck_assert_int_eq(sys->listen(listener, 1), 0);
	len = sizeof(sin);
	ck_assert_int_eq(sys->getsockname(listener, sa, &len), 0);

	client = sys->socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(sys->connect(client, sa, sizeof(sin)), 0);
	server = accept(listener, NULL, NULL);
	ck_assert_int_ge(server, 0);

	ck_assert_int_eq(sys->send(client, "hello", 5, MSG_NOSIGNAL), 5);
	pfd.fd = server;
	ck_assert_int_eq(sys->poll(&pfd, 1, -1), 1);
	ck_assert_int_eq(sys->recv(server, buf, sizeof(buf), 0), 5);
	ck_assert_mem_eq(buf, "hello", 5);

	copy = sys->dup3(client, listener, O_CLOEXEC);
	ck_assert_int_eq(copy, listener);
	ck_assert_int_eq(sys->fcntl(copy, F_GETFD, 0) & FD_CLOEXEC, FD_CLOEXEC);
	ck_assert_int_eq(sys->close(copy), 0);
	ck_assert_int_eq(sys->close(client), 0);
	ck_assert_int_eq(sys->recv(server, buf, sizeof(buf), 0), 0);
	ck_assert_int_eq(sys->close(server), 0);
	ck_assert_int_eq(sys->close(server), -1);
	ck_assert_int_eq(errno, EBADF);
}
END_TEST

START_TEST(the_table_reaches_epoll)
{
	const struct sys *sys = &sys_libc;
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 0x0123456789abcdef };
	int epoll_fd = sys->epoll_create1(EPOLL_CLOEXEC);
	int event_fd = sys->eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t count = 3;

	ck_assert_int_ge(epoll_fd, 0);
	ck_assert_int_ge(event_fd, 0);
	ck_assert_int_eq(sys->epoll_ctl(epoll_fd, EPOLL_CTL_ADD, event_fd, &ev), 0);
	ck_assert_int_eq(sys->epoll_wait(epoll_fd, &ev, 1, 0), 0);
	ck_assert_int_eq(sys->write(event_fd, &count, sizeof(count)), sizeof(count));
	ev.data.u64 = 0;
	ck_assert_int_eq(sys->epoll_wait(epoll_fd, &ev, 1, -1), 1);
	ck_assert(ev.data.u64 == 0x0123456789abcdef);
	count = 0;
	ck_assert_int_eq(sys->read(event_fd, &count, sizeof(count)), sizeof(count));
	ck_assert_int_eq(count, 3);
	ck_assert_int_eq(sys->read(event_fd, &count, sizeof(count)), -1);
	ck_assert_int_eq(errno, EAGAIN);
	sys->close(event_fd);
	sys->close(epoll_fd);
}
END_TEST

#define FLOOR 100

START_TEST(what_is_raised_stands_at_the_floor_or_above)
{
	int low = open("/dev/null", O_RDONLY);
	int first = sys_raise(&sys_libc, low, FLOOR);
	int second = sys_raise(&sys_libc, open("/dev/null", O_RDONLY | O_CLOEXEC), FLOOR);

	ck_assert_int_eq(first, FLOOR);
	ck_assert_int_eq(second, FLOOR + 1);
	ck_assert_int_eq(fcntl(first, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	ck_assert_int_eq(fcntl(second, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	ck_assert_int_eq(fcntl(low, F_GETFD), -1);
	close(first);
	close(second);
}
END_TEST

START_TEST(what_cannot_be_raised_stays)
{
	struct rlimit was, few;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
	few = was;
	few.rlim_cur = FLOOR;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	ck_assert_int_eq(sys_raise(&sys_libc, fd, FLOOR), fd);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(fd);
}
END_TEST

START_TEST(what_was_not_made_is_an_errno)
{
	errno = EMFILE;
	ck_assert_int_eq(sys_raise(&sys_libc, -1, FLOOR), -EMFILE);
	ck_assert_int_eq(sys_raise(&sys_libc, open("/nowhere/at/all", O_RDONLY), FLOOR), -ENOENT);
}
END_TEST

UNIT_MAIN("sys", { the_table_reaches_libc, 0 }, { the_table_reaches_epoll, 0 },
          { what_is_raised_stands_at_the_floor_or_above, 0 }, { what_cannot_be_raised_stays, 0 },
          { what_was_not_made_is_an_errno, 0 })
