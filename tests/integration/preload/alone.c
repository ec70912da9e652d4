#include "alone.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define DNS_PORT   53
#define COUNT_PORT 5353
#define HEAD_LEN   12 /* of a DNS message (RFC 1035 section 4.1.1) */

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

bool alone_cover(const char *path, const char *text)
{
	char draft[] = "/tmp/socksify-alone.XXXXXX";
	int fd = mkstemp(draft);
	bool ok;

	if (fd < 0)
		return false;
	close(fd);
	ok = chmod(draft, 0644) == 0 && write_file(draft, text) &&
	     (mount(draft, path, NULL, MS_BIND, NULL) == 0 ||
	      /* Nothing can be laid over a file that has no name any more: the cover before. */
	      (umount2(path, MNT_DETACH) == 0 && mount(draft, path, NULL, MS_BIND, NULL) == 0));
	unlink(draft);
	return ok;
}

bool alone_unshare(int flags, bool as_root)
{
	unsigned uid = geteuid(), gid = getegid();
	char map[64];

	if (unshare(flags | (uid ? CLONE_NEWUSER : 0)) < 0)
		return false;
	if (uid == 0)
		return true;
	if (!write_file("/proc/self/setgroups", "deny"))
		return false;
	snprintf(map, sizeof(map), "%u %u 1", as_root ? 0 : uid, uid);
	if (!write_file("/proc/self/uid_map", map))
		return false;
	snprintf(map, sizeof(map), "%u %u 1", as_root ? 0 : gid, gid);
	return write_file("/proc/self/gid_map", map);
}

static bool enter(void)
{
	return alone_unshare(CLONE_NEWNET | CLONE_NEWNS, false) &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       alone_cover("/etc/hosts", "127.0.0.1 localhost\n192.0.2.90 listed.port.test\n") &&
	       alone_cover("/etc/nsswitch.conf", "hosts: files dns\n") &&
	       alone_cover("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:2\n");
}

static bool raise_loopback(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq up = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	struct ifreq more = { .ifr_name = "lo:1" };
	struct sockaddr_in at = { .sin_family = AF_INET };
	bool ok;

	inet_pton(AF_INET, "192.0.2.1", &at.sin_addr);
	memcpy(&more.ifr_addr, &at, sizeof(at));
	ok = ioctl(fd, SIOCSIFFLAGS, &up) == 0 && ioctl(fd, SIOCSIFADDR, &more) == 0;
	inet_pton(AF_INET, "255.255.255.0", &at.sin_addr);
	memcpy(&more.ifr_netmask, &at, sizeof(at));
	ok = ok && ioctl(fd, SIOCSIFNETMASK, &more) == 0;
	close(fd);
	return ok;
}

static int bind_port(uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		                  .sin_port = htons(port),
		                  .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 ? fd : -1;
}

static size_t put_a(uint8_t *out, int host)
{
	const uint8_t a[16] = { 0xc0, HEAD_LEN, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 192, 0, 2, 0 };

	memcpy(out, a, sizeof(a));
	out[15] = (uint8_t)host;
	return sizeof(a);
}

static size_t put_aaaa(uint8_t *out)
{
	const uint8_t aaaa[28] = { 0xc0, HEAD_LEN, 0, 28, 0, 1, 0, 0, 0, 0, 0, 16, [27] = 1 };

	memcpy(out, aaaa, sizeof(aaaa));
	return sizeof(aaaa);
}

size_t alone_answer(uint8_t *msg, size_t len, size_t room)
{
	size_t end = HEAD_LEN;
	char first[64] = "";
	uint8_t type;
	int n = 0;

	while (end < len && msg[end] != 0)
		end += msg[end] + 1u;
	end += 5;
	if (len < end || end + 2 * 16 > room)
		return 0;
	memcpy(first, msg + HEAD_LEN + 1, msg[HEAD_LEN] & 63);
	if (strcasecmp(first, "silent") == 0)
		return 0;
	type = msg[end - 3];
	msg[2] = 0x85; /* an answer, authoritative, recursion desired */
	msg[3] = strcasecmp(first, "none") == 0   ? 0x83
	         : strcasecmp(first, "fail") == 0 ? 0x82
	                                          : 0x80;
	memset(msg + 6, 0, 6);
	len = end;
	if (type == 1 && strcasecmp(first, "two") == 0) {
		len += put_a(msg + len, 11);
		len += put_a(msg + len, 12);
		n = 2;
	} else if (type == 1 && (first[0] | 0x20) == 'a' && atoi(first + 1) > 0) {
		len += put_a(msg + len, atoi(first + 1));
		n = 1;
	} else if (type == 28 && strcasecmp(first, "six") == 0) {
		len += put_aaaa(msg + len);
		n = 1;
	}
	msg[7] = (uint8_t)n;
	return len;
}

/* Ends with the process that made it. */
static void serve(int dns, int count)
{
	struct pollfd fds[2] = { { .fd = dns, .events = POLLIN },
		                 { .fd = count, .events = POLLIN } };
	int asked = 0;

	while (poll(fds, 2, -1) >= 0) {
		struct sockaddr_in from;
		socklen_t from_len = sizeof(from);
		int fd = fds[0].revents ? dns : count;
		uint8_t msg[512];
		ssize_t n = recvfrom(fd, msg, sizeof(msg), 0, (struct sockaddr *)&from, &from_len);

		if (n <= 0)
			continue;
		if (fd == dns) {
			asked++;
			n = (ssize_t)alone_answer(msg, (size_t)n, sizeof(msg));
		} else {
			n = (ssize_t)sizeof(asked);
			memcpy(msg, &asked, sizeof(asked));
		}
		if (n > 0)
			sendto(fd, msg, (size_t)n, 0, (struct sockaddr *)&from, from_len);
	}
}

bool alone_begin(void)
{
	pid_t parent = getpid(), pid;
	int dns, count;

	if (!enter() || !raise_loopback())
		return false;
	dns = bind_port(DNS_PORT);
	count = bind_port(COUNT_PORT);
	if (dns < 0 || count < 0)
		return false;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent)
			serve(dns, count);
		_exit(0);
	}
	close(dns);
	close(count);
	return pid > 0;
}

int alone_questions(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		                  .sin_port = htons(COUNT_PORT),
		                  .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), asked = -1;

	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 && send(fd, "?", 1, 0) == 1 &&
	    recv(fd, &asked, sizeof(asked), 0) != sizeof(asked))
		asked = -1;
	close(fd);
	return asked;
}
