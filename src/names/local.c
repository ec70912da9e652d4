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

/* The snapshot of the file as it is now; NULL where there is none. */
static const struct hosts *current(void)
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
	hosts = current();
	known = hosts && hosts_knows(hosts, name, len);
	n = known ? hosts_find(hosts, name, len, family, out, max) : 0;
	if (n > 0)
		return (int)n;
	/* Hosts files often list localhost in one family, and the other works all the same. */
	if (is_localhost(name, len) || (!known && is_own_name(name, len)))
		return (int)put_loopback(family, out, max);
	return known ? 0 : -1;
}
