#include "options.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51 /* Linux 6.3; not in every libc's headers */
#endif

/* Retries of a SYN, which take longer than any deadline of ours. */
#define SYNCNT_MAX 127
#define OPTION_MAX 64 /* octets of the longest value: names of interfaces and congestion controls */

/*
 * What is copied. Left out, with reasons: SO_ERROR, SO_TYPE and all that only reads;
 * SO_ATTACH_FILTER and SO_LOCK_FILTER, which can't be read back whole; SO_INCOMING_*, TCP_INFO,
 * TCP_REPAIR, which tell of the connection; TCP_ULP and TCP_MD5SIG, which bind it to a peer that
 * the proxy is not; TCP_FASTOPEN_CONNECT, which opens a door beside connect(); TCP_DEFER_ACCEPT and
 * SO_ACCEPTCONN, which are a listener's; memberships of
 * multicast groups, which TCP has no use for; IP_OPTIONS and IPV6_RTHDR, which are a path to a
 * host that the proxy is not; SO_RESERVE_MEM, SO_TXREHASH and what else the kernel keeps for those
 * who tune it, since the next connect of the same program sets them in the same place.
 */
enum kind {
	PLAIN,
	DOUBLED, /* the kernel stores twice what was set */
	LIFTED,
};

static const struct option {
	int level, name;
	enum kind kind;
} options[] = {
	{ SOL_SOCKET, SO_BINDTODEVICE, LIFTED },
	{ SOL_SOCKET, SO_MARK, LIFTED },
	{ SOL_SOCKET, SO_PRIORITY, PLAIN },
	{ SOL_SOCKET, SO_REUSEADDR, PLAIN },
	{ SOL_SOCKET, SO_REUSEPORT, PLAIN },
	{ SOL_SOCKET, SO_KEEPALIVE, PLAIN },
	{ SOL_SOCKET, SO_LINGER, PLAIN },
	{ SOL_SOCKET, SO_OOBINLINE, PLAIN },
	{ SOL_SOCKET, SO_DONTROUTE, PLAIN },
	{ SOL_SOCKET, SO_RCVLOWAT, PLAIN },
	{ SOL_SOCKET, SO_RCVTIMEO, PLAIN },
	{ SOL_SOCKET, SO_SNDTIMEO, PLAIN },
	{ SOL_SOCKET, SO_RCVBUF, DOUBLED },
	{ SOL_SOCKET, SO_SNDBUF, DOUBLED },
	{ SOL_SOCKET, SO_TIMESTAMP, PLAIN },
	{ SOL_SOCKET, SO_TIMESTAMPNS, PLAIN },
#if __SIZEOF_LONG__ == 4
	/* Of 64-bit time. SO_TIMESTAMPING_NEW reads the same whichever of the two was set. */
	{ SOL_SOCKET, SO_TIMESTAMP_NEW, PLAIN },
	{ SOL_SOCKET, SO_TIMESTAMPNS_NEW, PLAIN },
#endif
	{ SOL_SOCKET, SO_TIMESTAMPING, PLAIN },
	{ SOL_SOCKET, SO_BUSY_POLL, PLAIN },
	{ SOL_SOCKET, SO_RXQ_OVFL, PLAIN },
	{ SOL_SOCKET, SO_ZEROCOPY, PLAIN },
	{ SOL_SOCKET, SO_MAX_PACING_RATE, PLAIN },
	{ IPPROTO_TCP, TCP_NODELAY, PLAIN },
	{ IPPROTO_TCP, TCP_CORK, PLAIN },
	{ IPPROTO_TCP, TCP_KEEPIDLE, PLAIN },
	{ IPPROTO_TCP, TCP_KEEPINTVL, PLAIN },
	{ IPPROTO_TCP, TCP_KEEPCNT, PLAIN },
	{ IPPROTO_TCP, TCP_USER_TIMEOUT, LIFTED },
	{ IPPROTO_TCP, TCP_SYNCNT, LIFTED },
	{ IPPROTO_TCP, TCP_LINGER2, PLAIN },
	{ IPPROTO_TCP, TCP_MAXSEG, PLAIN },
	{ IPPROTO_TCP, TCP_WINDOW_CLAMP, PLAIN },
	{ IPPROTO_TCP, TCP_NOTSENT_LOWAT, PLAIN },
	{ IPPROTO_TCP, TCP_QUICKACK, PLAIN },
	{ IPPROTO_TCP, TCP_INQ, PLAIN },
	{ IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, PLAIN },
	{ IPPROTO_TCP, TCP_TX_DELAY, PLAIN },
	{ IPPROTO_TCP, TCP_CONGESTION, PLAIN },
	{ IPPROTO_IP, IP_TOS, PLAIN },
	{ IPPROTO_IP, IP_TTL, PLAIN },
	{ IPPROTO_IP, IP_MTU_DISCOVER, PLAIN },
	{ IPPROTO_IP, IP_MINTTL, PLAIN },
	{ IPPROTO_IP, IP_RECVTOS, PLAIN },
	{ IPPROTO_IP, IP_RECVTTL, PLAIN },
	{ IPPROTO_IP, IP_RECVERR, PLAIN },
	{ IPPROTO_IP, IP_FREEBIND, PLAIN },
	{ IPPROTO_IP, IP_TRANSPARENT, PLAIN },
	{ IPPROTO_IP, IP_LOCAL_PORT_RANGE, PLAIN },
	{ IPPROTO_IPV6, IPV6_TCLASS, PLAIN },
	{ IPPROTO_IPV6, IPV6_UNICAST_HOPS, PLAIN },
	{ IPPROTO_IPV6, IPV6_MTU_DISCOVER, PLAIN },
	{ IPPROTO_IPV6, IPV6_RECVTCLASS, PLAIN },
	{ IPPROTO_IPV6, IPV6_RECVHOPLIMIT, PLAIN },
	{ IPPROTO_IPV6, IPV6_RECVERR, PLAIN },
	{ IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, PLAIN },
};

