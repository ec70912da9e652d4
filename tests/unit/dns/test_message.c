#include "octets.h"
#include <arpa/nameser.h>

/* Counts: questions, answers, authorities, additional records. */
#define COUNTS(qd, an, ns, ar) "\0" qd "\0" an "\0" ns "\0" ar
#define ONE                    COUNTS("\1", "\0", "\0", "\0")
#define ONE_MORE               COUNTS("\1", "\0", "\0", "\1")
#define TWO_MORE               COUNTS("\1", "\0", "\0", "\2")

#define EXAMPLE "\7example\3org\0"
#define IN_A    "\0\1\0\1"
#define IN_AAAA "\0\x1c\0\1"

/* OPT records: size, then version and flags. */
#define OPT(size, version, flags) "\0\0\x29" size "\0" version flags "\0\0"
#define OPT_1232                  OPT("\4\xd0", "\0", "\0\0")
#define COOKIE                    "\0\x0a\0\x08\xc8\xf6\xa9\x88\xd1\x37\xd6\xa0"
#define RECORD_A                  "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"

enum { RD = 1, CD = 2, EDNS = 4, DO = 8 };

/* Questions. Those marked "dig" are what dig 9.18 sent. */
static const struct asked {
	struct octets in;
	int res;
	uint8_t opcode;
	unsigned flags;
	const char *name;
	uint16_t type, class;
	size_t end;
	uint8_t version;
	uint16_t size;
} askeds[] = {
	/* dig Example.ORG */
	{ OCTETS(HEADER("\1\x20", ONE_MORE) "\7Example\3ORG\0" IN_A
	                                    "\0\0\x29\4\xd0\0\0\0\0\0\x0c" COOKIE),
	  DNS_NOERROR, 0, RD | EDNS, "Example.ORG", DNS_A, DNS_IN, 29, 0, 1232 },
	/* dig +noedns example.org AAAA */
	{ OCTETS(HEADER("\1\x20", ONE) EXAMPLE IN_AAAA), DNS_NOERROR, 0, RD, "example.org",
	  DNS_AAAA, DNS_IN, 29, 0, 512 },
	/* dig -x 198.18.0.7 */
	{ OCTETS(HEADER("\1\x20", ONE_MORE) "\1"
	                                    "7\1"
	                                    "0\2"
	                                    "18\3"
	                                    "198\7in-addr\4arpa\0\0\x0c\0\1"
	                                    "\0\0\x29\4\xd0\0\0\0\0\0\x0c" COOKIE),
	  DNS_NOERROR, 0, RD | EDNS, "7.0.18.198.in-addr.arpa", DNS_PTR, DNS_IN, 41, 0, 1232 },
	/* dig +dnssec +cd example.org MX */
	{ OCTETS(HEADER("\1\x30", ONE_MORE) EXAMPLE "\0\x0f\0\1"
	                                            "\0\0\x29\4\xd0\0\0\x80\0\0\x0c" COOKIE),
	  DNS_NOERROR, 0, RD | CD | EDNS | DO, "example.org", 15, DNS_IN, 29, 0, 1232 },
	/* dig +edns=1 +noednsnegotiation example.org */
	{ OCTETS(HEADER("\1\x20", ONE_MORE) EXAMPLE IN_A "\0\0\x29\4\xd0\0\1\0\0\0\x0c" COOKIE),
	  DNS_BADVERS, 0, RD | EDNS, "example.org", DNS_A, DNS_IN, 29, 1, 1232 },
	/* dig . NS */
	{ OCTETS(HEADER("\1\x20", ONE_MORE) "\0\0\2\0\1"
	                                    "\0\0\x29\4\xd0\0\0\0\0\0\x0c" COOKIE),
	  DNS_NOERROR, 0, RD | EDNS, "", 2, DNS_IN, 17, 0, 1232 },
	/* dig +opcode=notify example.org SOA */
	{ OCTETS(HEADER("\x21\x20", ONE_MORE) EXAMPLE "\0\6\0\1"
	                                              "\0\0\x29\4\xd0\0\0\0\0\0\x0c" COOKIE),
	  DNS_NOTIMP, 4, RD, "", 0, 0, 0, 0, 512 },
	/* dig 'a\.b.example.org' */
	{ OCTETS(HEADER("\1\x20", ONE_MORE) "\3a.b" EXAMPLE IN_A
	                                    "\0\0\x29\4\xd0\0\0\0\0\0\x0c" COOKIE),
	  DNS_NOERROR, 0, RD | EDNS, NULL, DNS_A, DNS_IN, 33, 0, 1232 },

	/* Any type and class, and octets behind the last record. */
	{ OCTETS(HEADER("\0\0", ONE) EXAMPLE "\xff\xfe\xfd\xfc"), DNS_NOERROR, 0, 0, "example.org",
	  0xfffe, 0xfdfc, 29, 0, 512 },
	{ OCTETS(HEADER("\0\0", ONE) EXAMPLE IN_A "more"), DNS_NOERROR, 0, 0, "example.org", DNS_A,
	  DNS_IN, 29, 0, 512 },
	/* TC, AA, RA, Z, AD and an RCODE say nothing in a question. */
	{ OCTETS(HEADER("\6\xef", ONE) EXAMPLE IN_A), DNS_NOERROR, 0, 0, "example.org", DNS_A,
	  DNS_IN, 29, 0, 512 },

	/* EDNS: sizes, an OPT after another record, before one. */
	{ OCTETS(HEADER("\0\0", ONE_MORE) EXAMPLE IN_A OPT("\1\xff", "\0", "\0\0")), DNS_NOERROR, 0,
	  EDNS, "example.org", DNS_A, DNS_IN, 29, 0, 512 },
	{ OCTETS(HEADER("\0\0", ONE_MORE) EXAMPLE IN_A OPT("\0\0", "\0", "\0\0")), DNS_NOERROR, 0,
	  EDNS, "example.org", DNS_A, DNS_IN, 29, 0, 512 },
	{ OCTETS(HEADER("\0\0", ONE_MORE) EXAMPLE IN_A OPT("\2\1", "\0", "\x7f\xff")), DNS_NOERROR,
	  0, EDNS, "example.org", DNS_A, DNS_IN, 29, 0, 513 },
	{ OCTETS(HEADER("\0\0", ONE_MORE) EXAMPLE IN_A OPT("\xff\xff", "\0", "\0\0")), DNS_NOERROR,
	  0, EDNS, "example.org", DNS_A, DNS_IN, 29, 0, 65535 },
	{ OCTETS(HEADER("\0\0", TWO_MORE) EXAMPLE IN_A RECORD_A OPT_1232), DNS_NOERROR, 0, EDNS,
	  "example.org", DNS_A, DNS_IN, 29, 0, 1232 },
	{ OCTETS(HEADER("\0\0", TWO_MORE) EXAMPLE IN_A OPT_1232 RECORD_A), DNS_NOERROR, 0, EDNS,
	  "example.org", DNS_A, DNS_IN, 29, 0, 1232 },
	/* An OPT record that is not counted is none. */
	{ OCTETS(HEADER("\0\0", ONE) EXAMPLE IN_A OPT_1232), DNS_NOERROR, 0, 0, "example.org",
	  DNS_A, DNS_IN, 29, 0, 512 },
	/* Other records in sections where a question has none: IXFR's SOA, TSIG. */
	{ OCTETS(HEADER("\0\0", COUNTS("\1", "\1", "\1", "\0")) EXAMPLE IN_A RECORD_A RECORD_A),
	  DNS_NOERROR, 0, 0, "example.org", DNS_A, DNS_IN, 29, 0, 512 },

	/* OPT twice, in other sections, not at the root, at a pointer to one; two and BADVERS. */
	{ OCTETS(HEADER("\0\0", TWO_MORE) EXAMPLE IN_A OPT_1232 OPT_1232), DNS_FORMERR, 0, EDNS,
	  "example.org", DNS_A, DNS_IN, 29, 0, 1232 },
	{ OCTETS(HEADER("\0\0", COUNTS("\1", "\1", "\0", "\0")) EXAMPLE IN_A OPT_1232), DNS_FORMERR,
	  0, 0, "example.org", DNS_A, DNS_IN, 29, 0, 512 },
	{ OCTETS(HEADER("\0\0", COUNTS("\1", "\0", "\1", "\0")) EXAMPLE IN_A OPT_1232), DNS_FORMERR,
	  0, 0, "example.org", DNS_A, DNS_IN, 29, 0, 512 },
	{ OCTETS(HEADER("\0\0", ONE_MORE) EXAMPLE IN_A "\1x" OPT_1232), DNS_FORMERR, 0, 0,
	  "example.org", DNS_A, DNS_IN, 29, 0, 512 },
	{ OCTETS(HEADER("\0\0", ONE_MORE) EXAMPLE IN_A "\xc0\x18\0\x29\4\xd0\0\0\0\0\0\0"),
	  DNS_FORMERR, 0, 0, "example.org", DNS_A, DNS_IN, 29, 0, 512 },
	{ OCTETS(HEADER("\0\0", TWO_MORE) EXAMPLE IN_A OPT("\4\xd0", "\1", "\0\0") OPT_1232),
	  DNS_FORMERR, 0, EDNS, "example.org", DNS_A, DNS_IN, 29, 1, 1232 },
	{ OCTETS(HEADER("\0\0", ONE_MORE) EXAMPLE IN_A OPT("\4\xd0", "\xff", "\x80\0")),
	  DNS_BADVERS, 0, EDNS | DO, "example.org", DNS_A, DNS_IN, 29, 255, 1232 },

	/* Counts that lie. */
	{ OCTETS(HEADER("\1\0", COUNTS("\0", "\0", "\0", "\0"))), DNS_FORMERR, 0, RD, "", 0, 0, 0,
	  0, 512 },
	{ OCTETS(HEADER("\1\0", ONE)), DNS_FORMERR, 0, RD, "", 0, 0, 0, 0, 512 },
	{ OCTETS(HEADER("\0\0", COUNTS("\2", "\0", "\0", "\0")) EXAMPLE IN_A EXAMPLE IN_A),
	  DNS_FORMERR, 0, 0, "", 0, 0, 0, 0, 512 },
	{ OCTETS(HEADER("\0\0", "\1\1\0\0\0\0\0\0") EXAMPLE IN_A), DNS_FORMERR, 0, 0, "", 0, 0, 0,
	  0, 512 },
	{ OCTETS(HEADER("\0\0", "\xff\xff\xff\xff\xff\xff\xff\xff") EXAMPLE IN_A), DNS_FORMERR, 0,
	  0, "", 0, 0, 0, 0, 512 },
	{ OCTETS(HEADER("\0\0", "\0\1\0\0\0\0\xff\xff") EXAMPLE IN_A OPT_1232), DNS_FORMERR, 0,
	  EDNS, "example.org", DNS_A, DNS_IN, 29, 0, 1232 },
	{ OCTETS(HEADER("\0\0", "\0\1\xff\xff\0\0\0\0") EXAMPLE IN_A RECORD_A), DNS_FORMERR, 0, 0,
	  "example.org", DNS_A, DNS_IN, 29, 0, 512 },
	/* Options are not looked into: one may say that it is longer than its record. */
	{ OCTETS(HEADER("\0\0", ONE_MORE) EXAMPLE IN_A "\0\0\x29\4\xd0\0\0\0\0\0\4\0\x0a\xff\xff"),
	  DNS_NOERROR, 0, EDNS, "example.org", DNS_A, DNS_IN, 29, 0, 1232 },
	{ OCTETS(HEADER("\0\0", ONE_MORE) EXAMPLE IN_A "\0\0\x29\4\xd0\0\0\0\0\0\5\0\x0a\xff\xff"),
	  DNS_FORMERR, 0, 0, "example.org", DNS_A, DNS_IN, 29, 0, 512 },

	/* Names: a pointer can lead nowhere but into the header, to itself, or forward. */
	{ OCTETS(HEADER("\0\0", ONE) "\xc0\x0c" IN_A), DNS_FORMERR, 0, 0, "", 0, 0, 0, 0, 512 },
	{ OCTETS(HEADER("\0\0", ONE) "\1a\xc0\x0c" IN_A), DNS_FORMERR, 0, 0, "", 0, 0, 0, 0, 512 },
	{ OCTETS(HEADER("\0\0", ONE) "\xc0\4" IN_A), DNS_FORMERR, 0, 0, "", 0, 0, 0, 0, 512 },
	{ OCTETS(HEADER("\0\0", ONE) "\xc0\x12" IN_A EXAMPLE), DNS_FORMERR, 0, 0, "", 0, 0, 0, 0,
	  512 },
	{ OCTETS(HEADER("\0\0", ONE) "\x40" EXAMPLE IN_A), DNS_FORMERR, 0, 0, "", 0, 0, 0, 0, 512 },
	{ OCTETS(HEADER("\0\0", ONE_MORE) EXAMPLE IN_A "\x80\0\x29\4\xd0\0\0\0\0\0\0"), DNS_FORMERR,
	  0, 0, "example.org", DNS_A, DNS_IN, 29, 0, 512 },

	/* Other opcodes: inverse query, status, update. */
	{ OCTETS(HEADER("\x08\0", ONE) EXAMPLE IN_A), DNS_NOTIMP, 1, 0, "", 0, 0, 0, 0, 512 },
	{ OCTETS(HEADER("\x10\0", COUNTS("\0", "\0", "\0", "\0"))), DNS_NOTIMP, 2, 0, "", 0, 0, 0,
	  0, 512 },
	{ OCTETS(HEADER("\x29\x10", ONE) EXAMPLE "\0\6\0\1"), DNS_NOTIMP, 5, RD | CD, "", 0, 0, 0,
	  0, 512 },
	{ OCTETS(HEADER("\x78\0", ONE)), DNS_NOTIMP, 15, 0, "", 0, 0, 0, 0, 512 },
};

