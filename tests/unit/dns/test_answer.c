#include "octets.h"
#include <arpa/nameser.h>

#define ONE      "\0\1\0\0\0\0\0\0"
#define ONE_MORE "\0\1\0\0\0\0\0\1"
#define QUESTION "\7eXample\3ORG\0\0\1\0\1"
#define OPT_4096 "\0\0\x29\x10\0\0\0\0\0\0\0"
#define OPT_DO   "\0\0\x29\x10\0\0\0\x80\0\0\0"
#define OPT_V1   "\0\0\x29\x10\0\0\1\0\0\0\0"

/* What an answer offers of its own: 1232 octets. */
#define OWN_OPT "\0\0\x29\4\xd0\0\0\0\0\0\0"

static const struct answered {
	struct octets question;
	const char *records[3]; /* addresses, or a name for PTR */
	enum dns_rcode rcode;
	struct octets want;
} answereds[] = {
	/* An address; id, RD and the question's letters are the asker's. */
	{ OCTETS(HEADER("\1\x20", ONE) QUESTION),
	  { "198.18.0.7:443" },
	  DNS_NOERROR,
	  OCTETS(HEADER("\x81\x80", "\0\1\0\1\0\0\0\0") QUESTION
	         "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc6\x12\0\7") },
	/* Two; CD without RD; EDNS's OPT. */
	{ OCTETS(HEADER("\0\x10", ONE_MORE) QUESTION OPT_4096),
	  { "198.18.0.7:0", "[2001:db8::7]:0" },
	  DNS_NOERROR,
	  OCTETS(HEADER("\x80\x90", "\0\1\0\2\0\0\0\1") QUESTION
	         "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc6\x12\0\7"
	         "\xc0\x0c\0\x1c\0\1\0\0\0\x3c\0\x10\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0"
	         "\7" OWN_OPT) },
	/* A name; DO goes back (RFC 3225). */
	{ OCTETS(HEADER("\1\0", ONE_MORE) "\1"
	                                  "7\7in-addr\4arpa\0\0\x0c\0\1" OPT_DO),
	  { "www.Example.org" },
	  DNS_NOERROR,
	  OCTETS(HEADER(
		  "\x81\x80",
		  "\0\1\0\1\0\0\0\1") "\1"
	                              "7\7in-addr\4arpa\0\0\x0c\0\1"
	                              "\xc0\x0c\0\x0c\0\1\0\0\0\x3c\0\x11\3www\7Example\3org\0"
	                              "\0\0\x29\4\xd0\0\0\x80\0\0\0") },
	/* The root, and its name. */
	{ OCTETS(HEADER("\1\0", ONE) "\0\0\x0c\0\1"),
	  { "." },
	  DNS_NOERROR,
	  OCTETS(HEADER("\x81\x80", "\0\1\0\1\0\0\0\0") "\0\0\x0c\0\1"
	                                                "\xc0\x0c\0\x0c\0\1\0\0\0\x3c\0\1\0") },
	/* None. */
	{ OCTETS(HEADER("\1\0", ONE) QUESTION),
	  { NULL },
	  DNS_NXDOMAIN,
	  OCTETS(HEADER("\x81\x83", "\0\1\0\0\0\0\0\0") QUESTION) },
	{ OCTETS(HEADER("\1\0", ONE_MORE) QUESTION OPT_4096),
	  { NULL },
	  DNS_REFUSED,
	  OCTETS(HEADER("\x81\x85", ONE_MORE) QUESTION OWN_OPT) },
	/* Of what followed the question nothing comes back. */
	{ OCTETS(HEADER("\1\0", ONE) QUESTION "more"),
	  { NULL },
	  DNS_NOERROR,
	  OCTETS(HEADER("\x81\x80", ONE) QUESTION) },
	/* BADVERS is told by OPT, whose version is ours, and the header's bits are 0. */
	{ OCTETS(HEADER("\1\0", ONE_MORE) QUESTION OPT_V1),
	  { NULL },
	  DNS_BADVERS,
	  OCTETS(HEADER("\x81\x80", ONE_MORE) QUESTION "\0\0\x29\4\xd0\1\0\0\0\0\0") },
	/* Without OPT it cannot be told, but is no success. */
	{ OCTETS(HEADER("\1\0", ONE) QUESTION),
	  { NULL },
	  DNS_BADVERS,
	  OCTETS(HEADER("\x81\x82", ONE) QUESTION) },
	/* OPT twice. */
	{ OCTETS(HEADER("\1\0", "\0\1\0\0\0\0\0\2") QUESTION OPT_4096 OPT_4096),
	  { NULL },
	  DNS_FORMERR,
	  OCTETS(HEADER("\x81\x81", ONE_MORE) QUESTION OWN_OPT) },
	/* No question that could be repeated: no record has a name. */
	{ OCTETS(HEADER("\1\0", ONE)),
	  { "198.18.0.7:0" },
	  DNS_FORMERR,
	  OCTETS(HEADER("\x81\x81", "\0\0\0\0\0\0\0\0")) },
	{ OCTETS(HEADER("\1\0", ONE)),
	  { "example.org" },
	  DNS_FORMERR,
	  OCTETS(HEADER("\x81\x81", "\0\0\0\0\0\0\0\0")) },
	/* Another opcode, which stays. */
	{ OCTETS(HEADER("\x29\0", ONE) QUESTION),
	  { NULL },
	  DNS_NOTIMP,
	  OCTETS(HEADER("\xa9\x84", "\0\0\0\0\0\0\0\0")) },
};

