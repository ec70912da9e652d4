/* What messages are made of (RFC 1035 section 4.1): the header's places, and records. */
#ifndef DNS_RECORD_H
#define DNS_RECORD_H

#include <base/cursor.h>
#include <dns/message.h>

/* The header's two octets of flags. */
#define FLAGS_AT     2
#define FLAGS_QR     0x8000
#define FLAGS_OPCODE 0x7800
#define FLAGS_TC     0x0200
#define FLAGS_RD     0x0100
#define FLAGS_RA     0x0080
#define FLAGS_CD     0x0010 /* RFC 4035 section 3.2.2 */
#define FLAGS_RCODE  0x000f
#define OPCODE_SHIFT 11

/* Its four counts, in the order of their sections. */
enum section { QUESTION, ANSWER, AUTHORITY, ADDITIONAL };
#define COUNT_AT(section) (4 + 2 * (size_t)(section))

/* An OPT record without options (RFC 6891 section 6.1.2): CLASS is a size, TTL is more bits. */
#define OPT_LEN           11
#define OPT_DO            0x8000u
#define OPT_VERSION_SHIFT 16
#define OPT_RCODE_SHIFT   24
#define RCODE_BITS        4 /* of an RCODE that are the header's; OPT has those above */

struct record {
	bool root; /* its name is the root, unlike that of any pointer */
	uint16_t type, class;
	uint32_t ttl;
	uint16_t len;
	const uint8_t *data; /* borrowed */
};

/* The two octets at @at of a whole header. */
static inline uint16_t header_get(const uint8_t *buf, size_t at)
{
	return (uint16_t)(buf[at] << 8 | buf[at + 1]);
}

static inline void header_put(uint8_t *buf, size_t at, uint16_t v)
{
	buf[at] = (uint8_t)(v >> 8);
	buf[at + 1] = (uint8_t)(v & 0xff);
}

/* Read a record, its name passed over. False, and @r->over set, where it is damaged or cut. */
bool record_get(struct reader *r, struct record *out);

/* Pass over all questions of a message that is at least a header; false as above. */
bool record_skip_questions(struct reader *r);

/* Write an OPT record without options. */
void record_put_opt(struct writer *w, uint16_t size, uint32_t ttl);

#endif
