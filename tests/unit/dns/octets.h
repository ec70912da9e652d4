/* What the tests of this room share: octets that may hold any value, and names from text. */
#ifndef OCTETS_H
#define OCTETS_H

#include <dns/message.h>
#include <unit.h>

struct octets {
	const char *at;
	size_t len;
};

/* From a string literal, its NUL not counted. */
#define OCTETS(literal)                      \
	{                                    \
		literal, sizeof(literal) - 1 \
	}

/* A header: id 0x1234, flags, then the four counts. */
#define HEADER(flags, counts) "\x12\x34" flags counts

/* Memory of exactly that size, so that a sanitizer sees the octet beyond. To be freed. */
static inline uint8_t *octets_copy(const void *from, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	ck_assert_ptr_nonnull(copy);
	if (len > 0)
		memcpy(copy, from, len);
	return copy;
}

static inline struct dns_name octets_name(const char *text)
{
	struct dns_name name;

	ck_assert_msg(dns_name_set(&name, text, strlen(text)), "bad name in a test: %s", text);
	return name;
}

#endif
