#include "record.h"

bool record_get(struct reader *r, struct record *out)
{
	size_t start = r->pos;

	*out = (struct record){ 0 };
	dns_skip_name(r);
	out->root = !r->over && r->pos - start == 1;
	out->type = get_u16(r);
	out->class = get_u16(r);
	out->ttl = (uint32_t)get_u16(r) << 16;
	out->ttl |= get_u16(r);
	out->len = get_u16(r);
	out->data = get_octets(r, out->len);
	return !r->over;
}

bool record_skip_questions(struct reader *r)
{
	for (unsigned n = header_get(r->buf, COUNT_AT(QUESTION)); n > 0 && !r->over; n--) {
		dns_skip_name(r);
		get_octets(r, 4); /* type and class */
	}
	return !r->over;
}

void record_put_opt(struct writer *w, uint16_t size, uint32_t ttl)
{
	put_u8(w, 0); /* the root */
	put_u16(w, DNS_OPT);
	put_u16(w, size);
	put_u16(w, (uint16_t)(ttl >> 16));
	put_u16(w, (uint16_t)(ttl & 0xffff));
	put_u16(w, 0);
}