START_TEST(a_question_is_read)
{
	const struct asked *row = &askeds[_i];
	uint8_t *buf = octets_copy(row->in.at, row->in.len);
	struct dns_question q;

	ck_assert_int_eq(dns_get_question(buf, row->in.len, &q), row->res);
	ck_assert_uint_eq(q.id, 0x1234);
	ck_assert_uint_eq(q.opcode, row->opcode);
	ck_assert(q.recursion_desired == !!(row->flags & RD));
	ck_assert(q.checking_disabled == !!(row->flags & CD));
	ck_assert(q.has_edns == !!(row->flags & EDNS));
	ck_assert(q.dnssec_ok == !!(row->flags & DO));
	ck_assert_uint_eq(q.type, row->type);
	ck_assert_uint_eq(q.class, row->class);
	ck_assert_uint_eq(q.end, row->end);
	ck_assert_uint_eq(q.edns_version, row->version);
	ck_assert_uint_eq(q.udp_size, row->size);
	if (row->end > 0)
		ck_assert(q.name.plain == !!row->name);
	if (row->name)
		ck_assert_str_eq(q.name.text, row->name);
	free(buf);
}
END_TEST

START_TEST(a_question_is_cut_at_every_length)
{
	const struct asked *row = &askeds[_i];
	struct dns_question whole, q;
	int res;

	dns_get_question((const uint8_t *)row->in.at, row->in.len, &whole);
	for (size_t n = 0; n < row->in.len; n++) {
		uint8_t *buf = octets_copy(row->in.at, n);

		res = dns_get_question(buf, n, &q);
		if (n < DNS_HEADER_LEN)
			ck_assert_int_eq(res, -1);
		else if (row->res == DNS_NOTIMP)
			ck_assert_int_eq(res, DNS_NOTIMP);
		else if (n < row->end)
			ck_assert(res == DNS_FORMERR && q.end == 0);
		else
			ck_assert(q.end == row->end && q.name.len == whole.name.len);
		free(buf);
	}
}
END_TEST

