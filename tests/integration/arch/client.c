/*
 * What one class of programs, or one machine, may do otherwise than another: system calls by
 * number, times, messages, the way into dlopen(). Built for each of them; see run.py.
 *
 * Usage: client WAY ARGUMENTS
 *
 * Exit status 0, or 1 and a line that says what was not as it should be.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE 20 /* seconds, for what takes none */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

__attribute__((format(printf, 1, 2), noreturn)) static void fail(const char *format, ...)
{
	const char *why = strerror(errno);
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf(" (%s)\n", why);
	exit(1);
}

#define CHECK(what)                                           \
	do {                                                  \
		if (!(what))                                  \
			fail("line %d: %s", __LINE__, #what); \
	} while (0)

/* A name's first address: a placeholder, which nobody else has. */
static struct sockaddr_in find(const char *name, const char *port)
{
	const struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
	struct addrinfo *list;
	struct sockaddr_in at;
	int err = getaddrinfo(name, port, &hints, &list);

	if (err != 0)
		fail("%s: %s", name, gai_strerror(err));
	memcpy(&at, list->ai_addr, sizeof(at));
	freeaddrinfo(list);
	if ((ntohl(at.sin_addr.s_addr) & 0xfffe0000) != 0xc6120000)
		fail("%s is %s, not a placeholder", name, inet_ntoa(at.sin_addr));
	return at;
}

static bool is_connected_to(int fd, const struct sockaddr_in *at)
{
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);

	return getpeername(fd, (struct sockaddr *)&peer, &len) == 0 &&
	       peer.sin_port == at->sin_port && peer.sin_addr.s_addr == at->sin_addr.s_addr;
}

/* Who is there says again what it was told, by any of the calls that tell and listen. */
static void echo(int fd)
{
	char text[] = "the same again", got[sizeof(text)];
	struct iovec out = { text, sizeof(text) }, in = { got, sizeof(got) };
	struct msghdr msg = { .msg_iov = &out, .msg_iovlen = 1 };

	CHECK(send(fd, text, sizeof(text), MSG_NOSIGNAL) == sizeof(text));
	CHECK(recv(fd, got, sizeof(got), MSG_WAITALL) == sizeof(got) && strcmp(got, text) == 0);
	memset(got, 0, sizeof(got));
	CHECK(sendmsg(fd, &msg, MSG_NOSIGNAL) == sizeof(text));
	msg.msg_iov = &in;
	CHECK(recvmsg(fd, &msg, MSG_WAITALL) == sizeof(got) && strcmp(got, text) == 0);
}

static void set_times(int fd)
{
	const struct timeval wait = { .tv_sec = PATIENCE };

	CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) == 0);
	CHECK(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMP, &(int){ 1 }, sizeof(int)) == 0);
}

static void check_times(int fd)
{
	struct timeval wait = { .tv_sec = 0 };
	socklen_t len = sizeof(wait), number_len = sizeof(int);
	int number = 0;

	CHECK(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, &len) == 0);
	CHECK(len == sizeof(wait) && wait.tv_sec == PATIENCE && wait.tv_usec == 0);
	CHECK(getsockopt(fd, SOL_SOCKET, SO_TIMESTAMP, &number, &number_len) == 0 && number == 1);
}

/* A connect that waits. */
static void plain(char **arg)
{
	const struct sockaddr_in at = find(arg[0], arg[1]);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	set_times(fd);
	CHECK(connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0);
	CHECK(is_connected_to(fd, &at));
	check_times(fd);
	echo(fd);
}

static int error_of(int fd)
{
	int err = -1;

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &(socklen_t){ sizeof(err) }) < 0 ? errno
	                                                                                   : err;
}

/* One that doesn't, with a duplicate of the socket and an epoll that waits for it. */
static void later(char **arg)
{
	const struct sockaddr_in at = find(arg[0], arg[1]);
	struct epoll_event ev = { .events = EPOLLOUT, .data.u64 = UINT64_C(0x123456789abcdef0) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), epoll = epoll_create1(EPOLL_CLOEXEC), twin;

	CHECK(fd >= 0 && epoll >= 0);
	set_times(fd);
	CHECK(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0);
	CHECK(connect(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 && errno == EINPROGRESS);
	twin = fcntl(fd, F_DUPFD_CLOEXEC, 50);
	CHECK(twin >= 50);
	CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) == 0);
	memset(&ev, 0, sizeof(ev));
	CHECK(epoll_wait(epoll, &ev, 1, PATIENCE * 1000) == 1);
	CHECK(ev.data.u64 == UINT64_C(0x123456789abcdef0) && ev.events == EPOLLOUT);
	CHECK(error_of(fd) == 0);
	CHECK(is_connected_to(fd, &at) && is_connected_to(twin, &at));
	check_times(fd);
	CHECK(fcntl(twin, F_GETFL) & O_NONBLOCK);
	CHECK(fcntl(twin, F_SETFL, 0) == 0);
	close(fd);
	echo(twin);
}

