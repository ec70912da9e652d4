#include "values.h"

#include <errno.h>
#include <string.h>

#define PORT_MAX 65535

/* Digits alone, up to 65535; *@text is left behind them. 0 where it is no port. */
static uint16_t read_port(const char **text)
{
	unsigned port = 0;
	const char *p = *text;

	for (; *p >= '0' && *p <= '9'; p++) {
		port = port * 10 + (unsigned)(*p - '0');
		if (port > PORT_MAX)
			return 0;
	}
	*text = p;
	return (uint16_t)port;
}

int value_ports(const char *text, struct value_ports *out)
{
	uint16_t low = read_port(&text), high = low;

	if (*text == '-') {
		text++;
		high = read_port(&text);
	}
	if (*text || low == 0 || high < low)
		return -EINVAL;
	*out = (struct value_ports){ .low = low, .high = high };
	return 0;
}

static int find_word(const char *text, size_t len, const char *const *words, size_t n,
                     unsigned *out)
{
	for (unsigned i = 0; i < n; i++) {
		if (strlen(words[i]) == len && memcmp(words[i], text, len) == 0) {
			*out = i;
			return 0;
		}
	}
	return -EINVAL;
}

int value_words(const char *text, const char *const *words, size_t n, unsigned *out)
{
	unsigned mask = 0, one;
	size_t len;

	for (;;) {
		len = strcspn(text, ",");
		if (find_word(text, len, words, n, &one) < 0)
			return -EINVAL;
		mask |= 1u << one;
		if (!text[len])
			break;
		text += len + 1;
	}
	*out = mask;
	return 0;
}

int value_word(const char *text, const char *const *words, size_t n, unsigned *out)
{
	return find_word(text, strlen(text), words, n, out);
}

int value_number(const char *text, unsigned max, unsigned *out)
{
	uint64_t n = 0;

	if (!*text)
		return -EINVAL;
	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9')
			return -EINVAL;
		n = n * 10 + (unsigned)(*p - '0');
		if (n > max)
			return -EINVAL;
	}
	*out = (unsigned)n;
	return 0;
}