START_TEST(no_cut_of_a_question_with_edns_is_one)
{
	static const char in[] = HEADER("\1\0", ONE_MORE) EXAMPLE IN_A OPT_1232;
	struct dns_question q;

	for (size_t n = DNS_HEADER_LEN; n < sizeof(in) - 1; n++) {
		uint8_t *buf = octets_copy(in, n);

		ck_assert_int_eq(dns_get_question(buf, n, &q), DNS_FORMERR);
		ck_assert(!q.has_edns);
		free(buf);
	}
	ck_assert_int_eq(dns_get_question((const uint8_t *)in, sizeof(in) - 1, &q), DNS_NOERROR);
}
END_TEST

START_TEST(an_answer_is_never_answered)
{
	/* Two servers that answered each other's answers would do so for ever. */
	uint8_t in[] = HEADER("\0\0", ONE) EXAMPLE IN_A;
	struct dns_question q;

	in[2] = (uint8_t)_i;
	ck_assert(_i & 0x80 ? dns_get_question(in, sizeof(in) - 1, &q) == -1
	                    : dns_get_question(in, sizeof(in) - 1, &q) >= 0);
}
END_TEST

/* Answers, and the addresses in them. */
static const struct answered {
	struct octets in;
	const char *addresses[3];
} answereds[] = {
	{ OCTETS(HEADER("\x81\x80", COUNTS("\1", "\0", "\0", "\0")) EXAMPLE IN_A), { NULL } },
	{ OCTETS(HEADER("\x81\x80", COUNTS("\1", "\1", "\0", "\0")) EXAMPLE IN_A RECORD_A),
	  { "192.0.2.1:0" } },
	/* As a server would answer: a chain, compressed, then what is not the answer's. */
	{ OCTETS(HEADER(
		  "\x81\x80",
		  COUNTS("\1", "\3", "\1",
	                 "\2")) "\3www" EXAMPLE IN_AAAA
	                        "\xc0\x0c\0\5\0\1\0\0\0\x3c\0\6\3web\xc0\x10"
	                        "\xc0\x2d\0\x1c\0\1\0\0\0\x3c\0\x10\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0"
	                        "\0\0\1"
	                        "\xc0\x2d\0\x1c\0\1\0\0\0\x3c\0\x10\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0"
	                        "\0\0\2"
	                        "\xc0\x10\0\2\0\1\0\0\0\x3c\0\5\2ns\xc0\x10" RECORD_A OPT_1232),
	  { "[2001:db8::1]:0", "[2001:db8::2]:0" } },
	/* No question repeated, or two. */
	{ OCTETS(HEADER("\x81\x80", COUNTS("\0", "\1", "\0", "\0")) EXAMPLE
	         "\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"),
	  { "192.0.2.1:0" } },
	{ OCTETS(HEADER("\x81\x80", COUNTS("\2", "\1", "\0", "\0")) EXAMPLE IN_A
	         "\xc0\x0c" IN_AAAA RECORD_A),
	  { "192.0.2.1:0" } },
	/* Of another class, and one that only looks like an address. */
	{ OCTETS(HEADER("\x81\x80", COUNTS("\1", "\3", "\0", "\0")) EXAMPLE IN_A
	         "\xc0\x0c\0\1\0\3\0\0\0\x3c\0\4\xc0\0\2\2"
	         "\xc0\x0c\0\x10\0\1\0\0\0\x3c\0\4\3abc" RECORD_A),
	  { "192.0.2.1:0" } },
	/* Damage: a length that no address has, a name, a count, a question; what stood before. */
	{ OCTETS(HEADER("\x81\x80", COUNTS("\1", "\2", "\0", "\0")) EXAMPLE IN_A
	         "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\3\xc0\0\2" RECORD_A),
	  { NULL } },
	{ OCTETS(HEADER("\x81\x80", COUNTS("\1", "\3", "\0", "\0")) EXAMPLE IN_A RECORD_A
	         "\xc0\x0c\0\x1c\0\1\0\0\0\x3c\0\4\xc0\0\2\1" RECORD_A),
	  { "192.0.2.1:0" } },
	{ OCTETS(HEADER("\x81\x80", COUNTS("\1", "\2", "\0", "\0")) EXAMPLE IN_A RECORD_A
	         "\x80" RECORD_A),
	  { "192.0.2.1:0" } },
	{ OCTETS(HEADER("\x81\x80", "\0\1\xff\xff\0\0\0\0") EXAMPLE IN_A RECORD_A),
	  { "192.0.2.1:0" } },
	{ OCTETS(HEADER("\x81\x80", "\xff\xff\0\1\0\0\0\0") EXAMPLE IN_A RECORD_A), { NULL } },
	{ OCTETS(HEADER("\x81\x80", COUNTS("\1", "\1", "\0", "\0")) "\x40" EXAMPLE IN_A RECORD_A),
	  { NULL } },
};