static void add(struct dns_answer *a, const char *record)
{
	struct endpoint ep;
	struct dns_name name;

	if (strchr(record, ':')) {
		ep = unit_endpoint(record);
		dns_answer_address(a, &ep, 60);
	} else {
		name = octets_name(record);
		dns_answer_ptr(a, &name, 60);
	}
}

START_TEST(an_answer_is_written)
{
	const struct answered *row = &answereds[_i];
	uint8_t *msg = octets_copy(row->question.at, row->question.len);
	uint8_t *buf = malloc(DNS_UDP_MIN);
	struct dns_question q;
	struct dns_answer a;
	size_t len;

	ck_assert_int_ge(dns_get_question(msg, row->question.len, &q), 0);
	dns_answer_begin(&a, &q, msg, buf, DNS_UDP_MIN);
	for (int i = 0; i < 3 && row->records[i]; i++)
		add(&a, row->records[i]);
	len = dns_answer_end(&a, row->rcode);
	ck_assert_uint_eq(len, row->want.len);
	ck_assert_mem_eq(buf, row->want.at, len);
	ck_assert_int_eq(dns_get_question(buf, len, &q), -1);
	free(buf);
	free(msg);
}
END_TEST

START_TEST(all_codes_go_there_and_back)
{
	static const char in[] = HEADER("\1\0", ONE_MORE) QUESTION OPT_4096;
	const uint8_t *msg = (const uint8_t *)in;
	uint8_t buf[DNS_UDP_MIN];
	struct dns_question q;
	struct dns_answer a;
	ns_msg parsed;
	ns_rr opt;

	ck_assert_int_eq(dns_get_question(msg, sizeof(in) - 1, &q), DNS_NOERROR);
	dns_answer_begin(&a, &q, msg, buf, sizeof(buf));
	ck_assert_int_eq(ns_initparse(buf, (int)dns_answer_end(&a, (enum dns_rcode)_i), &parsed),
	                 0);
	ck_assert_int_eq(ns_parserr(&parsed, ns_s_ar, 0, &opt), 0);
	ck_assert_uint_eq(ns_rr_ttl(opt) >> 24 << 4 | (unsigned)dns_rcode(buf), (unsigned)_i);
}
END_TEST

/* A question for the longest name. */
static size_t longest(uint8_t *msg, bool edns)
{
	char text[DNS_WIRE_MAX];
	struct dns_name name;

	memset(text, 'x', sizeof(text));
	for (size_t i = 63; i < 253; i += 64)
		text[i] = '.';
	ck_assert(dns_name_set(&name, text, 253));
	return dns_put_question(msg, DNS_UDP_MIN, 0x1234, &name, DNS_A, edns ? 1232 : 0);
}