#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

/*
 * What the options of an untouched socket are, asked once for each family. Where sysctls have
 * changed them since, one is set that needn't be.
 */
struct untouched {
	atomic_int state;
	int8_t len[N_OPTIONS]; /* -1: it has none such */
	char value[N_OPTIONS][OPTION_MAX];
};

enum { UNKNOWN, BEING_ASKED, KNOWN };

/* @fd is untouched. NULL while another thread asks. */
static const struct untouched *untouched(const struct sys *sys, int fd, int family)
{
	static struct untouched of_ipv4, of_ipv6;
	struct untouched *u = family == AF_INET6 ? &of_ipv6 : &of_ipv4;
	int unknown = UNKNOWN;

	if (atomic_load_explicit(&u->state, memory_order_acquire) == KNOWN)
		return u;
	if (!atomic_compare_exchange_strong(&u->state, &unknown, BEING_ASKED))
		return NULL;
	for (size_t i = 0; i < N_OPTIONS; i++) {
		socklen_t len = OPTION_MAX;

		u->len[i] = -1;
		if (sys->getsockopt(fd, options[i].level, options[i].name, u->value[i], &len) == 0)
			u->len[i] = (int8_t)len;
	}
	atomic_store_explicit(&u->state, KNOWN, memory_order_release);
	return u;
}

/*
 * What the program left alone stays so: setting a buffer to its own size would fix it there.
 *
 * @u  may be NULL: both sockets are asked
 */
static void copy_option(const struct sys *sys, int from, int to, size_t i,
                        const struct untouched *u)
{
	const struct option *o = &options[i];
	char value[OPTION_MAX], fresh[OPTION_MAX];
	socklen_t len = sizeof(value), fresh_len = sizeof(fresh);
	int number;

	if (u && u->len[i] < 0)
		return;
	if (sys->getsockopt(from, o->level, o->name, value, &len) < 0)
		return;
	if (u && len == (socklen_t)u->len[i] && memcmp(value, u->value[i], len) == 0)
		return;
	if (sys->getsockopt(to, o->level, o->name, fresh, &fresh_len) == 0 && len == fresh_len &&
	    memcmp(value, fresh, len) == 0)
		return;
	if (o->kind == DOUBLED && len == sizeof(number)) {
		memcpy(&number, value, sizeof(number));
		number /= 2;
		memcpy(value, &number, sizeof(number));
	}
	sys->setsockopt(to, o->level, o->name, value, len);
}

/* On the wire an IPv4 socket's TOS and TTL become an IPv6 one's class and hop limit. */
static void copy_ip_fields(const struct sys *sys, int from, int to, int family)
{
	static const int pairs[][2] = { { IP_TOS, IPV6_TCLASS }, { IP_TTL, IPV6_UNICAST_HOPS } };

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		int v4 = pairs[i][0], v6 = pairs[i][1], value, standard = -1;
		bool to_v6 = family == AF_INET6;

		if (sys->getsockopt(from, to_v6 ? IPPROTO_IP : IPPROTO_IPV6, to_v6 ? v4 : v6,
		                    &value, &(socklen_t){ sizeof(value) }) < 0)
			continue;
		sys->getsockopt(to, to_v6 ? IPPROTO_IPV6 : IPPROTO_IP, to_v6 ? v6 : v4, &standard,
		                &(socklen_t){ sizeof(standard) });
		if (value != standard)
			sys->setsockopt(to, to_v6 ? IPPROTO_IPV6 : IPPROTO_IP, to_v6 ? v6 : v4,
			                &value, sizeof(value));
	}
}

