/* io_uring: calls that the kernel takes from memory. By hand, and by liburing. */
#include "doors.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef HAVE_LIBURING
#include <liburing.h>
#endif

static struct sockaddr_storage web;
static socklen_t web_len;

struct ring {
	int fd;
	unsigned char *sq, *cq;
	struct io_uring_sqe *sqes;
	struct io_uring_params params;
};

static int ring_init(struct ring *r)
{
	struct io_uring_params *p = &r->params;
	size_t sq_len, cq_len;

	memset(r, 0, sizeof(*r));
	r->fd = (int)syscall(SYS_io_uring_setup, 4, p);
	if (r->fd < 0)
		return -errno;
	sq_len = p->sq_off.array + p->sq_entries * sizeof(unsigned);
	cq_len = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
	r->sq = mmap(NULL, sq_len, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_SQ_RING);
	r->cq = mmap(NULL, cq_len, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_CQ_RING);
	r->sqes = mmap(NULL, p->sq_entries * sizeof(*r->sqes), PROT_READ | PROT_WRITE, MAP_SHARED,
	               r->fd, IORING_OFF_SQES);
	if (r->sq == MAP_FAILED || r->cq == MAP_FAILED || r->sqes == MAP_FAILED)
		return -errno;
	return 0;
}

/* The first entry, and the only one: do it, and return its result. */
static int ring_do(struct ring *r)
{
	unsigned *tail = (unsigned *)(void *)(r->sq + r->params.sq_off.tail);
	unsigned *array = (unsigned *)(void *)(r->sq + r->params.sq_off.array);
	struct io_uring_cqe *cqe = (struct io_uring_cqe *)(void *)(r->cq + r->params.cq_off.cqes);

	array[0] = 0;
	__atomic_store_n(tail, 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return -errno;
	return cqe->res;
}

static int ring_connect(char **args)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), err;
	struct ring r;

	(void)args;
	web_len = door_address(&web, WEB4, 80);
	err = ring_init(&r);
	if (err < 0)
		return err;
	r.sqes[0].opcode = IORING_OP_CONNECT;
	r.sqes[0].fd = fd;
	r.sqes[0].addr = (size_t)&web;
	r.sqes[0].off = web_len;
	err = ring_do(&r);
	errno = err < 0 ? -err : 0;
	return door_fetch(fd, err);
}

static int ring_sendmsg(char **args)
{
	char text[] = "a datagram";
	struct iovec iov = { text, sizeof(text) };
	struct msghdr msg = { .msg_name = &web,
		              .msg_namelen = sizeof(struct sockaddr_in),
		              .msg_iov = &iov,
		              .msg_iovlen = 1 };
	int err;
	struct ring r;

	(void)args;
	web_len = door_address(&web, WEB4, 4433);
	err = ring_init(&r);
	if (err < 0)
		return err;
	r.sqes[0].opcode = IORING_OP_SENDMSG;
	r.sqes[0].fd = socket(AF_INET, SOCK_DGRAM, 0);
	r.sqes[0].addr = (size_t)&msg;
	r.sqes[0].len = 1;
	err = ring_do(&r);
	return err < 0 ? err : DOOR_SENT;
}

static int library_connect(char **args)
{
#ifdef HAVE_LIBURING
	int fd = socket(AF_INET, SOCK_STREAM, 0), err;
	struct io_uring_cqe *cqe;
	struct io_uring ring;

	(void)args;
	web_len = door_address(&web, WEB4, 80);
	err = io_uring_queue_init(4, &ring, 0);
	if (err < 0)
		return err;
	io_uring_prep_connect(io_uring_get_sqe(&ring), fd, (struct sockaddr *)&web, web_len);
	io_uring_submit(&ring);
	err = io_uring_wait_cqe(&ring, &cqe);
	if (err == 0)
		err = cqe->res;
	errno = err < 0 ? -err : 0;
	return door_fetch(fd, err);
#else
	(void)args;
	return door_lacks("built without liburing");
#endif
}

const struct door doors_ring[] = {
	{ "ring-connect", ring_connect, ALL_SEND, -ENOSYS, "ring" },
	{ "ring-sendmsg", ring_sendmsg, ALL_SEND, -ENOSYS, "ring" },
	{ "ring-connect-by-liburing", library_connect, ALL_SEND, -ENOSYS, "ring" },
	{ NULL, NULL, SENDS_NOTHING, 0, NULL },
};
