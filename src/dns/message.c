#include "record.h"

/* The one OPT record of a question. Returns a code as dns_get_question() does. */
static int get_opt(const struct record *rec, struct dns_question *out)
{
	if (!rec->root || out->has_edns)
		return DNS_FORMERR;
	out->has_edns = true;
	out->edns_version = rec->ttl >> OPT_VERSION_SHIFT & 0xff;
	out->dnssec_ok = rec->ttl & OPT_DO;
	if (rec->class > DNS_UDP_MIN)
		out->udp_size = rec->class;
	return DNS_NOERROR;
}

/* All that follows the question. */
static int get_records(struct reader *r, struct dns_question *out)
{
	for (int section = ANSWER; section <= ADDITIONAL; section++) {
		for (unsigned n = header_get(r->buf, COUNT_AT(section)); n > 0; n--) {
			struct record rec;

			if (!record_get(r, &rec))
				return DNS_FORMERR;
			if (rec.type != DNS_OPT)
				continue;
			if (section != ADDITIONAL || get_opt(&rec, out) != DNS_NOERROR)
				return DNS_FORMERR;
		}
	}
	return out->edns_version > 0 ? DNS_BADVERS : DNS_NOERROR;
}

int dns_get_question(const uint8_t *buf, size_t len, struct dns_question *out)
{
	struct reader r;
	uint16_t flags;

	*out = (struct dns_question){ .udp_size = DNS_UDP_MIN };
	if (len < DNS_HEADER_LEN)
		return -1;
	flags = header_get(buf, FLAGS_AT);
	if (flags & FLAGS_QR)
		return -1;
	out->id = header_get(buf, 0);
	out->opcode = (flags & FLAGS_OPCODE) >> OPCODE_SHIFT;
	out->recursion_desired = flags & FLAGS_RD;
	out->checking_disabled = flags & FLAGS_CD;
	if (out->opcode != 0)
		return DNS_NOTIMP;
	if (header_get(buf, COUNT_AT(QUESTION)) != 1)
		return DNS_FORMERR;

	reader_init(&r, buf, len);
	r.pos = DNS_HEADER_LEN;
	dns_get_name(&r, &out->name);
	out->type = get_u16(&r);
	out->class = get_u16(&r);
	if (r.over)
		return DNS_FORMERR;
	out->end = r.pos;
	return get_records(&r, out);
}

size_t dns_get_addresses(const uint8_t *buf, size_t len, struct endpoint *out, size_t max)
{
	struct record rec;
	struct reader r;
	size_t found = 0;

	if (len < DNS_HEADER_LEN)
		return 0;
	reader_init(&r, buf, len);
	r.pos = DNS_HEADER_LEN;
	if (!record_skip_questions(&r))
		return 0;
	for (unsigned n = dns_answer_count(buf); n > 0 && found < max; n--) {
		if (!record_get(&r, &rec))
			break;
		if (rec.class != DNS_IN || (rec.type != DNS_A && rec.type != DNS_AAAA))
			continue;
		if (rec.len != (rec.type == DNS_A ? 4 : 16))
			break;
		if (rec.type == DNS_A)
			endpoint_set_ipv4(&out[found++], rec.data, 0);
		else
			endpoint_set_ipv6(&out[found++], rec.data, 0);
	}
	return found;
}

enum dns_rcode dns_rcode(const uint8_t *buf)
{
	return (enum dns_rcode)(header_get(buf, FLAGS_AT) & FLAGS_RCODE);
}

uint16_t dns_answer_count(const uint8_t *buf)
{
	return header_get(buf, COUNT_AT(ANSWER));
}

size_t dns_put_question(uint8_t *buf, size_t cap, uint16_t id, const struct dns_name *name,
                        uint16_t type, uint16_t udp_size)
{
	struct writer w;

	writer_init(&w, buf, cap);
	put_u16(&w, id);
	put_u16(&w, FLAGS_RD);
	put_u16(&w, 1);
	put_u16(&w, 0);
	put_u16(&w, 0);
	put_u16(&w, udp_size > 0);
	dns_put_name(&w, name);
	put_u16(&w, type);
	put_u16(&w, DNS_IN);
	if (udp_size > 0)
		record_put_opt(&w, udp_size, 0);
	return w.over ? 0 : w.pos;
}
