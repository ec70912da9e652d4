/* What the tests of connects that don't wait have in common: one under way, and how it stands. */
#ifndef TEST_ASYNC_H
#define TEST_ASYNC_H

#include "under.h"

#include <poll.h>
#include <sys/types.h>

#define ASYNC_ALL (POLLIN | POLLPRI | POLLOUT | POLLRDHUP)

struct async {
	char name[64]; /* of its own: "held." and what the proxy is to do at the release */
	int fd;        /* non-blocking, close-on-exec */
	struct sockaddr_storage ss;
	socklen_t len;
};

/*
 * A TCase with an alarm of its own for each test, after UNDER_SECONDS (30): one that hangs ends the
 * program and shows where. CK_FORK=yes shows its name.
 */
TCase *async_case(Suite *s, const char *name);

/* @outcome: "ok", "refused", …. A name that no other has, looked up; a socket. */
void async_init(struct async *a, const char *outcome, int family);
/* connect() is under way. */
void async_connect(struct async *a);
/* Both, for IPv4, and the proxy has the request: nothing but its reply is missing. */
void async_begin(struct async *a, const char *outcome);
void async_release(const struct async *a);
void async_fini(struct async *a);

/* The errno of another connect() to the same address, or 0. */
int async_again(const struct async *a);

int async_error(int fd); /* SO_ERROR */
short async_bits(int fd, short events, int timeout_ms);

/* Nothing has happened to it yet, as far as system calls can tell. */
void async_check_pending(const struct async *a);
/* Through it goes what is sent; SO_ERROR is 0 and the peer the one that was asked for. */
void async_check_connected(const struct async *a, int fd);
void async_echo(int fd); /* non-blocking or not */

/* Spin until thread @tid of this process sleeps in the kernel; or until process @pid does. */
void async_await_asleep(pid_t tid);
void async_await_process_asleep(pid_t pid);

/* Run @body in a child; it must return 0. Returns at once, or when it has ended. */
pid_t async_fork(int (*body)(void *at), void *at);
void async_join(pid_t pid);

/* A body of a test that changes its process for good. */
#define async_in_child(body, at) async_join(async_fork(body, at))

/* Descriptors that are open, the lowest @max of them. Returns how many. */
int async_descriptors(int *fds, int max);
int async_threads(void);

#endif