START_TEST(addresses_are_found)
{
	const struct answered *row = &answereds[_i];
	struct endpoint out[4], want;
	size_t n = 0, all;

	while (n < 3 && row->addresses[n])
		n++;
	all = n;
	for (size_t len = row->in.len + 1; len-- > 0;) {
		uint8_t *buf = octets_copy(row->in.at, len);
		size_t found = dns_get_addresses(buf, len, out, 4);

		/* Fewer and fewer, as it is cut shorter. */
		ck_assert(len < row->in.len ? found <= n : found == n);
		n = found;
		for (size_t i = 0; i < found; i++) {
			want = unit_endpoint(row->addresses[i]);
			ck_assert_endpoint_eq(&out[i], &want);
		}
		free(buf);
	}
	ck_assert_uint_eq(n, 0);
	for (size_t max = 0; max <= 4; max++) {
		struct endpoint *some = malloc((max + 1) * sizeof(*some));

		n = dns_get_addresses((const uint8_t *)row->in.at, row->in.len, some, max);
		ck_assert_uint_eq(n, max < all ? max : all);
		free(some);
	}
}
END_TEST

START_TEST(a_header_tells_rcode_and_count)
{
	uint8_t in[12];

	for (unsigned code = 0; code < 16; code++) {
		memcpy(in, HEADER("\xff\xf0", "\xff\xff\xfe\xfd\xff\xff\xff\xff"), 12);
		in[3] |= (uint8_t)code;
		ck_assert_uint_eq(dns_rcode(in), code);
		ck_assert_uint_eq(dns_answer_count(in), 0xfefd);
	}
}
END_TEST

