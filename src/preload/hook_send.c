/*
 * Sends. One that carries an address of its own is judged like a connect(): a datagram to a name
 * server goes to the port that stands for it, others that are not direct are refused. MSG_FASTOPEN
 * connects and sends in one call, a door beside connect(): it is made a connect and a send.
 *
 * Without an address it goes to the socket's own peer, whom connect() has judged; but for those of
 * probe.h and stranger.h.
 */
#include "audit.h"
#include "detour.h"
#include "leash.h"
#include "pointed.h"
#include "probe.h"
#include "real.h"
#include "stranger.h"
#include "stray.h"

#include <errno.h>
#include <string.h>

#define CHUNK 16 /* messages of one sendmmsg() that are made anew together */

/* One message as it goes out. */
struct outgoing {
	bool translated;
	bool plain; /* without the program's control data: it chooses where to send from */
	socklen_t len;
	struct sockaddr_storage to;
};

/* To an address that an internet socket may be able to take. */
static int admit_datagram(int fd, const struct path_socket *sock, const struct sockaddr *sa,
                          socklen_t len, struct outgoing *out)
{
	struct path path;
	int err;

	if (path_is_misfit(fd, sock, sa) || !path_find(&path, sock, sa, len, true))
		return 0;
	switch (path.route.kind) {
	case ROUTE_DIRECT:
		(void)strangers_are_there(); /* what they have is taken from them */
		if (stray_is(fd, sock, &path))
			return path_refuse(&path);
		audit_direct(&path);
		break;
	case ROUTE_PROXY: /* TCP alone has that */
		break;
	case ROUTE_REFUSE:
		return path_refuse(&path);
	case ROUTE_ANSWER:
		err = pointed_target(fd, sock, &path, &out->to, &out->len);
		out->translated = err == 0;
		return err;
	}
	return 0;
}

/*
 * May this send go on, as @out says, but for MSG_FASTOPEN? 0, or a negative errno. @sa is not NULL.
 */
static int admit(int fd, const struct sockaddr *sa, socklen_t len, int flags, struct outgoing *out)
{
	struct path_socket sock;

	/* Whatever its family says: a packet socket doesn't look at that. */
	if (len < sizeof(sa->sa_family))
		return 0;
	switch (path_judge(fd, &sock)) {
	case PATH_KERNEL:
		return 0;
	case PATH_NOBODY:
		return path_refuse_socket(&sock);
	case PATH_OURS:
		break;
	}
	if (sa->sa_family != AF_INET && sa->sa_family != AF_INET6 && sa->sa_family != AF_UNSPEC)
		return 0;
	if (!path_is_tcp(&sock))
		return admit_datagram(fd, &sock, sa, len, out);
	/* TCP pays no heed to the address but for MSG_FASTOPEN. */
	if (!(flags & MSG_FASTOPEN))
		return 0;
	if (sa->sa_family == AF_UNSPEC)
		return -EOPNOTSUPP; /* as the kernel; connect() would cut the connection */
	return hook_connect(fd, sa, len) < 0 ? -errno : 0;
}

/* To the socket's own peer, where no address counts. */
static int admit_peer(int fd, const struct sockaddr *sa, socklen_t len)
{
	int err = probe_judge_send(fd, sa, len);

	if (err == 0 && (!sa || len < sizeof(sa->sa_family) || sa->sa_family == AF_UNSPEC))
		err = stranger_judge_send(fd);
	return err;
}

/* What the control data chooses. TCP pays no heed to it. */
static int admit_control(int fd, const struct msghdr *msg)
{
	struct path_socket sock;
	bool detour;

	if (!msg->msg_control || msg->msg_controllen == 0)
		return 0;
	detour = detour_is_in(msg);
	if ((!detour && !stray_is_in(msg)) || path_judge(fd, &sock) != PATH_OURS ||
	    path_is_tcp(&sock))
		return 0;
	return detour ? detour_refuse() : stray_judge_message(fd, &sock, msg);
}

/*
 * The same of a message. An IPv6 socket takes an address without a family for none at all: its peer
 * counts then, too.
 */
