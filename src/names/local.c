/*
 * How it works: the hosts file is held as an immutable snapshot behind one atomic pointer. Whoever
 * finds it out of date loads the file and puts the new snapshot in place of the one that he saw.
 * The old one is never freed, since another thread may be reading it: a few kilobytes for each
 * change of the file.
 */
#include <names/local.h>

#include <config/ascii.h>
#include <config/hosts.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

/* A snapshot, and the ones before it, which nobody may free. */
struct generation {
	struct hosts *hosts;
	struct generation *older;
};

static const char *hosts_path = "/etc/hosts";
static _Atomic(struct generation *) newest;

void local_set_hosts_path(const char *path)
{
	struct generation *g = atomic_exchange(&newest, NULL), *older;

	for (; g; g = older) {
		older = g->older;
		hosts_free(g->hosts);
		free(g);
	}
	hosts_path = path;
}

/* The file as it is now, or NULL with errno set. */
static struct generation *load(void)
{
	struct generation *g = malloc(sizeof(*g));

	if (!g)
		return NULL;
	g->hosts = hosts_load(hosts_path, NULL);
	if (!g->hosts) {
		free(g);
		return NULL;
	}
	return g;
}

const struct hosts *local_hosts(void)
{
	struct generation *seen = atomic_load_explicit(&newest, memory_order_acquire), *fresh;
	int saved = errno;

	if (seen && hosts_is_current(seen->hosts))
		goto out;
	fresh = load();
	if (!fresh) {
		/* An old copy serves better than none while descriptors or memory are short. */
		if (errno == ENOENT || errno == ENOTDIR || errno == EACCES)
			seen = NULL;
		goto out;
	}
	fresh->older = seen;
	if (atomic_compare_exchange_strong(&newest, &seen, fresh)) {
		seen = fresh;
	} else {
		/*
		 * Another thread was faster: @seen is now its snapshot, and nobody knows of ours.
		 */
		hosts_free(fresh->hosts);
		free(fresh);
	}
out:
	errno = saved;
	return seen ? seen->hosts : NULL;
}

static bool is_localhost(const char *name, size_t len)
{
	static const char localhost[] = "localhost";
	size_t n = sizeof(localhost) - 1;

	return len >= n && ascii_equal(name + len - n, localhost, n) &&
	       (len == n || (len > n + 1 && name[len - n - 1] == '.'));
}

static bool is_own_name(const char *name, size_t len)
{
	struct utsname host;

	return uname(&host) == 0 && strlen(host.nodename) == len &&
	       ascii_equal(name, host.nodename, len);
}

/* Programs ask for it to find a NAT64 by the IPv6 addresses that it then has (RFC 8880). */
static const char ipv4only[] = "ipv4only.arpa";
static const uint8_t ipv4only_ips[2][4] = { { 192, 0, 0, 170 }, { 192, 0, 0, 171 } };

static bool is_ipv4only(const char *name, size_t len)
{
	return len == sizeof(ipv4only) - 1 && ascii_equal(name, ipv4only, len);
}

static size_t put_ipv4only(int family, struct endpoint *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; family != AF_INET6 && i < 2 && n < max; i++)
		endpoint_set_ipv4(&out[n++], ipv4only_ips[i], 0);
	return n;
}

/* The loopback addresses, where the hosts file says nothing else. */
static size_t put_loopback(int family, struct endpoint *out, size_t max)
{
	static const uint8_t ipv4[4] = { 127, 0, 0, 1 }, ipv6[16] = { [15] = 1 };
	size_t n = 0;

	if (family != AF_INET6 && n < max)
		endpoint_set_ipv4(&out[n++], ipv4, 0);
	if (family != AF_INET && n < max)
		endpoint_set_ipv6(&out[n++], ipv6, 0);
	return n;
}

int local_find(const char *name, size_t len, int family, struct endpoint *out, size_t max)
{
	const struct hosts *hosts;
	bool known;
	size_t n;

	if (len > 0 && name[len - 1] == '.')
		len--;
	if (len == 0)
		return -1;
	hosts = local_hosts();
	known = hosts && hosts_knows(hosts, name, len);
	n = known ? hosts_find(hosts, name, len, family, out, max) : 0;
	if (n > 0)
		return (int)n;
	/* Hosts files often list localhost in one family, and the other works all the same. */
	if (is_localhost(name, len) || (!known && is_own_name(name, len)))
		return (int)put_loopback(family, out, max);
	if (!known && is_ipv4only(name, len))
		return (int)put_ipv4only(family, out, max);
	return known ? 0 : -1;
}

/* The name of an address that no line has. */
static const char *well_known(const struct endpoint *ep)
{
	if (endpoint_is_loopback(ep))
		return "localhost";
	for (size_t i = 0; ep->kind == ENDPOINT_IPV4 && i < 2; i++)
		if (memcmp(ep->ip, ipv4only_ips[i], 4) == 0)
			return ipv4only;
	return NULL;
}

bool local_name_of(const struct endpoint *ep, char name[LOCAL_NAME_MAX])
{
	const struct hosts *hosts = local_hosts();
	const char *found = hosts ? hosts_name_of(hosts, ep) : NULL;
	struct endpoint plain = *ep;
	size_t len;

	endpoint_unmap(&plain);
	if (!found)
		found = well_known(&plain);
	if (!found)
		return false;
	/* A name that fills the room has no place for a dot at its end. */
	len = strlen(found) < LOCAL_NAME_MAX ? strlen(found) : LOCAL_NAME_MAX - 1;
	memcpy(name, found, len);
	name[len] = '\0';
	return true;
}

const char *local_canonical(const char *name, size_t len, int family)
{
	const struct hosts *hosts = local_hosts();
	struct hosts_line line;
	uint32_t at = 0;

	return hosts && hosts_next_of(hosts, name, len, family, &at, &line) ? line.names : NULL;
}
