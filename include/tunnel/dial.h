/* A socket through the proxy, by a deadline. */
#ifndef TUNNEL_DIAL_H
#define TUNNEL_DIAL_H

#include <base/endpoint.h>
#include <base/sys.h>
#include <config/url.h>
#include <socks/client.h>
#include <tunnel/wait.h>

#define DIAL_HOPS_MAX 16 /* addresses of one proxy that are tried */
#define DIAL_EASED    2  /* options of the program's that a handshake can't bear */

#define DIAL_HEARD_MAX 48 /* octets of an answer that is no SOCKS */

/* What a person tells apart, and what is timed. */
enum dial_step { DIAL_TCP, DIAL_METHOD, DIAL_CREDENTIALS, DIAL_REQUEST, DIAL_STEPS };

enum dial_state {
	DIAL_OVER,       /* nothing is under way */
	DIAL_CONNECTING, /* TCP to the hop */
	DIAL_TALKING,    /* SOCKS over it */
};

/* What happened, for a log line or --check; explain.h has it in words. */
struct dial_report {
	bool reached;            /* TCP to the proxy stood */
	struct endpoint hop;     /* the proxy's address that was tried last */
	enum client_stage stage; /* where the handshake ended, once reached */
	enum client_cause cause; /* CLIENT_CAUSE_NONE: the errno says it all */
	int code;                /* the reply's code, or -1 */
	const char *why;         /* in words; static, or NULL */
	struct endpoint bound;   /* BND of the reply, where it said yes */
	int64_t began_ms, ended_ms;
	int64_t step_us[DIAL_STEPS]; /* -1: not come to. DIAL_TCP is that of ->hop alone */
	/* How a peer that is no SOCKS server began. Nothing that came after a password was sent. */
	uint8_t heard[DIAL_HEARD_MAX];
	size_t n_heard;
};

struct dial {
	const struct sys *sys;
	struct waiter *waiter; /* of dial_connect() alone */
	/*
	 * NULL: there is none, and TCP to one of the hops is all (addresses of a name that goes
	 * direct).
	 */
	const struct proxy *proxy;
	uint8_t cmd; /* enum socks5_cmd; 0 is SOCKS5_CONNECT */
	/*
	 * The proxy's addresses, in the order to try, but for an AF_INET6 socket, which tries those
	 * of IPv6 first; never names.
	 */
	const struct endpoint *hops;
	size_t n_hops;
	int64_t deadline_ms; /* clock_ms() at which it ends in -ETIMEDOUT */
	struct dial_report report;
	/* While it is under way: what to wait for on fd (POLLIN or POLLOUT), and until when. */
	int fd;
	short events;
	int64_t until_ms;
	/* Private. */
	enum dial_state st;
	struct socks_client client; /* wiped at the end */
	int family;                 /* of fd */
	bool v6only;
	bool asked;                 /* just now: the answer was not looked for yet */
	size_t hop;                 /* place of the one that is tried; see hop_at() */
	bool eased;                 /* options were lifted for the handshake: */
	int eased_from[DIAL_EASED]; /* what they were */
	int64_t lap_us;             /* when the step began */
};

/*
 * Can a socket of @family (AF_INET, AF_INET6; @v6only: IPV6_V6ONLY is set) reach one of the proxy's
 * addresses? Where not, a socket of dial_family() can.
 */
bool dial_can_reach(const struct dial *d, int family, bool v6only);
int dial_family(const struct dial *d);

/*
 * Connect @fd, an unconnected stream socket, to @dst through the proxy. Its O_NONBLOCK is the same
 * afterwards; not one octet beyond the proxy's reply is read.
 *
 * Returns 0, or a negative errno as connect(2) has it:
 *   -EISCONN, -EALREADY  the kernel's own word on the socket's state (-EBADF, -ENOTSOCK too): it is
 *                        left as it was
 *   -EINTR               the waiter was interrupted
 *   -ETIMEDOUT           the deadline; an address of several that stays silent gets its share of it
 *   else                 see client_result(), or what TCP to the proxy said
 * After a failure of any but the first kind @fd is unconnected, without a pending error, and can be
 * connected again.
 */
int dial_connect(struct dial *d, int fd, const struct endpoint *dst);

/*
 * The same for who waits for many at once: dial_begin() starts, dial_step() goes on whenever fd has
 * one of d->events (or an error or hang-up; a call too many does no harm), and at d->until_ms.
 *
 * @waited  0, or how the wait ended: -ETIMEDOUT at d->until_ms, -EINTR
 *
 * Both return -EINPROGRESS while it is under way, else as dial_connect(). A struct that is under
 * way may be copied, and the copy carried on instead; d->fd may be changed to another descriptor of
 * the same socket.
 */
int dial_begin(struct dial *d, int fd, const struct endpoint *dst);
int dial_step(struct dial *d, int waited);

/*
 * From within the waiter: the wait will end in an error, or not return at all (a cancelled thread,
 * a handler that jumps out). Leaves @fd unconnected now, with its options as they were;
 * dial_connect(), if it goes on, does not touch @fd again, whatever a handler made of that number
 * meanwhile.
 */
void dial_abandon(struct dial *d, int fd);

/*
 * Likewise, where a copy of the dial is carried on by another one: nothing is done to the socket.
 */
void dial_leave(struct dial *d);

/* Back to an unconnected socket without a pending error. What was bound stays bound. */
void dial_dissolve(const struct sys *sys, int fd);

/* The failure in one line's worth of words: stage, cause, code, milliseconds. Returns @buf. */
char *dial_explain(const struct dial *d, int err, char *buf, size_t cap);

#endif