static const struct {
	const char *name;
	uint16_t type, size;
	struct octets want;
} writtens[] = {
	{ "Example.org", DNS_A, 0, OCTETS(HEADER("\1\0", ONE) "\7Example\3org\0" IN_A) },
	{ "example.org.", DNS_AAAA, 1232,
	  OCTETS(HEADER("\1\0", ONE_MORE) EXAMPLE IN_AAAA OPT_1232) },
	{ "", 2, 65535,
	  OCTETS(HEADER("\1\0", ONE_MORE) "\0\0\2\0\1" OPT("\xff\xff", "\0", "\0\0")) },
};

START_TEST(a_question_is_written_whole_or_not_at_all)
{
	const struct dns_name name = octets_name(writtens[_i].name);
	const struct octets *want = &writtens[_i].want;
	struct dns_question q;

	for (size_t cap = 0; cap <= want->len + 1; cap++) {
		uint8_t *buf = malloc(cap ? cap : 1);
		size_t len = dns_put_question(buf, cap, 0x1234, &name, writtens[_i].type,
		                              writtens[_i].size);

		ck_assert_uint_eq(len, cap < want->len ? 0 : want->len);
		if (len > 0) {
			ck_assert_mem_eq(buf, want->at, len);
			ck_assert_int_eq(dns_get_question(buf, len, &q), DNS_NOERROR);
			ck_assert_str_eq(q.name.text, name.text);
		}
		free(buf);
	}
}
END_TEST

