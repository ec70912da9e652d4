/*
 * Letters and digits as protocols mean them. <ctype.h> and strcasecmp(3) ask the locale, which belongs to
 * the program that we are a guest of (in tr_TR "I" is not "i").
 */
#ifndef CONFIG_ASCII_H
#define CONFIG_ASCII_H

#include <stdbool.h>
#include <stddef.h>

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

/* Equal but for the case of letters. */
static inline bool ascii_equal(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (ascii_lower(a[i]) != ascii_lower(b[i]))
			return false;
	return true;
}

#endif