/* Every number that this machine has for it. */
static void number(char **arg)
{
	const struct sockaddr_in at = find(arg[0], arg[1]);
	int fd;

#ifdef SYS_connect
	fd = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(syscall(SYS_connect, fd, &at, sizeof(at)) == 0);
	CHECK(is_connected_to(fd, &at));
	echo(fd);
#endif
#ifdef SYS_socketcall
	fd = socket(AF_INET, SOCK_STREAM, 0);
	long call[] = { fd, (long)&at, sizeof(at) };

	CHECK(syscall(SYS_socketcall, 3 /* connect */, call) == 0);
	CHECK(is_connected_to(fd, &at));
	echo(fd);
#endif
#ifdef SYS_fcntl64
	fd = (int)syscall(SYS_fcntl64, fd, F_DUPFD_CLOEXEC, 60);
	CHECK(fd >= 60 && is_connected_to(fd, &at));
	echo(fd);
#endif
}

/* A name that libc's older calls are asked for, and an address. */
static void names(char **arg)
{
	const struct sockaddr_in at = find(arg[0], arg[1]);
	struct hostent entry, *found = NULL;
	char buf[1024], host[256];
	int herr;

	CHECK(gethostbyname_r(arg[0], &entry, buf, sizeof(buf), &found, &herr) == 0 && found);
	CHECK(memcmp(found->h_addr_list[0], &at.sin_addr, sizeof(at.sin_addr)) == 0);
	CHECK(gethostbyname2_r(arg[0], AF_INET, &entry, buf, sizeof(buf), &found, &herr) == 0 &&
	      found);
	CHECK(gethostbyaddr_r(&at.sin_addr, sizeof(at.sin_addr), AF_INET, &entry, buf, sizeof(buf),
	                      &found, &herr) == 0 &&
	      found && strcmp(found->h_name, arg[0]) == 0);
	CHECK(getnameinfo((const struct sockaddr *)&at, sizeof(at), host, sizeof(host), NULL, 0,
	                  NI_NAMEREQD) == 0 &&
	      strcmp(host, arg[0]) == 0);
}

/* A name that goes to libc, whose answer is waited for. */
static void waiting(char **arg)
{
	struct gaicb cb = { .ar_name = arg[0] }, *list[] = { &cb };
	const struct timespec patience = { .tv_sec = PATIENCE };
	int err;

	CHECK(getaddrinfo_a(GAI_NOWAIT, list, 1, NULL) == 0);
	do
		err = gai_suspend((const struct gaicb *const *)list, 1, &patience);
	while (err == EAI_INTR);
	CHECK(err == 0 || err == EAI_ALLDONE);
	CHECK(gai_error(&cb) != EAI_INPROGRESS);
}

/* Where nobody is. */
static void datagrams(char **arg)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(9) };
	char text[] = "nowhere";
	struct iovec out = { text, sizeof(text) };
	struct mmsghdr vec[] = { { .msg_hdr = { .msg_name = &at,
		                                .msg_namelen = sizeof(at),
		                                .msg_iov = &out,
		                                .msg_iovlen = 1 } } };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK(inet_aton(arg[0], &at.sin_addr) && fd >= 0);
	CHECK(sendto(fd, text, sizeof(text), 0, (struct sockaddr *)&at, sizeof(at)) < 0 &&
	      errno == EACCES);
	errno = 0;
	CHECK(sendmsg(fd, &vec[0].msg_hdr, 0) < 0 && errno == EACCES);
	errno = 0;
	CHECK(sendmmsg(fd, vec, COUNT(vec), 0) < 0 && errno == EACCES);
}

