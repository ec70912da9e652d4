#include "detour.h"

#include "control.h"
#include "real.h"
#include "tell.h"

#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdint.h>

/* Numbers that glibc's headers don't have. */
#define FLOWLABEL_MGR     32
#define FLOWLABEL_REQUEST 32 /* octets of one */

#define OPTIONS_MAX 40 /* of an IPv4 header: RFC 791 */

/* RFC 791: loose and strict source routes. */
static bool has_source_route(const uint8_t *opts, size_t len)
{
	for (size_t i = 0; i < len && opts[i] != IPOPT_EOL;) {
		if (opts[i] == IPOPT_LSRR || opts[i] == IPOPT_SSRR)
			return true;
		if (opts[i] == IPOPT_NOP)
			i++;
		else if (i + 1 < len && opts[i + 1] > 1)
			i += opts[i + 1];
		else
			return false; /* malformed */
	}
	return false;
}

bool detour_is_option(int level, int name, const void *val, socklen_t len)
{
	if (level == IPPROTO_IP && name == IP_OPTIONS)
		return val && has_source_route(val, len);
	if (level != IPPROTO_IPV6)
		return false;
	/* A flow label may have headers of its own, which follow the request. */
	if (name == FLOWLABEL_MGR)
		return len > FLOWLABEL_REQUEST;
	return len > 0 &&
	       (name == IPV6_RTHDR || name == IPV6_2292RTHDR || name == IPV6_2292PKTOPTIONS);
}

static bool is_detour(const struct cmsghdr *c)
{
	if (c->cmsg_level == IPPROTO_IP)
		return c->cmsg_type == IP_RETOPTS && c->cmsg_len >= CMSG_LEN(0) &&
		       has_source_route(control_data(c), c->cmsg_len - CMSG_LEN(0));
	return c->cmsg_level == IPPROTO_IPV6 &&
	       (c->cmsg_type == IPV6_RTHDR || c->cmsg_type == IPV6_2292RTHDR);
}

bool detour_is_in(const struct msghdr *msg)
{
	for (const struct cmsghdr *c = NULL; (c = control_next(msg, c));)
		if (is_detour(c))
			return true;
	return false;
}

int detour_refuse(void)
{
	static atomic_bool told;

	return tell_refused(&told, "a source route", "it leads elsewhere than the address says");
}

void detour_take_away(int fd, int family)
{
	uint8_t opts[OPTIONS_MAX];
	socklen_t len = sizeof(opts), header = sizeof(opts);

	if (real->getsockopt(fd, IPPROTO_IP, IP_OPTIONS, opts, &len) == 0 &&
	    has_source_route(opts, len) &&
	    real->setsockopt(fd, IPPROTO_IP, IP_OPTIONS, NULL, 0) == 0)
		(void)detour_refuse();
	/* Of one that is longer the kernel gives what there is room for. */
	if (family == AF_INET6 &&
	    real->getsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, opts, &header) == 0 && header > 0 &&
	    real->setsockopt(fd, IPPROTO_IPV6, IPV6_RTHDR, NULL, 0) == 0)
		(void)detour_refuse();
}
