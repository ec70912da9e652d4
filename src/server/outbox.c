#include "outbox.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES   64
#define DATAGRAMS  256
#define VECS       (2 * DATAGRAMS) /* header and data */
#define JOINT      64              /* datagrams of one message: UDP_MAX_SEGMENTS of most kernels */
#define JOINT_MAX  65507           /* octets of one message: what IPv4 can carry */
#define HEADER_GAP 24

struct segment {
	_Alignas(struct cmsghdr) char octets[CMSG_SPACE(sizeof(uint16_t))];
};

struct message {
	uint32_t octets;  /* of data */
	uint32_t on_wire; /* and with the headers */
	uint16_t size;    /* of each datagram but the last, which may be shorter */
	uint8_t n;        /* datagrams */
	uint8_t each;     /* vectors of one datagram */
	bool open;        /* more may join */
};

struct outbox {
	struct outlet *via; /* NULL while empty */
	unsigned n, n_vecs, n_datagrams;
	struct mmsghdr heads[MESSAGES];
	struct message messages[MESSAGES];
	union address to[MESSAGES];
	struct segment segments[MESSAGES];
	struct iovec vecs[VECS];
	uint8_t headers[DATAGRAMS][HEADER_GAP];
};

struct outbox *outbox_new(void)
{
	return calloc(1, sizeof(struct outbox));
}

void outbox_free(struct outbox *o)
{
	free(o);
}

/* Adding */

static bool joins(const struct outbox *o, const union address *to, size_t each, size_t size)
{
	const struct message *last;
	const union address *same;

	if (o->n == 0 || size == 0)
		return false;
	last = &o->messages[o->n - 1];
	same = o->heads[o->n - 1].msg_hdr.msg_name;
	return last->open && size <= last->size && last->each == each && last->n < JOINT &&
	       last->on_wire + size <= JOINT_MAX && (to != NULL) == (same != NULL) &&
	       (!to || memcmp(to, same, address_len(to)) == 0);
}

static void open_message(struct outbox *o, const union address *to, size_t each, size_t size)
{
	struct msghdr *h = &o->heads[o->n].msg_hdr;

	*h = (struct msghdr){ .msg_iov = &o->vecs[o->n_vecs] };
	if (to) {
		memcpy(&o->to[o->n], to, address_len(to));
		h->msg_name = &o->to[o->n];
		h->msg_namelen = address_len(to);
	}
	o->messages[o->n] = (struct message){ .size = (uint16_t)size,
		                              .each = (uint8_t)each,
		                              .open = size <= o->via->joint_max };
	o->n++;
}

static void put_vec(struct outbox *o, const uint8_t *at, size_t len)
{
	/* sendmsg(2) doesn't write there. */
	o->vecs[o->n_vecs++] = (struct iovec){ .iov_base = (uint8_t *)(uintptr_t)at,
		                               .iov_len = len };
	o->heads[o->n - 1].msg_hdr.msg_iovlen++;
}

void outbox_add(struct outbox *o, struct outlet *via, const union address *to,
                const uint8_t *header, size_t header_len, const uint8_t *data, size_t len)
{
	size_t each = header_len > 0 ? 2 : 1, size = header_len + len;
	uint8_t *copy;
	struct message *m;

	if (o->via != via || o->n_datagrams == DATAGRAMS ||
	    (o->n == MESSAGES && !joins(o, to, each, size)))
		outbox_flush(o);
	o->via = via;
	if (!joins(o, to, each, size))
		open_message(o, to, each, size);
	m = &o->messages[o->n - 1];
	if (header_len > 0) {
		copy = o->headers[o->n_datagrams];
		memcpy(copy, header, header_len);
		put_vec(o, copy, header_len);
	}
	put_vec(o, data, len);
	o->n_datagrams++;
	m->n++;
	m->octets += (uint32_t)len;
	m->on_wire += (uint32_t)size;
	if (size < m->size)
		m->open = false;
}

/* Sending */

static void count_sent(struct outbox *o, const struct message *m)
{
	o->via->count->datagrams += m->n;
	o->via->count->octets += m->octets;
}

static void note_segments(struct outbox *o, unsigned i)
{
	struct msghdr *h = &o->heads[i].msg_hdr;
	struct cmsghdr *c;

	if (o->messages[i].n < 2)
		return;
	h->msg_control = &o->segments[i];
	h->msg_controllen = sizeof(o->segments[i]);
	c = CMSG_FIRSTHDR(h);
	c->cmsg_level = IPPROTO_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(uint16_t));
	memcpy(CMSG_DATA(c), &o->messages[i].size, sizeof(uint16_t));
}

/* Some devices don't cut, and none cuts to pieces that it couldn't carry whole. */
static void send_apart(struct outbox *o, unsigned i)
{
	const struct message *m = &o->messages[i];
	struct msghdr one = o->heads[i].msg_hdr;
	struct message sent = { .n = 1 };
	ssize_t n;

	one.msg_control = NULL;
	one.msg_controllen = 0;
	one.msg_iovlen = m->each;
	for (unsigned k = 0; k < m->n; k++, one.msg_iov += m->each) {
		do {
			n = sendmsg(o->via->fd, &one, MSG_DONTWAIT | MSG_NOSIGNAL);
		} while (n < 0 && errno == EINTR);
		sent.octets = (uint32_t)one.msg_iov[m->each - 1u].iov_len;
		if (n < 0)
			o->via->count->dropped++;
		else
			count_sent(o, &sent);
	}
}

/* It can't be sent as it is. */
static void give_up(struct outbox *o, unsigned i, int err)
{
	const struct message *m = &o->messages[i];

	if (m->n > 1 && (err == EINVAL || err == EMSGSIZE || err == EIO || err == EOPNOTSUPP)) {
		o->via->joint_max = err == EINVAL || err == EMSGSIZE ? m->size - 1u : 0;
		send_apart(o, i);
	} else {
		o->via->count->dropped += m->n;
	}
}

void outbox_flush(struct outbox *o)
{
	unsigned at = 0;
	bool again = false;
	int n;

	for (unsigned i = 0; i < o->n; i++)
		note_segments(o, i);
	while (at < o->n) {
		n = sendmmsg(o->via->fd, o->heads + at, o->n - at, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		/* A connected socket may tell of what an earlier one met, and send nothing. */
		if (n < 0 && errno != EAGAIN && !again && !o->heads[at].msg_hdr.msg_name) {
			again = true;
			continue;
		}
		again = false;
		if (n < 0) {
			give_up(o, at++, errno);
			continue;
		}
		for (; n > 0; n--)
			count_sent(o, &o->messages[at++]);
	}
	o->via = NULL;
	o->n = 0;
	o->n_vecs = 0;
	o->n_datagrams = 0;
}
