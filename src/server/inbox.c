#include "inbox.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* The kernel's word on how it joined some: the size of each but the last, which may be shorter. */
struct note {
	_Alignas(struct cmsghdr) char octets[CMSG_SPACE(sizeof(int))];
};

struct inbox {
	unsigned n, at;    /* messages, and the one that is being read */
	size_t pos, piece; /* in that one: where, and by which steps */
	struct mmsghdr messages[INBOX_SLOTS];
	struct iovec vecs[INBOX_SLOTS];
	union address from[INBOX_SLOTS];
	struct note notes[INBOX_SLOTS];
	uint8_t *slots;
};

/* What the kernel wrote there, back to what there is room for. */
static void reset_message(struct inbox *in, size_t i)
{
	in->messages[i].msg_hdr.msg_namelen = sizeof(in->from[i]);
	in->messages[i].msg_hdr.msg_controllen = sizeof(in->notes[i]);
}

struct inbox *inbox_new(void)
{
	struct inbox *in = calloc(1, sizeof(*in));

	if (!in)
		return NULL;
	/* Not malloc(): it may keep for good what was given back. */
	in->slots = mmap(NULL, (size_t)INBOX_SLOTS * INBOX_OCTETS, PROT_READ | PROT_WRITE,
	                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (in->slots == MAP_FAILED) {
		free(in);
		return NULL;
	}
	for (size_t i = 0; i < INBOX_SLOTS; i++) {
		in->vecs[i] = (struct iovec){ .iov_base = in->slots + i * INBOX_OCTETS,
			                      .iov_len = INBOX_OCTETS };
		in->messages[i].msg_hdr = (struct msghdr){ .msg_name = &in->from[i],
			                                   .msg_iov = &in->vecs[i],
			                                   .msg_iovlen = 1,
			                                   .msg_control = &in->notes[i] };
		reset_message(in, i);
	}
	return in;
}

void inbox_free(struct inbox *in)
{
	if (!in)
		return;
	munmap(in->slots, (size_t)INBOX_SLOTS * INBOX_OCTETS);
	free(in);
}

void inbox_prepare(int fd)
{
	static const int on = 1;

	(void)setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on));
}

/* By which steps a message is to be read: its whole length, where it is one datagram. */
static size_t piece_of(struct mmsghdr *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(&m->msg_hdr);
	int size = 0;

	if (c && c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO)
		memcpy(&size, CMSG_DATA(c), sizeof(size));
	return size > 0 ? (size_t)size : m->msg_len;
}

static void open_message(struct inbox *in)
{
	in->pos = 0;
	if (in->at < in->n)
		in->piece = piece_of(&in->messages[in->at]);
}

int inbox_receive(struct inbox *in, int fd)
{
	int n;

	for (size_t i = 0; i < in->n; i++)
		reset_message(in, i);
	do {
		n = recvmmsg(fd, in->messages, INBOX_SLOTS, MSG_DONTWAIT, NULL);
	} while (n < 0 && errno == EINTR);
	in->n = n > 0 ? (unsigned)n : 0;
	in->at = 0;
	open_message(in);
	return n < 0 ? -errno : n;
}

bool inbox_next(struct inbox *in, struct inbox_datagram *d, uint64_t *truncated)
{
	struct mmsghdr *m;
	size_t left;

	for (; in->at < in->n; in->at++, open_message(in)) {
		m = &in->messages[in->at];
		if (m->msg_hdr.msg_flags & MSG_TRUNC) {
			*truncated += 1;
			continue;
		}
		left = m->msg_len - in->pos;
		d->from = &in->from[in->at];
		d->data = in->vecs[in->at].iov_base;
		d->data += in->pos;
		d->len = in->piece < left ? in->piece : left;
		in->pos += d->len;
		if (in->pos == m->msg_len) {
			in->at++;
			open_message(in);
		}
		return true;
	}
	return false;
}