START_TEST(a_name_that_cannot_be_written_is_not_asked)
{
	struct dns_name name = octets_name("example.org");
	uint8_t buf[DNS_UDP_MIN];

	name.plain = false;
	ck_assert_uint_eq(dns_put_question(buf, sizeof(buf), 1, &name, DNS_A, 0), 0);
}
END_TEST

START_TEST(libc_reads_what_is_read)
{
	const struct asked *row = &askeds[_i];
	struct dns_question q;
	char text[NS_MAXDNAME];
	ns_msg msg;
	ns_rr rr;

	/* ns_initparse() wants nothing behind the last record, and looks at no opcode. */
	if (dns_get_question((const uint8_t *)row->in.at, row->in.len, &q) != DNS_NOERROR ||
	    ns_initparse((const uint8_t *)row->in.at, (int)row->in.len, &msg) < 0)
		return;
	ck_assert_int_eq(ns_msg_id(msg), q.id);
	ck_assert_int_eq(ns_msg_getflag(msg, ns_f_rd), q.recursion_desired);
	ck_assert_int_eq(ns_msg_getflag(msg, ns_f_cd), q.checking_disabled);
	ck_assert_int_eq(ns_msg_count(msg, ns_s_qd), 1);
	ck_assert_int_eq(ns_parserr(&msg, ns_s_qd, 0, &rr), 0);
	ck_assert_int_eq(ns_rr_type(rr), q.type);
	ck_assert_int_eq(ns_rr_class(rr), q.class);
	if (!q.name.plain || q.name.len == 0)
		return;
	/* libc escapes some octets within labels, which these names don't have. */
	snprintf(text, sizeof(text), "%s", ns_rr_name(rr));
	ck_assert_str_eq(text, q.name.text);
}
END_TEST