static int admit_message(int fd, const struct msghdr *msg, int flags, struct outgoing *out)
{
	int err = 0;

	out->translated = out->plain = false;
	if (msg->msg_name)
		err = admit(fd, msg->msg_name, msg->msg_namelen, flags, out);
	if (err == 0)
		err = admit_peer(fd, msg->msg_name, msg->msg_namelen);
	if (err < 0)
		return err;
	if (ports_are_used()) {
		if (!out->translated)
			pointed_wake(fd);
		out->plain = !leash_suits(msg) && (out->translated || pointed_has(fd));
	}
	return out->plain ? 0 : admit_control(fd, msg);
}

static void address(struct msghdr *msg, struct outgoing *out)
{
	if (out->translated) {
		msg->msg_name = &out->to;
		msg->msg_namelen = out->len;
	}
	if (out->plain) {
		msg->msg_control = NULL;
		msg->msg_controllen = 0;
	}
}

ssize_t hook_send(int fd, const void *buf, size_t n, int flags)
{
	if (admit_peer(fd, NULL, 0) < 0) {
		errno = EACCES;
		return -1;
	}
	if (ports_are_used())
		pointed_wake(fd);
	return real->send(fd, buf, n, flags);
}

ssize_t hook_sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *sa,
                    socklen_t len)
{
	struct outgoing out = { .translated = false };
	int saved = errno, err = 0;

	if (sa)
		err = admit(fd, sa, len, flags, &out);
	if (err == 0)
		err = admit_peer(fd, sa, len);
	if (err == 0 && !sa && ports_are_used())
		pointed_wake(fd);
	errno = err < 0 ? -err : saved;
	if (err < 0)
		return -1;
	if (out.translated)
		return real->sendto(fd, buf, n, flags & ~MSG_FASTOPEN, (struct sockaddr *)&out.to,
		                    out.len);
	return real->sendto(fd, buf, n, flags & ~MSG_FASTOPEN, sa, len);
}

ssize_t hook_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	struct outgoing out = { .translated = false };
	int saved = errno, err = msg ? admit_message(fd, msg, flags, &out) : 0;
	struct msghdr own;

	errno = err < 0 ? -err : saved;
	if (err < 0)
		return -1;
	if (out.translated || out.plain) {
		own = *msg;
		address(&own, &out);
		msg = &own;
	}
	return real->sendmsg(fd, msg, flags & ~MSG_FASTOPEN);
}

struct chunk {
	struct mmsghdr vec[CHUNK];
	struct outgoing out[CHUNK];
};

/*
 * Send up to CHUNK messages. Those before the first that is refused are sent, as the kernel does
 * with errors. Returns how many, or a negative errno.
 */
static int send_chunk(int fd, struct mmsghdr *vec, unsigned n, int flags, struct chunk *c)
{
	unsigned ready = 0;
	int err = 0, sent;

	for (; ready < n; ready++) {
		err = admit_message(fd, &vec[ready].msg_hdr, flags, &c->out[ready]);
		if (err < 0)
			break;
		c->vec[ready] = vec[ready];
		address(&c->vec[ready].msg_hdr, &c->out[ready]);
	}
	if (ready == 0)
		return err;
	sent = real->sendmmsg(fd, c->vec, ready, flags & ~MSG_FASTOPEN);
	if (sent < 0)
		return -errno;
	for (int i = 0; i < sent; i++)
		vec[i].msg_len = c->vec[i].msg_len;
	return sent;
}

static bool are_to_judge(const struct mmsghdr *vec, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (vec[i].msg_hdr.msg_name || vec[i].msg_hdr.msg_control)
			return true;
	return false;
}

int hook_sendmmsg(int fd, struct mmsghdr *vec, unsigned n, int flags)
{
	int saved = errno, sent = 0;
	unsigned done = 0, now;
	struct chunk c;

	if (!vec || n == 0 ||
	    (!ports_are_used() && !probes_are_there() && !strangers_are_there() &&
	     !are_to_judge(vec, n)))
		return real->sendmmsg(fd, vec, n, flags & ~MSG_FASTOPEN);
	do {
		now = n - done < CHUNK ? n - done : CHUNK;
		errno = saved;
		sent = send_chunk(fd, vec + done, now, flags, &c);
		if (sent > 0)
			done += (unsigned)sent;
	} while (sent == CHUNK && done < n);
	errno = sent < 0 && done == 0 ? -sent : saved;
	return sent < 0 && done == 0 ? -1 : (int)done;
}