/* A question for @name's address, of number 7. */
static size_t put_question(uint8_t *to, const char *name)
{
	static const uint8_t head[] = { 0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0 };
	static const uint8_t tail[] = { 0, 0, 1, 0, 1 };
	size_t at = sizeof(head);

	memcpy(to, head, sizeof(head));
	while (*name) {
		size_t len = strcspn(name, ".");

		to[at++] = (uint8_t)len;
		memcpy(to + at, name, len);
		at += len;
		name += len + (name[len] == '.');
	}
	memcpy(to + at, tail, sizeof(tail));
	return at + sizeof(tail);
}

static bool has_time_stamp(struct msghdr *msg)
{
	struct timeval at;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMP &&
		    c->cmsg_len == CMSG_LEN(sizeof(at))) {
			memcpy(&at, CMSG_DATA(c), sizeof(at));
			return llabs((long long)at.tv_sec - (long long)time(NULL)) < 3600;
		}
	return false;
}

/* To a name server by hand: it is told as the sender, and the stamps are of this program's time. */
static void questions(char **arg)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(53) }, from;
	uint8_t question[300], answer[512];
	size_t len = put_question(question, arg[1]);
	struct iovec in = { answer, sizeof(answer) };
	char control[256];
	struct mmsghdr vec[] = { { .msg_hdr = { .msg_name = &from,
		                                .msg_namelen = sizeof(from),
		                                .msg_iov = &in,
		                                .msg_iovlen = 1,
		                                .msg_control = control,
		                                .msg_controllen = sizeof(control) } } };
	struct msghdr *msg = &vec[0].msg_hdr, fresh = *msg;
	struct timespec patience = { .tv_sec = PATIENCE };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK(inet_aton(arg[0], &at.sin_addr) && fd >= 0);
	set_times(fd);
	for (int i = 0; i < 2; i++) {
		ssize_t got;

		*msg = fresh;
		memset(&from, 0, sizeof(from));
		CHECK(sendto(fd, question, len, 0, (struct sockaddr *)&at, sizeof(at)) ==
		      (ssize_t)len);
		if (i == 0) {
			got = recvmsg(fd, msg, 0);
		} else {
			CHECK(recvmmsg(fd, vec, COUNT(vec), 0, &patience) == 1);
			got = vec[0].msg_len;
		}
		CHECK(got > (ssize_t)len && answer[1] == 7 && answer[7] == 1);
		CHECK(from.sin_port == at.sin_port && from.sin_addr.s_addr == at.sin_addr.s_addr);
		CHECK(has_time_stamp(msg));
	}
}

/* A library of this program's own RUNPATH, which would find libc before any preload. */
static void plugin(char **arg)
{
	const struct sockaddr_in at = find(arg[0], arg[1]);
	void *lib = dlopen("libplugin.so", RTLD_NOW | RTLD_DEEPBIND);
	int (*join)(const struct sockaddr *at, socklen_t len);
	int fd;

	if (!lib)
		fail("%s", dlerror());
	*(void **)&join = dlsym(lib, "plugin_join");
	CHECK(join);
	fd = join((const struct sockaddr *)&at, sizeof(at));
	CHECK(fd >= 0 && is_connected_to(fd, &at));
	echo(fd);
}

static void start(char **arg)
{
	execv(arg[0], arg);
	fail("%s", arg[0]);
}

/* A child in an environment that is empty. */
static void bare(char **arg)
{
	execve(arg[0], arg, (char *[]){ NULL });
	fail("%s", arg[0]);
}

static void tell(char **arg)
{
	(void)arg;
	printf("%zu bits, %zu of time\n", sizeof(void *) * 8, sizeof(time_t) * 8);
}

static const struct way {
	const char *name;
	int args;
	void (*go)(char **arg);
} ways[] = {
	{ "plain", 2, plain },         { "later", 2, later },     { "number", 2, number },
	{ "names", 2, names },         { "waiting", 1, waiting }, { "datagrams", 1, datagrams },
	{ "questions", 2, questions }, { "plugin", 2, plugin },   { "exec", 1, start },
	{ "bare", 1, bare },           { "tell", 0, tell },
};

int main(int argc, char **argv)
{
	alarm(2 * PATIENCE);
	for (size_t i = 0; argc > 1 && i < COUNT(ways); i++)
		if (strcmp(argv[1], ways[i].name) == 0 && argc - 2 >= ways[i].args) {
			ways[i].go(argv + 2);
			return 0;
		}
	return 2;
}
