/* Where a connection goes: an address or a name, and a port. */
#ifndef BASE_ENDPOINT_H
#define BASE_ENDPOINT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define ENDPOINT_NAME_MAX 255 /* octets, as one SOCKS5 length octet can say */

/* "[" + the longest of name and IPv6 address with scope + "]:" + port + NUL. */
#define ENDPOINT_TEXT_MAX (ENDPOINT_NAME_MAX + 16)

enum endpoint_kind {
	ENDPOINT_NONE, /* nothing set; an unknown address on the wire */
	ENDPOINT_IPV4,
	ENDPOINT_IPV6,
	ENDPOINT_NAME,
};

struct endpoint {
	enum endpoint_kind kind;
	uint16_t port;                    /* host order */
	uint8_t name_len;                 /* ENDPOINT_NAME: octets of name, without its NUL */
	uint32_t scope;                   /* ENDPOINT_IPV6: interface index, 0 is none */
	uint8_t ip[16];                   /* network order; ENDPOINT_IPV4 uses the first four */
	char name[ENDPOINT_NAME_MAX + 1]; /* NUL-terminated */
};

void endpoint_set_ipv4(struct endpoint *ep, const uint8_t ip[4], uint16_t port);
void endpoint_set_ipv6(struct endpoint *ep, const uint8_t ip[16], uint16_t port);

/*
 * Take a name as it is: no check of labels, case kept, not resolved.
 *
 * Returns 0, or -ENAMETOOLONG where @len is over ENDPOINT_NAME_MAX, -EINVAL where it is 0 or the
 * name holds a NUL.
 */
int endpoint_set_name(struct endpoint *ep, const char *name, size_t len, uint16_t port);

/*
 * May this name be asked of a DNS: 1 to 253 octets (a trailing dot not counted), labels of 1 to 63,
 * no NUL (RFC 1035 section 2.3.4). Letters are not judged: services use underscores and more.
 */
bool endpoint_name_is_valid(const char *name, size_t len);

/*
 * Read an address in text: dotted quad, or IPv6 with or without brackets and %scope (the index or
 * the name of an interface; a name is looked up with if_nametoindex(3), which opens a socket).
 * Leaves @ep->port alone. Returns 0, or -EINVAL with @ep untouched.
 */
int endpoint_parse_ip(struct endpoint *ep, const char *text);

/*
 * Read "ADDR:PORT", "[ADDR]:PORT", "NAME:PORT". The port is 0 to 65535 and must be there.
 * Returns 0, or -EINVAL with @ep undefined.
 */
int endpoint_parse(struct endpoint *ep, const char *text);

/*
 * From a socket address. AF_INET and AF_INET6 only; v4-mapped stays IPv6, see endpoint_unmap().
 * Returns 0, -EINVAL where @len is too short for the family, -EAFNOSUPPORT for another family.
 */
int endpoint_from_sockaddr(struct endpoint *ep, const struct sockaddr *sa, socklen_t len);

/*
 * To a socket address for a socket of @family (AF_INET or AF_INET6); IPv4 becomes v4-mapped for
 * AF_INET6, and a v4-mapped address becomes plain for AF_INET.
 * Returns the length, or 0 where the endpoint cannot be said in that family.
 */
socklen_t endpoint_to_sockaddr(const struct endpoint *ep, int family, struct sockaddr_storage *ss);

/* ::ffff:a.b.c.d becomes a.b.c.d; all else stays. */
void endpoint_unmap(struct endpoint *ep);

/* Same kind, address or name (octet by octet), scope and port. */
bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);

bool endpoint_is_loopback(const struct endpoint *ep);    /* 127/8, ::1, and v4-mapped 127/8 */
bool endpoint_is_unspecified(const struct endpoint *ep); /* 0.0.0.0, ::, ::ffff:0.0.0.0 */

/*
 * "192.0.2.1:80", "[2001:db8::1]:80", "example.org:80", "-" for ENDPOINT_NONE. Octets of a name
 * that are not printable ASCII, spaces and backslashes are shown as \xHH; cut where @cap ends.
 * Returns @buf.
 */
char *endpoint_format(const struct endpoint *ep, char *buf, size_t cap);
#define ENDPOINT_TEXT(ep) endpoint_format(ep, (char[ENDPOINT_TEXT_MAX]){ 0 }, ENDPOINT_TEXT_MAX)

#endif
