/*
 * Letters and digits as protocols mean them. <ctype.h> and strcasecmp(3) ask the locale, which
 * belongs to the program that we are a guest of (in tr_TR "I" is not "i").
 */
#ifndef CONFIG_ASCII_H
#define CONFIG_ASCII_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static inline bool ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool ascii_is_alpha(char c)
{
	return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';
}

static inline bool ascii_is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Printable, the blank included. */
static inline bool ascii_is_print(char c)
{
	return c >= 0x20 && c < 0x7f;
}

/* 0 to 15, or -1. */
static inline int ascii_hex(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* ascii_lower() of each octet of eight at once; no carry leaves its octet. */
static inline uint64_t ascii_lower8(uint64_t octets)
{
	const uint64_t ones = 0x0101010101010101u, high = 0x80 * ones;
	uint64_t low = octets & ~high;
	uint64_t from_a = low + (0x80 - 'A') * ones, past_z = low + (0x7f - 'Z') * ones;

	return octets | (from_a & ~past_z & ~octets & high) >> 2;
}

/* Up to eight octets as a number, the missing ones 0. */
static inline uint64_t ascii_load8(const char *at, size_t len)
{
	uint64_t v = 0;

	memcpy(&v, at, len < 8 ? len : 8);
	return v;
}

/* Equal but for the case of letters. */
static inline bool ascii_equal(const char *a, const char *b, size_t len)
{
	size_t i = 0;

	for (; len - i > 8; i += 8)
		if (ascii_lower8(ascii_load8(a + i, 8)) != ascii_lower8(ascii_load8(b + i, 8)))
			return false;
	/* The last eight, some of them for the second time; or all that there are. */
	if (len >= 8)
		i = len - 8;
	return ascii_lower8(ascii_load8(a + i, len - i)) ==
	       ascii_lower8(ascii_load8(b + i, len - i));
}

#endif
