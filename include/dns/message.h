/*
 * DNS messages (RFC 1035, EDNS of RFC 6891), as far as someone needs them who answers in place:
 * read a question, write its answer, find the addresses in an answer. Pure functions of octets.
 */
#ifndef DNS_MESSAGE_H
#define DNS_MESSAGE_H

#include <base/endpoint.h>
#include <dns/name.h>

#define DNS_PORT        53
#define DNS_HEADER_LEN  12
#define DNS_UDP_MIN     512   /* octets that every asker takes by UDP (RFC 1035 section 4.2.1) */
#define DNS_MESSAGE_MAX 65535 /* what TCP's two octets of length can say */

enum dns_type {
	DNS_A = 1,
	DNS_CNAME = 5,
	DNS_PTR = 12,
	DNS_AAAA = 28,
	DNS_OPT = 41,
	DNS_IXFR = 251,
	DNS_AXFR = 252,
	DNS_ANY = 255,
};

enum dns_class { DNS_IN = 1, DNS_CLASS_ANY = 255 };

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_BADVERS = 16, /* its upper bits are EDNS's (RFC 6891 section 6.1.3) */
};

/* What was asked. */
struct dns_question {
	uint16_t id;
	uint8_t opcode;
	bool recursion_desired, checking_disabled;
	uint16_t type, class;
	struct dns_name name; /* as it was written */
	size_t end;           /* of the question section; 0: there is none that can be repeated */
	bool has_edns;
	uint8_t edns_version;
	bool dnssec_ok;
	uint16_t udp_size; /* octets that the asker takes by UDP; at least DNS_UDP_MIN */
};

/*
 * Read a question: QUERY, one question, and at most one OPT record anywhere in the additional
 * section. Records of other kinds are passed over, octets after the last one too. An OPT record
 * elsewhere, a second one, or one whose name is not the root is DNS_FORMERR.
 *
 * Returns DNS_NOERROR; -1 where no answer is due (less than a header, or itself an answer); or the
 * code to answer with: DNS_NOTIMP (another opcode), DNS_FORMERR, DNS_BADVERS. After any but -1 @out
 * will do for dns_answer_begin().
 */
int dns_get_question(const uint8_t *buf, size_t len, struct dns_question *out);

/* An answer that is being written. */
struct dns_answer {
	uint8_t *buf; /* borrowed */
	size_t cap, len;
	size_t reserve; /* for the OPT record */
	uint16_t count;
	bool truncated, has_edns, dnssec_ok;
};

/*
 * Begin an answer: id, opcode, RD and CD as asked, the question repeated octet by octet, RA.
 *
 * @msg  what @q was read from
 * @cap  of @buf: at least DNS_UDP_MIN; no more than that is written. By UDP at most q->udp_size.
 */
void dns_answer_begin(struct dns_answer *a, const struct dns_question *q, const uint8_t *msg,
                      uint8_t *buf, size_t cap);

/*
 * A record that belongs to the name that was asked: A or AAAA of @ep's address, or PTR. What finds
 * no room is left out, and the answer marked as cut (TC). Nothing is written where no question is
 * repeated, for an endpoint that is no address, or for a name that dns_put_name() refuses.
 */
void dns_answer_address(struct dns_answer *a, const struct endpoint *ep, uint32_t ttl_s);
void dns_answer_ptr(struct dns_answer *a, const struct dns_name *name, uint32_t ttl_s);

/* Finish it: DNS_BADVERS needs EDNS, and is DNS_SERVFAIL without. Returns its length. */
size_t dns_answer_end(struct dns_answer *a, enum dns_rcode rcode);

/*
 * The addresses of the A and AAAA records in the answer section of @buf, ports 0. Returns how many
 * were written to @out; a message that is damaged gives those before the damage.
 */
size_t dns_get_addresses(const uint8_t *buf, size_t len, struct endpoint *out, size_t max);

/* Of any message that is at least a header: its RCODE (without EDNS's bits), and ANCOUNT. */
enum dns_rcode dns_rcode(const uint8_t *buf);
uint16_t dns_answer_count(const uint8_t *buf);

/*
 * Write a question: QUERY, RD, class IN, an OPT record that offers @udp_size octets where that is
 * not 0. Returns its length, or 0 where @cap is too small or dns_put_name() refuses the name.
 */
size_t dns_put_question(uint8_t *buf, size_t cap, uint16_t id, const struct dns_name *name,
                        uint16_t type, uint16_t udp_size);

/*
 * Cut an answer to @cap octets (at least a header's) for an asker by UDP: the question and its OPT
 * record, now of @cap's size and without options, stay where they fit, all else goes, TC is set.
 * What fits already is left alone. Returns the new length.
 */
size_t dns_cut(uint8_t *buf, size_t len, size_t cap);

#endif
