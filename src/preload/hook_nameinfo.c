/*
 * getnameinfo() asks nobody but, where it has the command, the proxy. What is numeric, and
 * services, are libc's own.
 */
#include "idn.h"
#include "real.h"
#include "reverse.h"

#include <errno.h>
#include <names/local.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

static const char *after_dot(const char *name)
{
	const char *dot = name ? strchr(name, '.') : NULL;

	return dot ? dot + 1 : NULL;
}

/*
 * The machine's own domain, where libc looks for it as far as nobody need be asked: in the
 * canonical name of localhost, the machine's name, the canonical name of that, the name of
 * 127.0.0.1. NULL: there is none. @buf may hold it.
 */
static const char *own_domain(char buf[LOCAL_NAME_MAX])
{
	static const uint8_t loopback[4] = { 127, 0, 0, 1 };
	const char *domain = after_dot(local_canonical("localhost", strlen("localhost"), AF_INET));
	struct utsname host;
	struct endpoint ep;

	if (domain || uname(&host) < 0)
		return domain;
	domain = after_dot(host.nodename);
	if (domain)
		return strcpy(buf, domain);
	domain = after_dot(local_canonical(host.nodename, strlen(host.nodename), AF_INET));
	if (domain)
		return domain;
	endpoint_set_ipv4(&ep, loopback, 0);
	return local_name_of(&ep, buf) ? after_dot(buf) : NULL;
}

/* NI_NOFQDN: "host" is enough for one of the machine's own domain. */
static void strip_domain(char *name)
{
	char buf[LOCAL_NAME_MAX];
	const char *domain = own_domain(buf);
	size_t len = strlen(name), domain_len = domain ? strlen(domain) : 0;

	if (domain_len == 0 || len < domain_len + 2)
		return;
	if (name[len - domain_len - 1] == '.' && strcmp(name + len - domain_len, domain) == 0)
		name[len - domain_len - 1] = '\0';
}

static int put_name(char *name, char *host, socklen_t cap, int flags)
{
	char *decoded = NULL;
	const char *shown = name;
	size_t len;

	if (flags & NI_NOFQDN)
		strip_domain(name);
	if (flags & NI_IDN) {
		int err = idn_decode(name, &decoded);

		if (err == 0)
			shown = decoded;
		else if (err != EAI_IDN_ENCODE) /* as DNS has it, then */
			return err;
	}
	len = strlen(shown) + 1;
	if (len <= cap)
		memcpy(host, shown, len);
	free(decoded);
	return len <= cap ? 0 : EAI_OVERFLOW;
}

/* @host has room: a name is wanted. */
static int name_host(const struct sockaddr *sa, socklen_t len, char *host, socklen_t cap, int flags)
{
	char name[REVERSE_NAME_MAX];
	struct endpoint ep;
	enum reverse kind;

	/* libc's word on the flags, the family and the length; a path is libc's, too. */
	int err = real->getnameinfo(sa, len, NULL, 0, NULL, 0, flags & ~NI_NAMEREQD);

	if (err != 0)
		return err;
	kind = endpoint_from_sockaddr(&ep, sa, len) < 0 ? REVERSE_LIBC : reverse_find(&ep, name);
	if (kind == REVERSE_LIBC)
		return real->getnameinfo(sa, len, host, cap, NULL, 0, flags);
	if (kind == REVERSE_NAME || (kind == REVERSE_PROXY && reverse_ask(&ep, name)))
		return put_name(name, host, cap, flags);
	if (flags & NI_NAMEREQD)
		return EAI_NONAME;
	return real->getnameinfo(sa, len, host, cap, NULL, 0, flags | NI_NUMERICHOST);
}

int hook_getnameinfo(const struct sockaddr *sa, socklen_t len, char *host, socklen_t host_cap,
                     char *serv, socklen_t serv_cap, int flags)
{
	int saved = errno, err;

	if (!host || host_cap == 0 || (flags & NI_NUMERICHOST))
		return real->getnameinfo(sa, len, host, host_cap, serv, serv_cap, flags);
	err = name_host(sa, len, host, host_cap, flags);
	if (err == 0)
		err = real->getnameinfo(sa, len, NULL, 0, serv, serv_cap, flags & ~NI_NAMEREQD);
	if (err == 0)
		errno = saved;
	return err;
}
