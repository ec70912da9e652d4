/*
 * The proxy is another machine, as far as the kernel can tell: a network namespace at the other end
 * of a wire. "device": sockets that are bound to the wire, on which nothing may be seen but the way
 * to the proxy. "loopback": there is none here, so nothing can be parked.
 */
#include "alone.h"
#include "async.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define N(array) (int)(sizeof(array) / sizeof((array)[0]))

#define FAR          "198.51.100.1"
#define TAP_VARIABLE "UNDER_TAP"

static bool set_number(const char *variable, int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", n);
	return n >= 0 && setenv(variable, text, 1) == 0;
}

/* By a child that stays in the far network: this process's end of the wire is sent to it. */
static bool send_wire(pid_t child, int start)
{
	int status;

	return write(start, "!", 1) == 1 && waitpid(child, &status, 0) == child && status == 0;
}

static pid_t prepare_wire(int *start)
{
	pid_t parent = getpid(), pid;
	char command[64], octet;
	int fds[2];

	if (pipe(fds) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		snprintf(command, sizeof(command), "ip link set v0 netns %d", (int)parent);
		_exit(read(fds[0], &octet, 1) == 1 && system(command) == 0 ? 0 : 1);
	}
	close(fds[0]);
	*start = fds[1];
	return pid;
}

/* Every frame on this end. */
static int open_tap(void)
{
	struct sockaddr_ll sa = { .sll_family = AF_PACKET,
		                  .sll_protocol = htons(ETH_P_ALL),
		                  .sll_ifindex = (int)if_nametoindex("v0") };
	int fd = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL));

	return fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 ? fd : -1;
}

/* False where it may not be done, or there is no ip(8). */
static bool begin_apart(bool loopback)
{
	int far, start;
	pid_t child;

	if (!alone_unshare(CLONE_NEWNET, true) ||
	    system("ip link add v0 type veth peer name v1 && ip addr add " FAR "/24 dev v1 && "
	           "ip link set v1 up && ip link set lo up") != 0)
		return false;
	far = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	child = prepare_wire(&start);
	if (child < 0 || unshare(CLONE_NEWNET) < 0 || !send_wire(child, start) ||
	    system("ip addr add 198.51.100.2/24 dev v0 && ip link set v0 up") != 0 ||
	    (loopback && system("ip link set lo up") != 0))
		return false;
	setenv("UNDER_HOST", FAR, 1);
	setenv("SOCKSIFY_NO_PROXY", FAR, 1); /* the proxy's control socket */
	return set_number("UNDER_NETWORK", far) && set_number(TAP_VARIABLE, open_tap());
}

/* What went over the wire since the last call: IPv4 of 127/8, and of the proxy's. */
static void count_frames(int *stray, int *ours)
{
	static const uint8_t far[4] = { 198, 51, 100, 1 };
	int tap = atoi(getenv(TAP_VARIABLE));
	struct sockaddr_ll from;
	uint8_t ip[64];
	ssize_t n;

	*stray = *ours = 0;
	while ((n = recvfrom(tap, ip, sizeof(ip), MSG_DONTWAIT, (struct sockaddr *)&from,
	                     &(socklen_t){ sizeof(from) })) >= 0) {
		if (from.sll_protocol != htons(ETH_P_IP) || n < 20)
			continue;
		*stray += ip[12] == 127 || ip[16] == 127;
		*ours += memcmp(ip + 16, far, 4) == 0;
	}
}

static void give_up_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0 } };

	ck_assert_int_eq(syscall(SYS_capset, &head, none), 0);
}

static const struct {
	const char *outcome;
	int err, family;
	bool privileged, marked, late;
} bound[] = {
	{ "ok", 0, AF_INET, true, true, false },
	{ "ok", 0, AF_INET, true, true, true },
	{ "refused", ECONNREFUSED, AF_INET, true, true, false },
	{ "unreach", EHOSTUNREACH, AF_INET, true, false, false },
	{ "ok", 0, AF_INET, false, false, false },
	{ "ok", 0, AF_INET, false, false, true },
	{ "refused", ECONNREFUSED, AF_INET, false, false, false },
	{ "unreach", EHOSTUNREACH, AF_INET, false, false, false },
	{ "ok", 0, AF_INET6, true, false, false },
	{ "ok", 0, AF_INET6, false, false, false },
};

