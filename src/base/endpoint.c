#include <arpa/inet.h>
#include <base/endpoint.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

/* RFC 1035 section 2.3.4, without the root's own length octet. */
#define DNS_NAME_MAX  253
#define DNS_LABEL_MAX 63

/* RFC 2133's struct sockaddr_in6 had no scope; the kernel takes it to this day. */
#define SOCKADDR_IN6_MIN offsetof(struct sockaddr_in6, sin6_scope_id)

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff }; /* RFC 4291 2.5.5.2 */

static bool is_mapped(const struct endpoint *ep)
{
	return ep->kind == ENDPOINT_IPV6 &&
	       memcmp(ep->ip, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

/* The four octets of an IPv4 or v4-mapped address, or NULL. */
static const uint8_t *ipv4_of(const struct endpoint *ep)
{
	if (ep->kind == ENDPOINT_IPV4)
		return ep->ip;
	return is_mapped(ep) ? ep->ip + sizeof(mapped_prefix) : NULL;
}

void endpoint_set_ipv4(struct endpoint *ep, const uint8_t ip[4], uint16_t port)
{
	uint8_t copy[4]; /* @ip may lie in @ep */

	memcpy(copy, ip, sizeof(copy));
	*ep = (struct endpoint){ .kind = ENDPOINT_IPV4, .port = port };
	memcpy(ep->ip, copy, sizeof(copy));
}

void endpoint_set_ipv6(struct endpoint *ep, const uint8_t ip[16], uint16_t port)
{
	uint8_t copy[16];

	memcpy(copy, ip, sizeof(copy));
	*ep = (struct endpoint){ .kind = ENDPOINT_IPV6, .port = port };
	memcpy(ep->ip, copy, sizeof(copy));
}

int endpoint_set_name(struct endpoint *ep, const char *name, size_t len, uint16_t port)
{
	char copy[ENDPOINT_NAME_MAX];

	if (len > ENDPOINT_NAME_MAX)
		return -ENAMETOOLONG;
	if (len == 0 || memchr(name, '\0', len))
		return -EINVAL;
	memcpy(copy, name, len);
	*ep = (struct endpoint){ .kind = ENDPOINT_NAME, .port = port, .name_len = (uint8_t)len };
	memcpy(ep->name, copy, len);
	return 0;
}

bool endpoint_name_is_valid(const char *name, size_t len)
{
	size_t label = 0;

	if (len > 0 && name[len - 1] == '.')
		len--;
	if (len == 0 || len > DNS_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (name[i] == '\0')
			return false;
		if (name[i] != '.' && ++label > DNS_LABEL_MAX)
			return false;
		if (name[i] == '.') {
			if (label == 0)
				return false;
			label = 0;
		}
	}
	return label > 0;
}

/* Digits only, up to @max. */
static int parse_number(const char *text, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (*text == '\0')
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		v = v * 10 + (uint64_t)(*text - '0');
		if (v > max)
			return -EINVAL;
	}
	*out = v;
	return 0;
}

/* An interface by number or name. */
static int parse_scope(const char *text, uint32_t *scope)
{
	int saved = errno;
	uint64_t v;

	if (parse_number(text, UINT32_MAX, &v) == 0) {
		*scope = (uint32_t)v;
		return 0;
	}
	*scope = if_nametoindex(text);
	errno = saved;
	return *scope > 0 ? 0 : -EINVAL;
}

int endpoint_parse_ip(struct endpoint *ep, const char *text)
{
	char copy[INET6_ADDRSTRLEN + 1 + IF_NAMESIZE];
	size_t len = strlen(text);
	uint32_t scope = 0;
	uint8_t ip[16];
	char *percent;
	bool brackets;

	if (inet_pton(AF_INET, text, ip) == 1) {
		endpoint_set_ipv4(ep, ip, ep->port);
		return 0;
	}
	brackets = len >= 2 && text[0] == '[' && text[len - 1] == ']';
	if (brackets) {
		text++;
		len -= 2;
	}
	if (len >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	percent = strchr(copy, '%');
	if (percent)
		*percent = '\0';
	if (inet_pton(AF_INET6, copy, ip) != 1)
		return -EINVAL;
	if (percent && parse_scope(percent + 1, &scope) < 0)
		return -EINVAL;
	endpoint_set_ipv6(ep, ip, ep->port);
	ep->scope = scope;
	return 0;
}

int endpoint_parse(struct endpoint *ep, const char *text)
{
	const char *colon = strrchr(text, ':');
	char host[ENDPOINT_TEXT_MAX];
	uint64_t port;
	size_t len;

	if (!colon || parse_number(colon + 1, UINT16_MAX, &port) < 0)
		return -EINVAL;
	len = (size_t)(colon - text);
	if (len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	ep->port = (uint16_t)port;
	/* Without brackets nobody can say where an IPv6 address ends and the port begins. */
	if (host[0] == '[' || !strchr(host, ':'))
		if (endpoint_parse_ip(ep, host) == 0)
			return 0;
	if (strpbrk(host, ":[]"))
		return -EINVAL;
	return endpoint_set_name(ep, host, len, (uint16_t)port) < 0 ? -EINVAL : 0;
}

int endpoint_from_sockaddr(struct endpoint *ep, const struct sockaddr *sa, socklen_t len)
{
	struct sockaddr_in6 sin6 = { 0 };
	struct sockaddr_in sin;

	if (len < sizeof(sa->sa_family))
		return -EINVAL;
	if (sa->sa_family == AF_INET) {
		if (len < sizeof(sin))
			return -EINVAL;
		memcpy(&sin, sa, sizeof(sin));
		endpoint_set_ipv4(ep, (const uint8_t *)&sin.sin_addr, ntohs(sin.sin_port));
		return 0;
	}
	if (sa->sa_family != AF_INET6)
		return -EAFNOSUPPORT;
	if (len < SOCKADDR_IN6_MIN)
		return -EINVAL;
	memcpy(&sin6, sa, len < sizeof(sin6) ? SOCKADDR_IN6_MIN : sizeof(sin6));
	endpoint_set_ipv6(ep, sin6.sin6_addr.s6_addr, ntohs(sin6.sin6_port));
	ep->scope = sin6.sin6_scope_id;
	return 0;
}

socklen_t endpoint_to_sockaddr(const struct endpoint *ep, int family, struct sockaddr_storage *ss)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_port = htons(ep->port) };
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(ep->port) };
	const uint8_t *ipv4 = ipv4_of(ep);

	if (family == AF_INET && ipv4) {
		memcpy(&sin.sin_addr, ipv4, sizeof(sin.sin_addr));
		memcpy(ss, &sin, sizeof(sin));
		return sizeof(sin);
	}
	if (family != AF_INET6 || (ep->kind != ENDPOINT_IPV6 && !ipv4))
		return 0;
	if (ep->kind == ENDPOINT_IPV6) {
		memcpy(&sin6.sin6_addr, ep->ip, sizeof(ep->ip));
		sin6.sin6_scope_id = ep->scope;
	} else {
		memcpy(sin6.sin6_addr.s6_addr, mapped_prefix, sizeof(mapped_prefix));
		memcpy(sin6.sin6_addr.s6_addr + sizeof(mapped_prefix), ipv4, 4);
	}
	memcpy(ss, &sin6, sizeof(sin6));
	return sizeof(sin6);
}

