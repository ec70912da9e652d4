/*
 * How it works: rtnetlink answers within send(2), so that the answer is there for the recv(2) that
 * follows. One socket serves all threads, in turns of a few microseconds. Where it can't be had
 * (an old sandbox, another kernel's rtnetlink) a datagram socket is bound to the address: only an
 * own one can be.
 */
#include "routes.h"

#include "address.h"

#include <base/clock.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MEMORY     64 /* addresses, a power of 2 */
#define ANSWER_MAX 4096

struct known {
	enum endpoint_kind kind; /* ENDPOINT_NONE: an empty place */
	uint8_t ip[16];
	int64_t until_ms;
	enum routes_answer answer;
};

struct routes {
	pthread_mutex_t lock; /* for all below */
	int fd;               /* -1: none */
	uint32_t seq;
	struct known memory[MEMORY];
};

struct question {
	struct nlmsghdr head;
	struct rtmsg route;
	struct rtattr dst;
	uint8_t ip[16];
};

struct routes *routes_new(void)
{
	struct routes *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	(void)pthread_mutex_init(&r->lock, NULL);
	r->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	return r;
}

void routes_free(struct routes *r)
{
	if (!r)
		return;
	if (r->fd >= 0)
		close(r->fd);
	(void)pthread_mutex_destroy(&r->lock);
	free(r);
}

static size_t ip_len(const struct endpoint *ep)
{
	return ep->kind == ENDPOINT_IPV4 ? 4 : 16;
}

static bool is_sent(const struct routes *r, const struct endpoint *ep)
{
	struct question q = {
		.head = { .nlmsg_type = RTM_GETROUTE,
		          .nlmsg_flags = NLM_F_REQUEST,
		          .nlmsg_seq = r->seq },
		.route = { .rtm_family = ep->kind == ENDPOINT_IPV4 ? AF_INET : AF_INET6,
		           .rtm_dst_len = (uint8_t)(8 * ip_len(ep)) },
		.dst = { .rta_type = RTA_DST, .rta_len = (uint16_t)RTA_LENGTH(ip_len(ep)) },
	};
	ssize_t n;

	memcpy(q.ip, ep->ip, ip_len(ep));
	q.head.nlmsg_len = (uint32_t)(offsetof(struct question, ip) + ip_len(ep));
	do
		n = send(r->fd, &q, q.head.nlmsg_len, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)q.head.nlmsg_len;
}

/* An errno in the place of a route: is it the kernel's way to say "there is none". */
static enum routes_answer read_error(int err)
{
	switch (-err) {
	case ENETUNREACH:
	case EHOSTUNREACH:
	case EACCES: /* a route of type prohibit */
	case EINVAL: /* and one of type blackhole */
		return ROUTES_ELSEWHERE;
	default:
		return ROUTES_NO_IDEA;
	}
}

static enum routes_answer read_route(const struct rtmsg *route)
{
	switch (route->rtm_type) {
	case RTN_LOCAL:
	case RTN_BROADCAST:
	case RTN_ANYCAST:
	case RTN_MULTICAST:
		return ROUTES_OWN;
	default:
		return ROUTES_ELSEWHERE;
	}
}

static enum routes_answer ask_kernel(struct routes *r, const struct endpoint *ep)
{
	union {
		struct nlmsghdr head;
		uint8_t octets[ANSWER_MAX];
	} m;
	const void *body = m.octets + NLMSG_HDRLEN;
	ssize_t n;

	r->seq++;
	if (r->fd < 0 || !is_sent(r, ep))
		return ROUTES_NO_IDEA;
	for (;;) {
		n = recv(r->fd, &m, sizeof(m), MSG_DONTWAIT);
		/* ENOBUFS tells of something lost, and that once. */
		if (n < 0 && (errno == EINTR || errno == ENOBUFS))
			continue;
		if (n < 0)
			return ROUTES_NO_IDEA;
		/* A late answer to a question that was given up. */
		if (n < (ssize_t)sizeof(m.head) || m.head.nlmsg_seq != r->seq)
			continue;
		if (m.head.nlmsg_type == NLMSG_ERROR &&
		    n >= (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)))
			return read_error(((const struct nlmsgerr *)body)->error);
		if (m.head.nlmsg_type == RTM_NEWROUTE &&
		    n >= (ssize_t)NLMSG_LENGTH(sizeof(struct rtmsg)))
			return read_route(body);
		return ROUTES_NO_IDEA;
	}
}

static enum routes_answer try_bind(const struct endpoint *ep)
{
	enum routes_answer answer;
	union address at;
	int fd;

	address_from_endpoint(&at, ep);
	if (at.sa.sa_family == AF_INET)
		at.in.sin_port = 0;
	else
		at.in6.sin6_port = 0;
	fd = socket(at.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	/* Nor can anything be sent there. */
	if (fd < 0 && errno == EAFNOSUPPORT)
		return ROUTES_ELSEWHERE;
	if (fd < 0)
		return ROUTES_NO_IDEA;
	answer = bind(fd, &at.sa, address_len(&at)) == 0 ? ROUTES_OWN
	         : errno == EADDRNOTAVAIL                ? ROUTES_ELSEWHERE
	                                                 : ROUTES_NO_IDEA;
	close(fd);
	return answer;
}

static struct known *place_of(struct routes *r, const struct endpoint *ep)
{
	unsigned h = 0;

	for (size_t i = 0; i < ip_len(ep); i++)
		h = h * 31 + ep->ip[i];
	return &r->memory[(h ^ h >> 8) & (MEMORY - 1)];
}

enum routes_answer routes_ask(struct routes *r, const struct endpoint *ep)
{
	struct endpoint plain = *ep;
	int64_t now_ms = clock_ms();
	enum routes_answer answer;
	struct known *k;

	endpoint_unmap(&plain);
	(void)pthread_mutex_lock(&r->lock);
	k = place_of(r, &plain);
	if (k->kind == plain.kind && now_ms < k->until_ms &&
	    memcmp(k->ip, plain.ip, sizeof(k->ip)) == 0) {
		answer = k->answer;
	} else {
		answer = ask_kernel(r, &plain);
		if (answer == ROUTES_NO_IDEA)
			answer = try_bind(&plain);
		if (answer != ROUTES_NO_IDEA) {
			*k = (struct known){ .kind = plain.kind,
				             .until_ms = now_ms + ROUTES_MEMORY_MS,
				             .answer = answer };
			memcpy(k->ip, plain.ip, sizeof(k->ip));
		}
	}
	(void)pthread_mutex_unlock(&r->lock);
	return answer;
}