static int connect_bound(void *at)
{
	int i = *(const int *)at, stray, ours, mark = 0;
	char device[IFNAMSIZ] = "";
	struct async a;

	if (!bound[i].privileged)
		give_up_capabilities();
	count_frames(&stray, &ours);
	async_init(&a, bound[i].outcome, bound[i].family);
	if (bound[i].late)
		async_connect(&a);
	ck_assert_int_eq(setsockopt(a.fd, SOL_SOCKET, SO_BINDTODEVICE, "v0", 3) < 0 ? errno : 0, 0);
	if (bound[i].marked)
		ck_assert_int_eq(setsockopt(a.fd, SOL_SOCKET, SO_MARK, &(int){ 7 }, 4), 0);
	if (!bound[i].late)
		async_connect(&a);
	under_await_requests(a.name, 1);
	async_check_pending(&a);
	getsockopt(a.fd, SOL_SOCKET, SO_BINDTODEVICE, device, &(socklen_t){ sizeof(device) });
	ck_assert_str_eq(device, "v0");
	async_release(&a);
	async_bits(a.fd, POLLOUT, -1);
	if (bound[i].err)
		ck_assert_int_eq(async_error(a.fd), bound[i].err);
	else
		async_check_connected(&a, a.fd);
	getsockopt(a.fd, SOL_SOCKET, SO_BINDTODEVICE, device, &(socklen_t){ sizeof(device) });
	ck_assert_str_eq(device, "v0");
	getsockopt(a.fd, SOL_SOCKET, SO_MARK, &mark, &(socklen_t){ sizeof(mark) });
	ck_assert_int_eq(mark, bound[i].marked ? 7 : 0);
	count_frames(&stray, &ours);
	ck_assert_int_eq(stray, 0);
	ck_assert_int_gt(ours, 0);
	async_fini(&a);
	return 0;
}

START_TEST(what_is_parked_is_not_on_the_wire)
{
	int i = _i;

	async_in_child(connect_bound, &i);
}
END_TEST

START_TEST(without_loopback_connects_wait)
{
	static const struct {
		const char *name;
		int err;
	} rows[] = { { "ok.no-lo.test", 0 },
		     { "slow.no-lo.test", 0 },
		     { "refused.no-lo.test", ECONNREFUSED },
		     { "unreach.no-lo.test", EHOSTUNREACH } };
	int family = _i % 2 ? AF_INET6 : AF_INET, err;
	struct async a = { .fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0) };

	a.ss = under_look_up(rows[_i / 2].name, family, 80, &a.len);
	err = async_again(&a);
	if (err == EINPROGRESS) {
		async_bits(a.fd, POLLOUT, -1);
		err = async_error(a.fd);
	}
	ck_assert_int_eq(err, rows[_i / 2].err);
	if (err == 0)
		async_check_connected(&a, a.fd);
	async_fini(&a);
}
END_TEST

static bool loopback;

static Suite *make(void)
{
	Suite *s = suite_create("async apart");
	TCase *tc = async_case(s, "async apart");

	if (loopback)
		tcase_add_loop_test(tc, what_is_parked_is_not_on_the_wire, 0, N(bound));
	else
		tcase_add_loop_test(tc, without_loopback_connects_wait, 0, 8);
	return s;
}

int main(int argc, char **argv)
{
	loopback = argc > 1 && strcmp(argv[1], "device") == 0;
	if (!under_is_second_run() && !begin_apart(loopback)) {
		fprintf(stderr, "no networks of one's own here\n");
		return 77; /* meson's "skipped" */
	}
	setenv("SOCKSIFY_TIMEOUT", "60", 0);
	return under_main(argc, argv, UNDER_IPV4, make);
}