START_TEST(what_does_not_fit_is_left_out_and_told)
{
	bool edns = _i % 2;
	size_t cap = DNS_UDP_MIN + (size_t)_i / 2;
	uint8_t msg[DNS_UDP_MIN], *buf = malloc(cap);
	size_t len = longest(msg, edns), fit, head = 12 + 255 + 4;
	struct endpoint ep = unit_endpoint("198.18.0.7:0"), out[40];
	struct dns_question q;
	struct dns_answer a;

	ck_assert_int_eq(dns_get_question(msg, len, &q), DNS_NOERROR);
	fit = (cap - head - (edns ? 11 : 0)) / 16;
	for (size_t n = fit - 1; n <= fit + 2; n++) {
		ns_msg parsed;

		dns_answer_begin(&a, &q, msg, buf, cap);
		for (size_t i = 0; i < n; i++)
			dns_answer_address(&a, &ep, 60);
		len = dns_answer_end(&a, DNS_NOERROR);
		ck_assert_uint_le(len, cap);
		ck_assert_int_eq(ns_initparse(buf, (int)len, &parsed), 0);
		ck_assert_int_eq(ns_msg_getflag(parsed, ns_f_tc), n > fit);
		ck_assert_int_eq(ns_msg_count(parsed, ns_s_an), (int)(n > fit ? fit : n));
		ck_assert_int_eq(ns_msg_count(parsed, ns_s_ar), edns);
		ck_assert_uint_eq(dns_get_addresses(buf, len, out, 40), n > fit ? fit : n);
	}
	free(buf);
}
END_TEST

START_TEST(a_smaller_record_may_still_fit)
{
	uint8_t msg[DNS_UDP_MIN], buf[DNS_UDP_MIN];
	struct dns_name ptr;
	struct endpoint out[2];
	struct dns_question q;
	struct dns_answer a;
	char text[253];
	size_t len = longest(msg, true);

	memset(text, 'x', sizeof(text));
	for (size_t i = 63; i < 253; i += 64)
		text[i] = '.';
	ck_assert(dns_name_set(&ptr, text, 253));
	ck_assert_int_eq(dns_get_question(msg, len, &q), DNS_NOERROR);
	dns_answer_begin(&a, &q, msg, buf, sizeof(buf));
	dns_answer_ptr(&a, &ptr, 60);
	ck_assert(a.truncated && a.count == 0);
	add(&a, "198.18.0.7:0");
	len = dns_answer_end(&a, DNS_NOERROR);
	ck_assert_uint_eq(dns_get_addresses(buf, len, out, 2), 1);
	ck_assert(buf[2] & 2);
}
END_TEST

START_TEST(what_cannot_be_said_is_not_written)
{
	static const char in[] = HEADER("\1\0", ONE) QUESTION;
	struct endpoint none = { .kind = ENDPOINT_NONE }, name = unit_endpoint("example.org:1");
	struct dns_name bad = octets_name("example.org");
	uint8_t buf[DNS_UDP_MIN];
	struct dns_question q;
	struct dns_answer a;

	bad.plain = false;
	dns_get_question((const uint8_t *)in, sizeof(in) - 1, &q);
	dns_answer_begin(&a, &q, (const uint8_t *)in, buf, sizeof(buf));
	dns_answer_address(&a, &none, 60);
	dns_answer_address(&a, &name, 60);
	dns_answer_ptr(&a, &bad, 60);
	ck_assert(a.count == 0 && !a.truncated);
	ck_assert_uint_eq(dns_answer_end(&a, DNS_NOERROR), sizeof(in) - 1);
}
END_TEST

START_TEST(the_time_to_live_has_32_bits)
{
	static const char in[] = HEADER("\1\0", ONE) QUESTION;
	struct endpoint ep = unit_endpoint("198.18.0.7:0");
	uint8_t buf[DNS_UDP_MIN];
	struct dns_question q;
	struct dns_answer a;
	ns_msg parsed;
	ns_rr rr;

	dns_get_question((const uint8_t *)in, sizeof(in) - 1, &q);
	dns_answer_begin(&a, &q, (const uint8_t *)in, buf, sizeof(buf));
	dns_answer_address(&a, &ep, 0x12345678);
	ck_assert_int_eq(ns_initparse(buf, (int)dns_answer_end(&a, DNS_NOERROR), &parsed), 0);
	ck_assert_int_eq(ns_parserr(&parsed, ns_s_an, 0, &rr), 0);
	ck_assert_uint_eq(ns_rr_ttl(rr), 0x12345678);
	ck_assert_str_eq(ns_rr_name(rr), "eXample.ORG");
}
END_TEST

START_TEST(libc_reads_what_is_written)
{
	const struct answered *row = &answereds[_i];
	struct dns_question q;
	char text[NS_MAXDNAME];
	ns_msg parsed;
	ns_rr rr;

	ck_assert_int_eq(ns_initparse((const uint8_t *)row->want.at, (int)row->want.len, &parsed),
	                 0);
	dns_get_question((const uint8_t *)row->question.at, row->question.len, &q);
	for (int i = 0; i < ns_msg_count(parsed, ns_s_an); i++) {
		ck_assert_int_eq(ns_parserr(&parsed, ns_s_an, i, &rr), 0);
		ck_assert_str_eq(ns_rr_name(rr), q.name.len > 0 ? q.name.text : ".");
		if (ns_rr_type(rr) != ns_t_ptr)
			continue;
		ck_assert_int_eq(ns_name_uncompress(ns_msg_base(parsed), ns_msg_end(parsed),
		                                    ns_rr_rdata(rr), text, sizeof(text)),
		                 ns_rr_rdlen(rr));
		ck_assert_str_eq(text, row->records[i]);
	}
}
END_TEST

