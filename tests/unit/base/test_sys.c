#include <arpa/inet.h>
#include <base/sys.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>
#include <unit.h>

/* One connection over loopback by way of the table alone, but for bind(), listen() and accept(). */
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
	ck_assert_int_eq(bind(listener, sa, sizeof(sin)), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	len = sizeof(sin);
	ck_assert_int_eq(getsockname(listener, sa, &len), 0);

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

UNIT_MAIN("sys", { the_table_reaches_libc, 0 })