START_TEST(libc_finds_the_same_addresses)
{
	const struct answered *row = &answereds[_i];
	struct endpoint out[4], want;
	size_t found, seen = 0;
	ns_msg msg;

	if (ns_initparse((const uint8_t *)row->in.at, (int)row->in.len, &msg) < 0)
		return;
	found = dns_get_addresses((const uint8_t *)row->in.at, row->in.len, out, 4);
	for (int i = 0; i < ns_msg_count(msg, ns_s_an); i++) {
		ns_rr rr;

		ck_assert_int_eq(ns_parserr(&msg, ns_s_an, i, &rr), 0);
		if (ns_rr_class(rr) != ns_c_in)
			continue;
		if (ns_rr_type(rr) == ns_t_a && ns_rr_rdlen(rr) == 4)
			endpoint_set_ipv4(&want, ns_rr_rdata(rr), 0);
		else if (ns_rr_type(rr) == ns_t_aaaa && ns_rr_rdlen(rr) == 16)
			endpoint_set_ipv6(&want, ns_rr_rdata(rr), 0);
		else if (ns_rr_type(rr) == ns_t_a || ns_rr_type(rr) == ns_t_aaaa)
			break;
		else
			continue;
		ck_assert_uint_lt(seen, found);
		ck_assert_endpoint_eq(&out[seen], &want);
		seen++;
	}
	ck_assert_uint_eq(seen, found);
}
END_TEST

UNIT_MAIN("message", { a_question_is_read, ROWS(askeds) },
          { a_question_is_cut_at_every_length, ROWS(askeds) },
          { no_cut_of_a_question_with_edns_is_one, 0 }, { an_answer_is_never_answered, 256 },
          { addresses_are_found, ROWS(answereds) }, { a_header_tells_rcode_and_count, 0 },
          { a_question_is_written_whole_or_not_at_all, ROWS(writtens) },
          { a_name_that_cannot_be_written_is_not_asked, 0 },
          { libc_reads_what_is_read, ROWS(askeds) },
          { libc_finds_the_same_addresses, ROWS(answereds) })
