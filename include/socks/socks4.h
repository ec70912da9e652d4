/*
 * SOCKS4 and 4a messages (NEC's "SOCKS: A protocol for TCP proxy across firewalls" and its 4A
 * memo).
 */
#ifndef SOCKS_SOCKS4_H
#define SOCKS_SOCKS4_H

#include <base/cursor.h>
#include <base/endpoint.h>

#define SOCKS4_VERSION     0x04
#define SOCKS4_USER_MAX    255 /* octets that we accept and send; the memo sets no limit */
#define SOCKS4_REPLY_LEN   8
#define SOCKS4_REQUEST_MAX (8 + SOCKS4_USER_MAX + 1 + ENDPOINT_NAME_MAX + 1)

enum socks4_cmd {
	SOCKS4_CONNECT = 0x01,
	SOCKS4_BIND = 0x02,
	SOCKS4_RESOLVE = 0xf0,     /* Tor's extension */
	SOCKS4_RESOLVE_PTR = 0xf1, /* Tor's extension */
};

struct socks4_request {
	uint8_t cmd;                    /* any octet: the caller judges */
	struct endpoint dst;            /* IPv4, or a name (4a) */
	uint8_t user_len;               /* 0 to SOCKS4_USER_MAX */
	char user[SOCKS4_USER_MAX + 1]; /* NUL-terminated */
};

struct socks4_reply {
	uint8_t code;        /* enum socks4_code, or any octet */
	struct endpoint bnd; /* always ENDPOINT_IPV4, maybe 0.0.0.0 */
};

/*
 * Decode a request, version octet included.
 *
 * @out   written only on WIRE_OK; borrows nothing
 * @used  WIRE_OK: octets that it took. WIRE_SHORT: octets needed before calling again, always more
 *        than @len (the true end of a NUL-terminated field is unknown until it comes).
 *
 * Returns WIRE_OK, WIRE_SHORT, or WIRE_BAD: version not 4, user over SOCKS4_USER_MAX, or a 4a name
 * that is empty or over ENDPOINT_NAME_MAX.
 */
enum wire_res socks4_get_request(const uint8_t *buf, size_t len, struct socks4_request *out,
                                 size_t *used);

/*
 * Encode a request; a name is written as 4a (0.0.0.1, then the name).
 * Overruns @w where it has no room, where @rq->dst is IPv6 or nothing, where a name holds a NUL, or
 * where dst is an address of the 4a form 0.0.0.x, which cannot be said.
 */
void socks4_put_request(struct writer *w, const struct socks4_request *rq);

/* Decode a reply. WIRE_BAD where the first octet is not 00 (nor 04, which some servers send). */
enum wire_res socks4_get_reply(const uint8_t *buf, size_t len, struct socks4_reply *out,
                               size_t *used);

/* Encode a reply; anything but an IPv4 in ->bnd is sent as 0.0.0.0 with its port. */
void socks4_put_reply(struct writer *w, const struct socks4_reply *rp);

#endif