#define ANSWER   "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc6\x12\0\7"
#define COOKIE   "\0\x0a\0\x08\xc8\xf6\xa9\x88\xd1\x37\xd6\xa0"
#define OPT_MORE "\0\0\x29\x10\0\1\0\x80\0\0\x0c" COOKIE

/* What is cut, to how many octets, and what stays. */
static const struct cut {
	struct octets in;
	size_t cap;
	struct octets want;
} cuts[] = {
	/* It fits. */
	{ OCTETS(HEADER("\x81\x80", "\0\1\0\1\0\0\0\0") QUESTION ANSWER), 45,
	  OCTETS(HEADER("\x81\x80", "\0\1\0\1\0\0\0\0") QUESTION ANSWER) },
	{ OCTETS(HEADER("\x81\x80", "\0\1\0\1\0\0\0\0") QUESTION ANSWER), 44,
	  OCTETS(HEADER("\x83\x80", ONE) QUESTION) },
	{ OCTETS(HEADER("\x81\x80", "\0\1\0\1\0\0\0\0") QUESTION ANSWER), 29,
	  OCTETS(HEADER("\x83\x80", ONE) QUESTION) },
	/* The question does not. */
	{ OCTETS(HEADER("\x81\x80", "\0\1\0\1\0\0\0\0") QUESTION ANSWER), 28,
	  OCTETS(HEADER("\x83\x80", "\0\0\0\0\0\0\0\0")) },
	{ OCTETS(HEADER("\x81\x80", "\0\1\0\1\0\0\0\0") QUESTION ANSWER), 12,
	  OCTETS(HEADER("\x83\x80", "\0\0\0\0\0\0\0\0")) },
	/* OPT: its size is now the asker's, upper RCODE bits and DO stay, options go. */
	{ OCTETS(HEADER("\x81\x83", "\0\1\0\2\0\1\0\2")
	                 QUESTION ANSWER ANSWER ANSWER ANSWER OPT_MORE),
	  64, OCTETS(HEADER("\x83\x83", ONE_MORE) QUESTION "\0\0\x29\0\x40\1\0\x80\0\0\0") },
	{ OCTETS(HEADER("\x81\x83", "\0\1\0\0\0\0\0\2") QUESTION OPT_4096 ANSWER), 40,
	  OCTETS(HEADER("\x83\x83", ONE_MORE) QUESTION "\0\0\x29\0\x28\0\0\0\0\0\0") },
	{ OCTETS(HEADER("\x81\x83", "\0\1\0\0\0\0\0\2") QUESTION OPT_4096 ANSWER), 39,
	  OCTETS(HEADER("\x83\x83", ONE) QUESTION) },
	{ OCTETS(HEADER("\x81\x83", "\0\1\0\0\0\0\0\2") QUESTION OPT_4096 ANSWER), 28,
	  OCTETS(HEADER("\x83\x83", "\0\0\0\0\0\0\0\1") "\0\0\x29\0\x1c\0\0\0\0\0\0") },
	/* One that is not the root's, or not in its section, is none. */
	{ OCTETS(HEADER("\x81\x80", "\0\1\0\1\0\0\0\1") QUESTION OPT_4096 ANSWER), 50,
	  OCTETS(HEADER("\x83\x80", ONE) QUESTION) },
	{ OCTETS(HEADER("\x81\x80", ONE_MORE) QUESTION "\1x" OPT_4096 "and so on"), 50,
	  OCTETS(HEADER("\x83\x80", ONE) QUESTION) },
	/* Two questions, of which the second points into the first; none at all. */
	{ OCTETS(HEADER("\x81\x80", "\0\2\0\1\0\0\0\0") QUESTION "\xc0\x0c\0\x1c\0\1" ANSWER), 40,
	  OCTETS(HEADER("\x83\x80", "\0\2\0\0\0\0\0\0") QUESTION "\xc0\x0c\0\x1c\0\1") },
	{ OCTETS(HEADER("\x81\x80", "\0\0\0\1\0\0\0\0") ANSWER), 20,
	  OCTETS(HEADER("\x83\x80", "\0\0\0\0\0\0\0\0")) },
	/* Damage before OPT, in the question, and counts that lie. */
	{ OCTETS(HEADER("\x81\x80", "\0\1\0\1\0\0\0\1") QUESTION "\x80" ANSWER OPT_4096), 50,
	  OCTETS(HEADER("\x83\x80", ONE) QUESTION) },
	{ OCTETS(HEADER("\x81\x80", "\0\1\0\1\0\0\0\1") "\x80" QUESTION ANSWER OPT_4096), 50,
	  OCTETS(HEADER("\x83\x80", "\0\0\0\0\0\0\0\0")) },
	{ OCTETS(HEADER("\x81\x80", "\xff\xff\0\1\0\0\0\1") QUESTION ANSWER OPT_4096), 50,
	  OCTETS(HEADER("\x83\x80", "\0\0\0\0\0\0\0\0")) },
	{ OCTETS(HEADER("\x81\x80", "\0\1\xff\xff\xff\xff\xff\xff") QUESTION ANSWER OPT_4096), 50,
	  OCTETS(HEADER("\x83\x80", ONE) QUESTION) },
};

