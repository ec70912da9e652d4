/*
 * SOCKS5 messages (RFC 1928), user and password (RFC 1929), and the UDP header (RFC 1928 section
 * 7).
 */
#ifndef SOCKS_SOCKS5_H
#define SOCKS_SOCKS5_H

#include <base/cursor.h>
#include <base/endpoint.h>

#define SOCKS5_VERSION      0x05
#define SOCKS5_METHODS_MAX  255
#define SOCKS5_GREETING_MAX (2 + SOCKS5_METHODS_MAX)
#define SOCKS5_ADDRESS_MAX  (1 + 1 + ENDPOINT_NAME_MAX + 2) /* ATYP, length, name, port */
#define SOCKS5_REQUEST_MAX  (3 + SOCKS5_ADDRESS_MAX)
#define SOCKS5_REPLY_MAX    SOCKS5_REQUEST_MAX
#define SOCKS5_UDP_HDR_MAX  (3 + SOCKS5_ADDRESS_MAX)
#define SOCKS5_CRED_MAX     255 /* octets of a user, octets of a password */
#define SOCKS5_USERPASS_MAX (1 + 1 + SOCKS5_CRED_MAX + 1 + SOCKS5_CRED_MAX)

enum socks5_method {
	SOCKS5_METHOD_NONE = 0x00,
	SOCKS5_METHOD_GSSAPI = 0x01,
	SOCKS5_METHOD_USERPASS = 0x02,
	SOCKS5_METHOD_UNACCEPTABLE = 0xff,
};

enum socks5_cmd {
	SOCKS5_CONNECT = 0x01,
	SOCKS5_BIND = 0x02,
	SOCKS5_UDP_ASSOCIATE = 0x03,
	SOCKS5_RESOLVE = 0xf0,     /* Tor's extension */
	SOCKS5_RESOLVE_PTR = 0xf1, /* Tor's extension */
};

struct socks5_greeting {
	uint8_t n_methods;
	uint8_t methods[SOCKS5_METHODS_MAX];
};

struct socks5_request {
	uint8_t cmd; /* any octet: the caller judges */
	struct endpoint dst;
};

struct socks5_reply {
	uint8_t rep; /* enum socks5_rep, or any octet */
	struct endpoint bnd;
};

struct socks5_userpass { /* RFC 1929 section 2 */
	uint8_t user_len,
		password_len; /* 0 is legal on our side of the decoder: the caller judges */
	char user[SOCKS5_CRED_MAX + 1], password[SOCKS5_CRED_MAX + 1]; /* any octets, then a NUL */
};

struct socks5_udp_header {
	uint8_t frag; /* 0 whole; 1 to 127 a fragment, high bit: the last one */
	struct endpoint dst;
};

/*
 * Decoders. All take @buf from the first octet of the message and
 *
 * @out   written only on WIRE_OK; borrows nothing
 * @used  WIRE_OK: octets that the message took. WIRE_SHORT: octets needed before calling again,
 *        always more than @len, never more than the message has.
 *
 * They return WIRE_BAD where a version or ATYP octet is unknown, as soon as that octet is there,
 * and where a name is empty or holds a NUL. RSV is not judged. @atyp_bad, where not NULL, tells an
 * unknown ATYP from all else that is bad, since the reply differs.
 */
enum wire_res socks5_get_greeting(const uint8_t *buf, size_t len, struct socks5_greeting *out,
                                  size_t *used);
enum wire_res socks5_get_method(const uint8_t *buf, size_t len, uint8_t *method, size_t *used);
enum wire_res socks5_get_request(const uint8_t *buf, size_t len, struct socks5_request *out,
                                 size_t *used, bool *atyp_bad);
enum wire_res socks5_get_reply(const uint8_t *buf, size_t len, struct socks5_reply *out,
                               size_t *used);
enum wire_res socks5_get_userpass(const uint8_t *buf, size_t len, struct socks5_userpass *out,
                                  size_t *used);
enum wire_res socks5_get_userpass_status(const uint8_t *buf, size_t len, uint8_t *status,
                                         size_t *used);
/* The header alone; @used is where DATA begins. WIRE_SHORT is a runt: a datagram has no "later". */
enum wire_res socks5_get_udp_header(const uint8_t *buf, size_t len, struct socks5_udp_header *out,
                                    size_t *used);

/* Encoders: overrun @w where it has no room. ENDPOINT_NONE is written as 0.0.0.0. */
void socks5_put_greeting(struct writer *w, const struct socks5_greeting *g);
void socks5_put_method(struct writer *w, uint8_t method);
void socks5_put_request(struct writer *w, const struct socks5_request *rq);
void socks5_put_reply(struct writer *w, const struct socks5_reply *rp);
void socks5_put_userpass(struct writer *w, const struct socks5_userpass *up);
void socks5_put_userpass_status(struct writer *w, uint8_t status);
void socks5_put_udp_header(struct writer *w, const struct socks5_udp_header *h);

#endif
