#include "record.h"

/*
 * What is said in OPT of the size of questions: IPv6's least MTU (RFC 8200 section 5) less the
 * headers of IPv6 and UDP.
 */
#define UDP_SIZE 1232

/* A compression pointer to the question's name, which stands right behind the header. */
#define QUESTION_NAME (0xc000 | DNS_HEADER_LEN)

void dns_answer_begin(struct dns_answer *a, const struct dns_question *q, const uint8_t *msg,
                      uint8_t *buf, size_t cap)
{
	unsigned flags = FLAGS_QR | FLAGS_RA | (unsigned)q->opcode << OPCODE_SHIFT;
	struct writer w;

	if (q->recursion_desired)
		flags |= FLAGS_RD;
	if (q->checking_disabled)
		flags |= FLAGS_CD;
	writer_init(&w, buf, cap);
	put_u16(&w, q->id);
	put_u16(&w, (uint16_t)flags);
	put_u16(&w, q->end > 0);
	put_u16(&w, 0);
	put_u16(&w, 0);
	put_u16(&w, 0);
	if (q->end > 0)
		put_octets(&w, msg + DNS_HEADER_LEN, q->end - DNS_HEADER_LEN);
	*a = (struct dns_answer){
		.buf = buf,
		.cap = cap,
		.len = w.pos,
		.reserve = q->has_edns ? OPT_LEN : 0,
		.has_edns = q->has_edns,
		.dnssec_ok = q->dnssec_ok,
	};
}

/* Where there was no question, there is no name that a record could belong to. */
static bool has_question(const struct dns_answer *a)
{
	return a->len > DNS_HEADER_LEN;
}

/* The head of a record; its data, of @len octets, is what the caller puts next. */
static void record_begin(struct writer *w, const struct dns_answer *a, uint16_t type,
                         uint32_t ttl_s, size_t len)
{
	writer_init(w, a->buf, a->cap - a->reserve);
	w->pos = a->len;
	put_u16(w, QUESTION_NAME);
	put_u16(w, type);
	put_u16(w, DNS_IN);
	put_u16(w, (uint16_t)(ttl_s >> 16));
	put_u16(w, (uint16_t)(ttl_s & 0xffff));
	put_u16(w, (uint16_t)len);
}

static void record_end(const struct writer *w, struct dns_answer *a)
{
	if (w->over) {
		a->truncated = true;
		return;
	}
	a->len = w->pos;
	a->count++;
}

void dns_answer_address(struct dns_answer *a, const struct endpoint *ep, uint32_t ttl_s)
{
	bool ipv4 = ep->kind == ENDPOINT_IPV4;
	size_t len = ipv4 ? 4 : 16;
	struct writer w;

	if (!has_question(a) || (!ipv4 && ep->kind != ENDPOINT_IPV6))
		return;
	record_begin(&w, a, ipv4 ? DNS_A : DNS_AAAA, ttl_s, len);
	put_octets(&w, ep->ip, len);
	record_end(&w, a);
}

void dns_answer_ptr(struct dns_answer *a, const struct dns_name *name, uint32_t ttl_s)
{
	uint8_t wire[DNS_WIRE_MAX];
	struct writer data, w;

	writer_init(&data, wire, sizeof(wire));
	if (!has_question(a) || !dns_put_name(&data, name))
		return;
	record_begin(&w, a, DNS_PTR, ttl_s, data.pos);
	put_octets(&w, wire, data.pos);
	record_end(&w, a);
}

size_t dns_answer_end(struct dns_answer *a, enum dns_rcode rcode)
{
	unsigned code = rcode;
	unsigned flags = header_get(a->buf, FLAGS_AT);

	/* Its upper bits are lost without OPT, and what is left could be a success. */
	if (code >> RCODE_BITS && !a->has_edns)
		code = DNS_SERVFAIL;
	flags |= code & FLAGS_RCODE;
	if (a->truncated)
		flags |= FLAGS_TC;
	header_put(a->buf, FLAGS_AT, (uint16_t)flags);
	header_put(a->buf, COUNT_AT(ANSWER), a->count);
	if (a->has_edns) {
		uint32_t ttl = (uint32_t)(code >> RCODE_BITS) << OPT_RCODE_SHIFT;
		struct writer w;

		writer_init(&w, a->buf, a->cap);
		w.pos = a->len;
		record_put_opt(&w, UDP_SIZE, a->dnssec_ok ? ttl | OPT_DO : ttl);
		header_put(a->buf, COUNT_AT(ADDITIONAL), 1);
		a->len = w.pos;
	}
	return a->len;
}

/* Find the OPT record behind all other sections of a message. */
static bool find_opt(struct reader *r, struct record *out)
{
	for (int section = ANSWER; section <= ADDITIONAL; section++)
		for (unsigned n = header_get(r->buf, COUNT_AT(section)); n > 0; n--) {
			if (!record_get(r, out))
				return false;
			if (section == ADDITIONAL && out->type == DNS_OPT && out->root)
				return true;
		}
	return false;
}

size_t dns_cut(uint8_t *buf, size_t len, size_t cap)
{
	size_t end = DNS_HEADER_LEN;
	bool has_opt = false;
	struct record opt;
	struct reader r;

	if (len <= cap)
		return len;
	reader_init(&r, buf, len);
	r.pos = DNS_HEADER_LEN;
	if (record_skip_questions(&r)) {
		if (r.pos <= cap)
			end = r.pos;
		has_opt = find_opt(&r, &opt) && end + OPT_LEN <= cap;
	}
	if (end == DNS_HEADER_LEN)
		header_put(buf, COUNT_AT(QUESTION), 0);
	header_put(buf, FLAGS_AT, header_get(buf, FLAGS_AT) | FLAGS_TC);
	header_put(buf, COUNT_AT(ANSWER), 0);
	header_put(buf, COUNT_AT(AUTHORITY), 0);
	header_put(buf, COUNT_AT(ADDITIONAL), has_opt);
	if (has_opt) {
		struct writer w;

		writer_init(&w, buf, cap);
		w.pos = end;
		record_put_opt(&w, cap < UINT16_MAX ? (uint16_t)cap : UINT16_MAX, opt.ttl);
		end = w.pos;
	}
	return end;
}