START_TEST(an_answer_is_cut)
{
	const struct cut *row = &cuts[_i];
	uint8_t *buf = octets_copy(row->in.at, row->in.len);
	size_t len = dns_cut(buf, row->in.len, row->cap);

	ck_assert_uint_eq(len, row->want.len);
	ck_assert_mem_eq(buf, row->want.at, len);
	free(buf);
}
END_TEST

START_TEST(an_answer_is_cut_to_every_size)
{
	const struct cut *row = &cuts[_i];

	for (size_t len = DNS_HEADER_LEN; len <= row->in.len; len++)
		for (size_t cap = DNS_HEADER_LEN; cap <= len + 1; cap++) {
			uint8_t *buf = octets_copy(row->in.at, len);
			size_t left = dns_cut(buf, len, cap);
			ns_msg parsed;

			ck_assert(left <= cap && left <= len && left >= DNS_HEADER_LEN);
			if (len > cap) {
				ck_assert(buf[2] & 2);
				ck_assert_int_eq(ns_initparse(buf, (int)left, &parsed), 0);
			}
			free(buf);
		}
}
END_TEST

START_TEST(a_long_answer_is_cut_for_udp)
{
	static const char in[] = HEADER("\1\0", ONE_MORE) QUESTION OPT_DO;
	uint8_t *buf = malloc(DNS_MESSAGE_MAX);
	struct endpoint ep = unit_endpoint("198.18.0.7:0"), out[1];
	struct dns_question q;
	struct dns_answer a;
	size_t len;

	ck_assert_int_eq(dns_get_question((const uint8_t *)in, sizeof(in) - 1, &q), DNS_NOERROR);
	ck_assert_uint_eq(q.udp_size, 4096);
	dns_answer_begin(&a, &q, (const uint8_t *)in, buf, DNS_MESSAGE_MAX);
	while (!a.truncated)
		dns_answer_address(&a, &ep, 60);
	ck_assert_uint_eq(a.count, (DNS_MESSAGE_MAX - 29 - 11) / 16);
	len = dns_answer_end(&a, DNS_NOERROR);
	ck_assert_uint_gt(len, DNS_MESSAGE_MAX - 16);
	len = dns_cut(buf, len, q.udp_size);
	ck_assert_uint_eq(len, 29 + 11);
	ck_assert_uint_eq(dns_answer_count(buf), 0);
	ck_assert_uint_eq(dns_get_addresses(buf, len, out, 1), 0);
	ck_assert_mem_eq(buf + 29, "\0\0\x29\x10\0\0\0\x80\0\0\0", 11);
	free(buf);
}
END_TEST

UNIT_MAIN("answer", { an_answer_is_written, ROWS(answereds) }, { all_codes_go_there_and_back, 24 },
          { what_does_not_fit_is_left_out_and_told, 80 }, { a_smaller_record_may_still_fit, 0 },
          { what_cannot_be_said_is_not_written, 0 }, { the_time_to_live_has_32_bits, 0 },
          { libc_reads_what_is_written, ROWS(answereds) }, { an_answer_is_cut, ROWS(cuts) },
          { an_answer_is_cut_to_every_size, ROWS(cuts) }, { a_long_answer_is_cut_for_udp, 0 })
