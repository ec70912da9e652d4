/* Where a datagram came from: from the name server that was asked, and not from a port of ours. */
#include "pointed.h"
#include "real.h"
#include "stranger.h"

#include <errno.h>
#include <stdint.h>

/* Messages of one recvmmsg() that are translated: as many as sendmmsg() takes. */
#define ROOMS_MAX 1024

/* @room  the program's, before the call; @len is told by the kernel */
static void show(void *name, socklen_t *len, socklen_t room)
{
	int saved = errno;

	if (!ports_are_used() || !name)
		return;
	pointed_show(name, len, room);
	errno = saved;
}

/* A message, with the descriptors that came along. */
static void show_message(struct msghdr *msg, socklen_t room)
{
	show(msg->msg_name, &msg->msg_namelen, room);
	if (msg->msg_control && msg->msg_controllen > 0)
		stranger_seek_message(msg);
}

ssize_t hook_recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *sa, socklen_t *len)
{
	socklen_t room = sa && len ? *len : 0;
	ssize_t r = real->recvfrom(fd, buf, n, flags, sa, len);

	if (r >= 0 && len)
		show(sa, len, room);
	return r;
}

ssize_t hook___recvfrom_chk(int fd, void *buf, size_t n, size_t size, int flags,
                            struct sockaddr *sa, socklen_t *len)
{
	socklen_t room = sa && len ? *len : 0;
	ssize_t r = real->__recvfrom_chk(fd, buf, n, size, flags, sa, len);

	if (r >= 0 && len)
		show(sa, len, room);
	return r;
}

ssize_t hook_recvmsg(int fd, struct msghdr *msg, int flags)
{
	socklen_t room = msg ? msg->msg_namelen : 0;
	ssize_t r = real->recvmsg(fd, msg, flags);

	if (r >= 0)
		show_message(msg, room);
	return r;
}

ssize_t hook___recvmsg64(int fd, struct msghdr *msg, int flags)
{
	socklen_t room = msg ? msg->msg_namelen : 0;
	ssize_t r = real->__recvmsg64(fd, msg, flags);

	if (r >= 0)
		show_message(msg, room);
	return r;
}

/* What the program has room for in each message, up to what any address takes. */
struct rooms {
	unsigned n;
	uint8_t of[ROOMS_MAX];
};

static void read_rooms(struct rooms *rooms, const struct mmsghdr *vec, unsigned *n)
{
	if (*n > ROOMS_MAX && ports_are_used())
		*n = ROOMS_MAX;
	rooms->n = vec ? *n : 0;
	if (rooms->n > ROOMS_MAX)
		rooms->n = ROOMS_MAX;
	for (unsigned i = 0; i < rooms->n; i++) {
		socklen_t room = vec[i].msg_hdr.msg_namelen;

		rooms->of[i] = (uint8_t)(room < UINT8_MAX ? room : UINT8_MAX);
	}
}

static void show_all(const struct rooms *rooms, struct mmsghdr *vec, int got)
{
	for (unsigned i = 0; got > 0 && i < (unsigned)got && i < rooms->n; i++)
		show_message(&vec[i].msg_hdr, rooms->of[i]);
}

int hook_recvmmsg(int fd, struct mmsghdr *vec, unsigned n, int flags, struct timespec *timeout)
{
	struct rooms rooms;
	int got;

	read_rooms(&rooms, vec, &n);
	got = real->recvmmsg(fd, vec, n, flags, timeout);
	show_all(&rooms, vec, got);
	return got;
}

int hook___recvmmsg64(int fd, struct mmsghdr *vec, unsigned n, int flags, void *timeout)
{
	struct rooms rooms;
	int got;

	read_rooms(&rooms, vec, &n);
	got = real->__recvmmsg64(fd, vec, n, flags, timeout);
	show_all(&rooms, vec, got);
	return got;
}
