#include "kind.h"

#include "audit.h"
#include "session.h"

#include <base/log.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Numbers that not every libc's headers have. */
#define FAMILY_SMC     43
#define FAMILY_XDP     44
#define PROTOCOL_L2TP  115
#define PROTOCOL_SMC   256
#define PROTOCOL_MPTCP 262

#define TYPE_MASK 0xf /* of the kernel: what is above are flags */
#define TYPES     11  /* of the kernel; the greatest is SOCK_PACKET */
#define ANY       (-1)
#define INTERNET  (-2) /* AF_INET or AF_INET6 */
#define TOLD_BITS 32

/* What the refused kinds are called; the first row that fits. */
static const struct {
	int family, type, protocol;
	const char *name;
} rows[] = {
	{ AF_UNSPEC, ANY, ANY, "a socket that can't be asked what it is" },
	{ AF_INET, SOCK_PACKET, ANY, "a packet socket" },
	{ AF_PACKET, ANY, ANY, "a packet socket" },
	{ INTERNET, SOCK_RAW, ANY, "a raw socket" },
	{ INTERNET, SOCK_DCCP, ANY, "a DCCP socket" },
	{ INTERNET, ANY, IPPROTO_DCCP, "a DCCP socket" },
	{ INTERNET, SOCK_DGRAM, IPPROTO_ICMP, "an ICMP (ping) socket" },
	{ INTERNET, SOCK_DGRAM, IPPROTO_ICMPV6, "an ICMP (ping) socket" },
	{ INTERNET, ANY, IPPROTO_SCTP, "an SCTP socket" },
	{ INTERNET, SOCK_SEQPACKET, ANY, "an SCTP socket" },
	{ INTERNET, ANY, PROTOCOL_L2TP, "an L2TP socket" },
	{ INTERNET, ANY, PROTOCOL_SMC, "an SMC socket" },
	{ FAMILY_SMC, ANY, ANY, "an SMC socket" },
	{ AF_VSOCK, ANY, ANY, "a VSOCK socket" },
	{ AF_TIPC, ANY, ANY, "a TIPC socket" },
	{ AF_BLUETOOTH, ANY, ANY, "a Bluetooth socket" },
	{ FAMILY_XDP, ANY, ANY, "an XDP socket" },
	{ AF_CAN, ANY, ANY, "a CAN socket" },
	{ AF_RDS, ANY, ANY, "an RDS socket" },
	{ INTERNET, ANY, ANY, "a socket of an internet protocol other than TCP and UDP" },
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static enum kind judge_stream(int protocol)
{
	switch (protocol) {
	case IPPROTO_IP: /* of the kernel's choice, which is TCP */
	case IPPROTO_TCP:
	case PROTOCOL_MPTCP:
		return KIND_ADMITTED;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		return KIND_IMPOSSIBLE;
	}
	return protocol < 0 ? KIND_IMPOSSIBLE : KIND_REFUSED;
}

static enum kind judge_datagram(int protocol)
{
	switch (protocol) {
	case IPPROTO_IP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		return KIND_ADMITTED;
	case IPPROTO_TCP:
	case PROTOCOL_MPTCP:
		return KIND_IMPOSSIBLE;
	}
	return protocol < 0 ? KIND_IMPOSSIBLE : KIND_REFUSED;
}

static enum kind judge_internet(int type, int protocol)
{
	switch (type) {
	case SOCK_STREAM:
		return judge_stream(protocol);
	case SOCK_DGRAM:
		return judge_datagram(protocol);
	case SOCK_RAW:
	case SOCK_RDM:
	case SOCK_SEQPACKET:
	case SOCK_DCCP:
	case SOCK_PACKET:
		return KIND_REFUSED;
	}
	return KIND_IMPOSSIBLE;
}

enum kind kind_judge(int family, int type, int protocol)
{
	if (family == AF_UNIX || family == AF_NETLINK || family == AF_ALG)
		return KIND_ADMITTED;
	if (family <= AF_UNSPEC || (type & ~(TYPE_MASK | SOCK_NONBLOCK | SOCK_CLOEXEC)) ||
	    (type & TYPE_MASK) >= TYPES)
		return KIND_IMPOSSIBLE;
	if (family == AF_INET || family == AF_INET6)
		return judge_internet(type & TYPE_MASK, protocol);
	return KIND_REFUSED;
}

static bool fits(size_t i, int family, int type, int protocol)
{
	bool internet = family == AF_INET || family == AF_INET6;

	return (rows[i].family == family || (rows[i].family == INTERNET && internet)) &&
	       (rows[i].type == ANY || rows[i].type == type) &&
	       (rows[i].protocol == ANY || rows[i].protocol == protocol);
}

/* Once for each name, and for each family that has none. */
static bool is_told(size_t bit)
{
	static _Atomic uint32_t told[(N_ROWS + AF_MAX) / TOLD_BITS + 1];
	uint32_t mask = UINT32_C(1) << bit % TOLD_BITS;

	return atomic_fetch_or_explicit(&told[bit / TOLD_BITS], mask, memory_order_relaxed) & mask;
}

int kind_refuse(int family, int type, int protocol)
{
	char text[48];
	const char *name = text;
	size_t i = 0, bit;

	session_config(); /* another library's constructor may be before ours: the log's level */
	while (i < N_ROWS && !fits(i, family, type & TYPE_MASK, protocol))
		i++;
	bit = i;
	if (i < N_ROWS) {
		name = rows[i].name;
		for (bit = 0; strcmp(rows[bit].name, name) != 0;) /* by two rows */
			bit++;
	} else {
		snprintf(text, sizeof(text), "a socket of the address family %d", family);
		bit = N_ROWS + (family > 0 && family < AF_MAX ? (size_t)family : 0);
	}
	if (!is_told(bit))
		log_warn("%s[%d]: %s is refused: only TCP has a way through the proxy",
		         program_invocation_short_name, (int)getpid(), name);
	audit_note(DEED_REFUSED, name, "only TCP has a way through the proxy");
	return -EACCES;
}
