#include <socks/socks5.h>

enum atyp { /* RFC 1928 section 5 */
	    ATYP_IPV4 = 0x01,
	    ATYP_NAME = 0x03,
	    ATYP_IPV6 = 0x04,
};

#define USERPASS_VERSION 0x01 /* RFC 1929 section 2 */

/*
 * Every get_ ends here. What was read beyond the end is zero, so a message may look bad merely for
 * being short: that is told first, and decoders judge octets that are there before they read on.
 */
static enum wire_res finish(const struct reader *r, bool bad, size_t *used)
{
	*used = r->over ? r->need : r->pos;
	if (r->over)
		return WIRE_SHORT;
	return bad ? WIRE_BAD : WIRE_OK;
}

/* Is the first octet there, and another than it must be. */
static bool starts_otherwise(const uint8_t *buf, size_t len, uint8_t version)
{
	return len > 0 && buf[0] != version;
}

/* An address and its port, from the ATYP octet on. False: it can't become one. */
static bool get_address(struct reader *r, struct endpoint *ep, bool *atyp_bad)
{
	uint8_t atyp = get_u8(r), name_len;
	const uint8_t *at;

	if (r->over)
		return true;
	switch (atyp) {
	case ATYP_IPV4:
		at = get_octets(r, 4 + 2);
		if (at)
			endpoint_set_ipv4(ep, at, (uint16_t)(at[4] << 8 | at[5]));
		return true;
	case ATYP_IPV6:
		at = get_octets(r, 16 + 2);
		if (at)
			endpoint_set_ipv6(ep, at, (uint16_t)(at[16] << 8 | at[17]));
		return true;
	case ATYP_NAME:
		name_len = get_u8(r);
		if (r->over)
			return true;
		if (name_len == 0)
			return false;
		at = get_octets(r, name_len + 2u);
		return !at ||
		       endpoint_set_name(ep, (const char *)at, name_len,
		                         (uint16_t)(at[name_len] << 8 | at[name_len + 1])) == 0;
	default:
		*atyp_bad = true;
		return false;
	}
}

static void put_address(struct writer *w, const struct endpoint *ep)
{
	static const uint8_t zero[4];

	switch (ep->kind) {
	case ENDPOINT_NONE:
		put_u8(w, ATYP_IPV4);
		put_octets(w, zero, 4);
		break;
	case ENDPOINT_IPV4:
		put_u8(w, ATYP_IPV4);
		put_octets(w, ep->ip, 4);
		break;
	case ENDPOINT_IPV6:
		put_u8(w, ATYP_IPV6);
		put_octets(w, ep->ip, 16);
		break;
	case ENDPOINT_NAME:
		/* No decoder takes these. */
		if (ep->name_len == 0 || memchr(ep->name, '\0', ep->name_len))
			w->over = true;
		put_u8(w, ATYP_NAME);
		put_u8(w, ep->name_len);
		put_octets(w, ep->name, ep->name_len);
		break;
	}
	put_u16(w, ep->port);
}

enum wire_res socks5_get_greeting(const uint8_t *buf, size_t len, struct socks5_greeting *out,
                                  size_t *used)
{
	const uint8_t *methods;
	struct reader r;
	uint8_t n;

	if (starts_otherwise(buf, len, SOCKS5_VERSION))
		return WIRE_BAD;
	reader_init(&r, buf, len);
	get_octets(&r, 1);
	n = get_u8(&r);
	methods = get_octets(&r, n);
	if (!r.over) {
		out->n_methods = n;
		memcpy(out->methods, methods, n);
	}
	return finish(&r, false, used);
}

void socks5_put_greeting(struct writer *w, const struct socks5_greeting *g)
{
	put_u8(w, SOCKS5_VERSION);
	put_u8(w, g->n_methods);
	put_octets(w, g->methods, g->n_methods);
}

enum wire_res socks5_get_method(const uint8_t *buf, size_t len, uint8_t *method, size_t *used)
{
	const uint8_t *at;
	struct reader r;

	if (starts_otherwise(buf, len, SOCKS5_VERSION))
		return WIRE_BAD;
	reader_init(&r, buf, len);
	at = get_octets(&r, 2);
	if (at)
		*method = at[1];
	return finish(&r, false, used);
}

void socks5_put_method(struct writer *w, uint8_t method)
{
	put_u8(w, SOCKS5_VERSION);
	put_u8(w, method);
}

