/* What stands behind an option, from text. All return 0 or -EINVAL with @out untouched. */
#ifndef SERVER_VALUES_H
#define SERVER_VALUES_H

#include <stddef.h>
#include <stdint.h>

struct value_ports {
	uint16_t low, high; /* both 0: any port that is free */
};

/* "1024-2047", or one port alone; 1 to 65535. */
int value_ports(const char *text, struct value_ports *out);

/*
 * "connect,bind": which of the @n words are there, as a mask of bits in the order of @words. At
 * least one.
 */
int value_words(const char *text, const char *const *words, size_t n, unsigned *out);

/* Which of the words it is. */
int value_word(const char *text, const char *const *words, size_t n, unsigned *out);

/* Decimal, from 0 to @max. */
int value_number(const char *text, unsigned max, unsigned *out);

#endif
