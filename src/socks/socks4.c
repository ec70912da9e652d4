#include <socks/socks4.h>

#define REQUEST_MIN 9 /* no user, no name */

static bool is_name_mark(const uint8_t ip[4])
{
	return ip[0] == 0 && ip[1] == 0 && ip[2] == 0 && ip[3] != 0;
}

/*
 * Borrow the NUL-terminated octets at the cursor, at most @max of them; the cursor moves past the
 * NUL. NULL without ->over: the field is too long.
 */
static const char *get_string(struct reader *r, size_t max, size_t *len)
{
	const char *at = (const char *)r->buf + r->pos;
	size_t left = r->len - r->pos;

	*len = strnlen(at, left <= max ? left : max + 1);
	if (*len > max)
		return NULL;
	/* Where the NUL has not come, one octet more is the least that may bring it. */
	return get_octets(r, *len + 1) ? at : NULL;
}

enum wire_res socks4_get_request(const uint8_t *buf, size_t len, struct socks4_request *out,
                                 size_t *used)
{
	size_t user_len, name_len = 0;
	const char *user, *name = NULL;
	const uint8_t *ip;
	struct reader r;
	uint16_t port;
	uint8_t cmd;

	if (len > 0 && buf[0] != SOCKS4_VERSION)
		return WIRE_BAD;
	*used = REQUEST_MIN;
	if (len < REQUEST_MIN)
		return WIRE_SHORT;
	reader_init(&r, buf, len);
	get_u8(&r);
	cmd = get_u8(&r);
	port = get_u16(&r);
	ip = get_octets(&r, 4);

	user = get_string(&r, SOCKS4_USER_MAX, &user_len);
	if (user && is_name_mark(ip))
		name = get_string(&r, ENDPOINT_NAME_MAX, &name_len);
	if (r.over) {
		*used = r.need;
		return WIRE_SHORT;
	}
	if (!user || (is_name_mark(ip) && (!name || name_len == 0)))
		return WIRE_BAD;

	out->cmd = cmd;
	if (name)
		endpoint_set_name(&out->dst, name, name_len, port);
	else
		endpoint_set_ipv4(&out->dst, ip, port);
	out->user_len = (uint8_t)user_len;
	memcpy(out->user, user, user_len + 1);
	*used = r.pos;
	return WIRE_OK;
}

void socks4_put_request(struct writer *w, const struct socks4_request *rq)
{
	static const uint8_t mark[4] = { 0, 0, 0, 1 };
	const struct endpoint *dst = &rq->dst;
	bool named = dst->kind == ENDPOINT_NAME;

	/* What the other side would read as something else is not written. */
	if ((named && (dst->name_len == 0 || memchr(dst->name, '\0', dst->name_len))) ||
	    (!named && (dst->kind != ENDPOINT_IPV4 || is_name_mark(dst->ip))) ||
	    memchr(rq->user, '\0', rq->user_len)) {
		w->over = true;
		return;
	}
	put_u8(w, SOCKS4_VERSION);
	put_u8(w, rq->cmd);
	put_u16(w, dst->port);
	put_octets(w, named ? mark : dst->ip, 4);
	put_octets(w, rq->user, rq->user_len);
	put_u8(w, 0);
	if (named) {
		put_octets(w, dst->name, dst->name_len);
		put_u8(w, 0);
	}
}

enum wire_res socks4_get_reply(const uint8_t *buf, size_t len, struct socks4_reply *out,
                               size_t *used)
{
	struct reader r;
	uint16_t port;
	uint8_t code;

	if (len > 0 && buf[0] != 0 && buf[0] != SOCKS4_VERSION)
		return WIRE_BAD;
	*used = SOCKS4_REPLY_LEN;
	if (len < SOCKS4_REPLY_LEN)
		return WIRE_SHORT;
	reader_init(&r, buf, len);
	get_u8(&r);
	code = get_u8(&r);
	port = get_u16(&r);
	out->code = code;
	endpoint_set_ipv4(&out->bnd, get_octets(&r, 4), port);
	return WIRE_OK;
}

void socks4_put_reply(struct writer *w, const struct socks4_reply *rp)
{
	static const uint8_t zero[4];

	put_u8(w, 0);
	put_u8(w, rp->code);
	put_u16(w, rp->bnd.port);
	put_octets(w, rp->bnd.kind == ENDPOINT_IPV4 ? rp->bnd.ip : zero, 4);
}