void endpoint_unmap(struct endpoint *ep)
{
	if (is_mapped(ep))
		endpoint_set_ipv4(ep, ep->ip + sizeof(mapped_prefix), ep->port);
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	if (a->kind != b->kind || a->port != b->port)
		return false;
	switch (a->kind) {
	case ENDPOINT_NONE:
		break;
	case ENDPOINT_IPV4:
		return memcmp(a->ip, b->ip, 4) == 0;
	case ENDPOINT_IPV6:
		return memcmp(a->ip, b->ip, 16) == 0 && a->scope == b->scope;
	case ENDPOINT_NAME:
		return a->name_len == b->name_len && memcmp(a->name, b->name, a->name_len) == 0;
	}
	return true;
}

bool endpoint_is_loopback(const struct endpoint *ep)
{
	const uint8_t *ipv4 = ipv4_of(ep);

	if (ipv4)
		return ipv4[0] == 127;
	return ep->kind == ENDPOINT_IPV6 && memcmp(ep->ip, &in6addr_loopback, 16) == 0;
}

bool endpoint_is_unspecified(const struct endpoint *ep)
{
	static const uint8_t zero[16];
	const uint8_t *ipv4 = ipv4_of(ep);

	if (ipv4)
		return memcmp(ipv4, zero, 4) == 0;
	return ep->kind == ENDPOINT_IPV6 && memcmp(ep->ip, zero, 16) == 0;
}

/* Octets that a line of a log can carry as they are: neither a space nor the escape itself. */
static bool is_plain(char c)
{
	return c > ' ' && c < 0x7f && c != '\\';
}

/* The name with its odd octets escaped; an escape that does not fit whole ends the text. */
static size_t format_name(const struct endpoint *ep, char *buf, size_t cap)
{
	static const char hex[] = "0123456789abcdef";
	size_t pos = 0;

	for (size_t i = 0; i < ep->name_len; i++) {
		uint8_t c = (uint8_t)ep->name[i];

		if (cap - pos <= (is_plain(ep->name[i]) ? 1 : 4))
			break;
		if (is_plain(ep->name[i])) {
			buf[pos++] = ep->name[i];
		} else {
			buf[pos++] = '\\';
			buf[pos++] = 'x';
			buf[pos++] = hex[c >> 4];
			buf[pos++] = hex[c & 15];
		}
	}
	buf[pos] = '\0';
	return pos;
}

char *endpoint_format(const struct endpoint *ep, char *buf, size_t cap)
{
	char ip[INET6_ADDRSTRLEN] = "", scope[12] = "";
	size_t pos;

	if (cap == 0)
		return buf;
	switch (ep->kind) {
	case ENDPOINT_NONE:
		snprintf(buf, cap, "-");
		break;
	case ENDPOINT_IPV4:
		inet_ntop(AF_INET, ep->ip, ip, sizeof(ip));
		snprintf(buf, cap, "%s:%u", ip, ep->port);
		break;
	case ENDPOINT_IPV6:
		inet_ntop(AF_INET6, ep->ip, ip, sizeof(ip));
		if (ep->scope)
			snprintf(scope, sizeof(scope), "%%%u", ep->scope);
		snprintf(buf, cap, "[%s%s]:%u", ip, scope, ep->port);
		break;
	case ENDPOINT_NAME:
		pos = format_name(ep, buf, cap);
		snprintf(buf + pos, cap - pos, ":%u", ep->port);
		break;
	}
	return buf;
}
