#include "path.h"

#include "session.h"

#include <base/log.h>
#include <errno.h>
#include <names/pool.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <unistd.h>

#define TOLD_SLOTS 256 /* refused destinations that are remembered; more are told again */

int path_option(int fd, int level, int name, int otherwise)
{
	int value = otherwise, saved = errno;

	if (getsockopt(fd, level, name, &value, &(socklen_t){ sizeof(value) }) < 0)
		value = otherwise;
	errno = saved;
	return value;
}

bool path_is_tcp(int fd)
{
	int protocol = path_option(fd, SOL_SOCKET, SO_PROTOCOL, IPPROTO_TCP);

	return path_option(fd, SOL_SOCKET, SO_TYPE, -1) == SOCK_STREAM &&
	       (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP);
}

/* A proxy's name is not looked up for the sake of a destination that is direct whatever it says. */
static bool needs_hops(const struct config *cfg, const struct endpoint *dst)
{
	if (cfg->broken)
		return false;
	return cfg->proxy.addr.kind != ENDPOINT_NAME ||
	       (!endpoint_is_loopback(dst) && !endpoint_is_unspecified(dst));
}

bool path_find(struct path *p, const struct sockaddr *sa, socklen_t len)
{
	const struct config *cfg = session_config();
	struct endpoint dst;
	int n = 0;

	if (endpoint_from_sockaddr(&dst, sa, len) < 0)
		return false;
	if (needs_hops(cfg, &dst))
		n = session_hops(p->hops);
	p->n_hops = n > 0 ? (size_t)n : 0;
	route_find(cfg, pool_contains(&dst) ? session_names() : NULL, p->hops, p->n_hops, &dst,
	           &p->route);
	return true;
}

void path_refuse_untunnelled(struct path *p)
{
	if (p->route.kind != ROUTE_PROXY)
		return;
	p->route.kind = ROUTE_REFUSE;
	p->route.err = -EACCES;
	p->route.why = "only TCP has a way through the proxy";
}

/* FNV-1a over what is told; 0 stands for an empty slot. */
static uint32_t told_hash(const char *text)
{
	uint32_t h = 2166136261u;

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 16777619u;
	return h ? h : 1;
}

int path_refuse(const struct path *p)
{
	static _Atomic uint32_t told[TOLD_SLOTS];
	char text[ENDPOINT_TEXT_MAX];
	uint32_t h = told_hash(endpoint_format(&p->route.dst, text, sizeof(text)));

	if (atomic_exchange_explicit(&told[h % TOLD_SLOTS], h, memory_order_relaxed) != h)
		log_warn("%s[%d]: %s refused: %s", program_invocation_short_name, (int)getpid(),
		         text, p->route.why);
	return p->route.err;
}