/* Requests and replies differ in the meaning of their second octet alone. */
static enum wire_res get_message(const uint8_t *buf, size_t len, uint8_t *second,
                                 struct endpoint *ep, size_t *used, bool *atyp_bad)
{
	struct endpoint addr;
	const uint8_t *at;
	struct reader r;
	bool good;

	*atyp_bad = false;
	if (starts_otherwise(buf, len, SOCKS5_VERSION))
		return WIRE_BAD;
	/* Not one by one: whoever receives what a decoder asks for gets ATYP by its first call. */
	if (len < 4) {
		*used = 4;
		return WIRE_SHORT;
	}
	reader_init(&r, buf, len);
	at = get_octets(&r, 3);
	good = get_address(&r, &addr, atyp_bad);
	if (good && !r.over) {
		*second = at[1];
		*ep = addr;
	}
	return finish(&r, !good, used);
}

static void put_message(struct writer *w, uint8_t second, const struct endpoint *ep)
{
	put_u8(w, SOCKS5_VERSION);
	put_u8(w, second);
	put_u8(w, 0);
	put_address(w, ep);
}

enum wire_res socks5_get_request(const uint8_t *buf, size_t len, struct socks5_request *out,
                                 size_t *used, bool *atyp_bad)
{
	bool ignored;

	return get_message(buf, len, &out->cmd, &out->dst, used, atyp_bad ? atyp_bad : &ignored);
}

void socks5_put_request(struct writer *w, const struct socks5_request *rq)
{
	put_message(w, rq->cmd, &rq->dst);
}

enum wire_res socks5_get_reply(const uint8_t *buf, size_t len, struct socks5_reply *out,
                               size_t *used)
{
	bool ignored;

	return get_message(buf, len, &out->rep, &out->bnd, used, &ignored);
}

void socks5_put_reply(struct writer *w, const struct socks5_reply *rp)
{
	put_message(w, rp->rep, &rp->bnd);
}

enum wire_res socks5_get_userpass(const uint8_t *buf, size_t len, struct socks5_userpass *out,
                                  size_t *used)
{
	const uint8_t *user, *password;
	uint8_t user_len, password_len;
	struct reader r;

	if (starts_otherwise(buf, len, USERPASS_VERSION))
		return WIRE_BAD;
	reader_init(&r, buf, len);
	get_octets(&r, 1);
	user_len = get_u8(&r);
	user = get_octets(&r, user_len);
	password_len = get_u8(&r);
	password = get_octets(&r, password_len);
	if (!r.over) {
		out->user_len = user_len;
		memcpy(out->user, user, user_len);
		out->user[user_len] = '\0';
		out->password_len = password_len;
		memcpy(out->password, password, password_len);
		out->password[password_len] = '\0';
	}
	return finish(&r, false, used);
}

void socks5_put_userpass(struct writer *w, const struct socks5_userpass *up)
{
	put_u8(w, USERPASS_VERSION);
	put_u8(w, up->user_len);
	put_octets(w, up->user, up->user_len);
	put_u8(w, up->password_len);
	put_octets(w, up->password, up->password_len);
}

enum wire_res socks5_get_userpass_status(const uint8_t *buf, size_t len, uint8_t *status,
                                         size_t *used)
{
	const uint8_t *at;
	struct reader r;

	/*
	 * Some servers put SOCKS's own version here, and get away with it since curl looks at
	 * neither.
	 */
	if (starts_otherwise(buf, len, USERPASS_VERSION) && buf[0] != SOCKS5_VERSION)
		return WIRE_BAD;
	reader_init(&r, buf, len);
	at = get_octets(&r, 2);
	if (at)
		*status = at[1];
	return finish(&r, false, used);
}

void socks5_put_userpass_status(struct writer *w, uint8_t status)
{
	put_u8(w, USERPASS_VERSION);
	put_u8(w, status);
}

enum wire_res socks5_get_udp_header(const uint8_t *buf, size_t len, struct socks5_udp_header *out,
                                    size_t *used)
{
	struct endpoint dst;
	struct reader r;
	bool ignored, good;
	uint8_t frag;

	reader_init(&r, buf, len);
	get_u16(&r);
	frag = get_u8(&r);
	good = get_address(&r, &dst, &ignored);
	if (good && !r.over) {
		out->frag = frag;
		out->dst = dst;
	}
	return finish(&r, !good, used);
}

void socks5_put_udp_header(struct writer *w, const struct socks5_udp_header *h)
{
	put_u16(w, 0);
	put_u8(w, h->frag);
	put_address(w, &h->dst);
}
