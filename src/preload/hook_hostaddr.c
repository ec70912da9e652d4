/* The gethostbyaddr() family: getnameinfo()'s names, packed into the caller's buffer. */
#include "kept.h"
#include "pack.h"
#include "real.h"
#include "reverse.h"

#include <errno.h>
#include <names/local.h>
#include <string.h>

/* An address that was asked for, and what is known of it. */
struct found {
	struct endpoint address;
	int family;
	char name[REVERSE_NAME_MAX];
	bool listed; /* in the hosts file, and so with aliases */
	struct hosts_line line;
	struct hostent *ret; /* of a call that has no buffer */
};

/*
 * As libc: an address may be longer than its family's. One that is shorter, another family, and ::
 * it turns down itself, at once.
 */
static bool is_address(const void *ip, socklen_t len, int family, struct endpoint *ep)
{
	if (family == AF_INET && len >= sizeof(struct in_addr))
		endpoint_set_ipv4(ep, ip, 0);
	else if (family == AF_INET6 && len >= sizeof(struct in6_addr))
		endpoint_set_ipv6(ep, ip, 0);
	else
		return false;
	return ep->kind == ENDPOINT_IPV4 || !endpoint_is_unspecified(ep) || ep->ip[10] == 0xff;
}

enum outcome { BY_LIBC, NOT_FOUND, FOUND };

static enum outcome find(const void *ip, socklen_t len, int family, struct found *f)
{
	enum reverse kind;

	if (!is_address(ip, len, family, &f->address))
		return BY_LIBC;
	f->family = family;
	f->listed = false;
	kind = reverse_find(&f->address, f->name);
	if (kind == REVERSE_LIBC)
		return BY_LIBC;
	if (kind == REVERSE_PROXY)
		return reverse_ask(&f->address, f->name) ? FOUND : NOT_FOUND;
	if (kind == REVERSE_NONE)
		return NOT_FOUND;
	/* The file may have changed since: then it is a name without aliases. */
	f->listed = local_hosts() && hosts_line_of(local_hosts(), &f->address, &f->line) &&
	            strcmp(f->line.names, f->name) == 0;
	return FOUND;
}

static int pack(const struct found *f, struct hostent *ret, char *buf, size_t len)
{
	struct pack p;

	pack_init(&p, buf, len);
	pack_list_begin(&p);
	if (f->listed)
		for (const char *alias = f->line.names; (alias = hosts_next_name(alias));)
			pack_list_add(&p, alias);
	ret->h_aliases = pack_list_end(&p);
	return pack_host(&p, f->name, f->family, &f->address, 1, ret);
}

int hook_gethostbyaddr_r(const void *ip, socklen_t ip_len, int family, struct hostent *ret,
                         char *buf, size_t len, struct hostent **res, int *herr)
{
	struct found f;

	switch (find(ip, ip_len, family, &f)) {
	case BY_LIBC:
		return real->gethostbyaddr_r(ip, ip_len, family, ret, buf, len, res, herr);
	case NOT_FOUND:
		*res = NULL;
		*herr = h_errno = HOST_NOT_FOUND; /* as libc; Python looks at the one for all */
		return 0;
	case FOUND:
		break;
	}
	if (pack(&f, ret, buf, len) != 0) {
		*res = NULL;
		*herr = NETDB_INTERNAL;
		errno = ERANGE;
		return ERANGE;
	}
	*res = ret;
	*herr = NETDB_SUCCESS;
	return 0;
}

static int fill(void *arg, char *buf, size_t len)
{
	struct found *f = arg;

	return pack(f, f->ret, buf, len);
}

struct hostent *hook_gethostbyaddr(const void *ip, socklen_t ip_len, int family)
{
	static struct hostent result;
	static struct kept kept;
	struct found f = { .ret = &result };

	switch (find(ip, ip_len, family, &f)) {
	case BY_LIBC:
		return real->gethostbyaddr(ip, ip_len, family);
	case NOT_FOUND:
		h_errno = HOST_NOT_FOUND;
		return NULL;
	case FOUND:
		break;
	}
	if (kept_fill(&kept, fill, &f) != 0) {
		h_errno = NETDB_INTERNAL;
		errno = ENOMEM;
		return NULL;
	}
	return &result;
}
