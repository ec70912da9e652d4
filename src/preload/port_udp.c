#include "port_udp.h"

#include "owner.h"
#include "questions.h"
#include "real.h"
#include "respond.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>

#define AT_ONCE 64 /* datagrams, before others have their turn */

/* The helper's alone. */
static uint8_t in[DNS_MESSAGE_MAX], out[PORT_UDP_MAX];

void port_udp_answer(const struct asker *a, const uint8_t *answer, size_t len)
{
	/* Who is gone need not hear it, and who has no room for it asks again. */
	if (a->port->watch.fd >= 0 && len > 0)
		(void)real->sendto(a->port->watch.fd, answer, len, MSG_NOSIGNAL | MSG_DONTWAIT,
		                   (const struct sockaddr *)&a->addr, a->len);
}

static void take(const struct asker *a, size_t len)
{
	struct response r;
	enum respond how = respond(in, len, true, out, sizeof(out), &r);

	switch (how) {
	case RESPOND_NOTHING:
		return;
	case RESPOND_ANSWER:
		break;
	case RESPOND_DIRECT:
	case RESPOND_TUNNEL:
	case RESPOND_PTR:
		if (questions_take(a, how, in, len, &r) == 0)
			return;
		r.len = respond_failure(in, &r, DNS_SERVFAIL, out, sizeof(out));
		break;
	}
	port_udp_answer(a, out, r.len);
}

void port_udp_ready(struct worker_watch *watch, uint32_t events)
{
	struct asker a = { .port = (struct port *)watch };
	int fd = watch->fd, err;

	/* What has nothing to do with a datagram would be shown again and again. */
	if (events & EPOLLERR)
		real->getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &(socklen_t){ sizeof(err) });
	for (int i = 0; i < AT_ONCE; i++) {
		ssize_t n;

		a.len = sizeof(a.addr);
		n = real->recvfrom(fd, in, sizeof(in), MSG_DONTWAIT | MSG_TRUNC,
		                   (struct sockaddr *)&a.addr, &a.len);
		if (n < 0)
			return;
		if (n > 0 && (size_t)n <= sizeof(in) && owner_may_ask(&a))
			take(&a, (size_t)n);
	}
}
