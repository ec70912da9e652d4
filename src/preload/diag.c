#include "diag.h"

#include "real.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <unistd.h>

int diag_open(void)
{
	int fd = real->socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
	                      NETLINK_SOCK_DIAG);

	return fd < 0 ? -errno : fd;
}

static void set_place(__be32 ip[4], __be16 *port, const struct endpoint *ep)
{
	memcpy(ip, ep->ip, ep->kind == ENDPOINT_IPV6 ? 16 : 4);
	*port = htons(ep->port);
}

/*
 * UDP's look-up takes the source for the sender of a packet that the socket would receive; TCP's
 * for the socket's own end.
 */
static int send_request(int fd, bool stream, const struct endpoint *from, const struct endpoint *to)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 body;
	} request = {
		.head = { .nlmsg_len = sizeof(request),
		          .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		          .nlmsg_flags = NLM_F_REQUEST },
		.body = { .sdiag_family = from->kind == ENDPOINT_IPV6 ? AF_INET6 : AF_INET,
		          .sdiag_protocol = stream ? IPPROTO_TCP : IPPROTO_UDP,
		          .idiag_states = ~0u,
		          .id.idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } },
	};
	struct inet_diag_sockid *id = &request.body.id;

	set_place(id->idiag_src, &id->idiag_sport, stream ? from : to);
	set_place(id->idiag_dst, &id->idiag_dport, stream ? to : from);
	return real->send(fd, &request, sizeof(request), 0) < 0 ? -errno : 0;
}

int diag_find_user(int fd, bool stream, const struct endpoint *from, const struct endpoint *to,
                   uid_t *user)
{
	union {
		struct nlmsghdr head;
		uint8_t octets[1024];
	} answer;
	const struct inet_diag_msg *msg = NLMSG_DATA(&answer.head);
	const struct nlmsgerr *said = NLMSG_DATA(&answer.head);
	ssize_t n;
	int err;

	if (from->kind != to->kind)
		return -ENOENT;
	err = send_request(fd, stream, from, to);
	if (err < 0)
		return err;
	/* The kernel has answered by now. */
	n = real->recv(fd, &answer, sizeof(answer), MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	if ((size_t)n >= NLMSG_LENGTH(sizeof(*said)) && answer.head.nlmsg_type == NLMSG_ERROR)
		return said->error < 0 ? said->error : -ENOENT;
	if ((size_t)n < NLMSG_LENGTH(sizeof(*msg)) || answer.head.nlmsg_type != SOCK_DIAG_BY_FAMILY)
		return -EPROTO;
	*user = msg->idiag_uid;
	return 0;
}
