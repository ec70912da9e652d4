/*
 * Names of the DNS (RFC 1035 section 3.1): labels on the wire, dots in text; and the names that
 * stand for addresses (RFC 1035 section 3.5, RFC 3596 section 2.5).
 */
#ifndef DNS_NAME_H
#define DNS_NAME_H

#include <base/cursor.h>
#include <base/endpoint.h>

#define DNS_WIRE_MAX  255 /* octets of a name on the wire, that of the root counted */
#define DNS_LABEL_MAX 63

struct dns_name {
	/*
	 * In text, without a trailing dot, NUL-terminated, case kept; "" is the root. Meaningless
	 * where it is not plain.
	 */
	char text[DNS_WIRE_MAX];
	uint8_t len;
	bool plain; /* no dot and no NUL within a label: text can say it */
};

/*
 * Read the name at @r->pos of a whole message (r->buf is its first octet). Compression pointers
 * (RFC 1035 section 4.1.4) are followed, each to labels that lie behind the header and wholly
 * before those that it ends, so that none can loop; @r goes on behind the name's first one.
 *
 * False, and @r->over set, where the name is cut off, over-long, or its labels or pointers are
 * malformed.
 */
bool dns_get_name(struct reader *r, struct dns_name *out);

/*
 * Pass over a name, following no pointer. False, and @r->over set, where it is cut off, over-long
 * or has malformed labels.
 */
bool dns_skip_name(struct reader *r);

/*
 * Write a name uncompressed. False, @w->over set and nothing written, where it is not plain, has an
 * empty label (a trailing dot is none) or one of over 63 octets, is over-long, or finds no room.
 */
bool dns_put_name(struct writer *w, const struct dns_name *name);

/*
 * Take a name in text, with or without a trailing dot; "" and "." are the root. False, @out left
 * alone, where dns_put_name() would refuse it.
 */
bool dns_name_set(struct dns_name *out, const char *text, size_t len);

/*
 * The address that a name of in-addr.arpa (four numbers) or ip6.arpa (32 digits) stands for, port
 * 0. False for all other names, those of networks too, and numbers with leading zeros.
 */
bool dns_reverse_get(const struct dns_name *name, struct endpoint *out);

/* Is it in-addr.arpa or ip6.arpa, or below one of them, whole or not. */
bool dns_reverse_is(const struct dns_name *name);

/* The name that stands for an IPv4 or IPv6 address; the root for an endpoint of another kind. */
void dns_reverse_set(struct dns_name *out, const struct endpoint *ep);

#endif