static int domain(const struct sys *sys, int fd)
{
	int family = AF_UNSPEC;

	sys->getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &(socklen_t){ sizeof(family) });
	return family;
}

static void copy(const struct sys *sys, int from, int to, int which, const struct untouched *u)
{
	int family = domain(sys, to);

	for (size_t i = 0; i < N_OPTIONS; i++)
		if (which & (options[i].kind == LIFTED ? OPTIONS_LIFTED : OPTIONS_PLAIN))
			copy_option(sys, from, to, i, u);
	if ((which & OPTIONS_PLAIN) && domain(sys, from) != family)
		copy_ip_fields(sys, from, to, family);
}

void options_copy(const struct sys *sys, int from, int to, int which)
{
	copy(sys, from, to, which, NULL);
}

void options_copy_to_new(const struct sys *sys, int from, int to, int which)
{
	copy(sys, from, to, which, untouched(sys, to, domain(sys, to)));
}

bool options_is_lifted(int level, int name)
{
	if (level == SOL_SOCKET && name == SO_BINDTOIFINDEX)
		return true;
	for (size_t i = 0; i < N_OPTIONS; i++)
		if (options[i].kind == LIFTED && options[i].level == level &&
		    options[i].name == name)
			return true;
	return false;
}

static int number_of(const struct sys *sys, int fd, int level, int name)
{
	int value = 0;

	sys->getsockopt(fd, level, name, &value, &(socklen_t){ sizeof(value) });
	return value;
}

static int set_number(const struct sys *sys, int fd, int level, int name, int value)
{
	return sys->setsockopt(fd, level, name, &value, sizeof(value));
}

static void read_lifted(const struct sys *sys, int fd, struct options_lifted *out)
{
	out->device_len = sizeof(out->device);
	if (sys->getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, out->device, &out->device_len) < 0)
		out->device_len = 0;
	out->mark = number_of(sys, fd, SOL_SOCKET, SO_MARK);
	out->user_timeout = number_of(sys, fd, IPPROTO_TCP, TCP_USER_TIMEOUT);
	out->syncnt = number_of(sys, fd, IPPROTO_TCP, TCP_SYNCNT);
}

int options_lift(const struct sys *sys, int fd, struct options_lifted *was)
{
	read_lifted(sys, fd, was);
	if (was->device_len > 0 && sys->setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "", 0) < 0)
		return -EPERM;
	if (was->mark != 0 && set_number(sys, fd, SOL_SOCKET, SO_MARK, 0) < 0) {
		sys->setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, was->device, was->device_len);
		return -EPERM;
	}
	if (was->user_timeout != 0)
		set_number(sys, fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 0);
	set_number(sys, fd, IPPROTO_TCP, TCP_SYNCNT, SYNCNT_MAX);
	return 0;
}

void options_restore(const struct sys *sys, int fd, const struct options_lifted *was)
{
	if (was->device_len > 0)
		sys->setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, was->device, was->device_len);
	if (was->mark != 0)
		set_number(sys, fd, SOL_SOCKET, SO_MARK, was->mark);
	if (was->user_timeout != 0)
		set_number(sys, fd, IPPROTO_TCP, TCP_USER_TIMEOUT, was->user_timeout);
	set_number(sys, fd, IPPROTO_TCP, TCP_SYNCNT, was->syncnt);
}

/* Where an option of type int is kept; NULL: it is the device. */
static const int *number_kept(const struct options_lifted *kept, int level, int name)
{
	if (level == SOL_SOCKET)
		return name == SO_MARK ? &kept->mark : NULL;
	return name == TCP_SYNCNT ? &kept->syncnt : &kept->user_timeout;
}

int options_set_kept(struct options_lifted *kept, int level, int name, const void *val,
                     socklen_t len)
{
	int *number = (int *)number_kept(kept, level, name);

	errno = EINVAL;
	if (number && len < sizeof(*number))
		return -1;
	if (number) {
		memcpy(number, val, sizeof(*number));
		return 0;
	}
	if (name == SO_BINDTOIFINDEX || len > sizeof(kept->device))
		return -1;
	memcpy(kept->device, val, len);
	kept->device_len = len;
	return 0;
}

int options_get_kept(const struct options_lifted *kept, int level, int name, void *val,
                     socklen_t *len)
{
	const int *number = number_kept(kept, level, name);
	const void *from = number ? (const void *)number : kept->device;
	socklen_t n = number ? sizeof(*number) : kept->device_len;

	if (*len > n)
		*len = n;
	memcpy(val, from, *len);
	return 0;
}
