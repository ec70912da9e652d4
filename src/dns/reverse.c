#include <dns/name.h>
#include <stdio.h>

#define IPV4_ZONE "in-addr.arpa"
#define IPV6_ZONE "ip6.arpa"

#define IPV6_DIGITS 32

/* Not tolower(), which asks the program's locale. */
static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/*
 * How many octets stand before @zone, the dot between them counted; -1 where the name does not end
 * in it.
 */
static int before_zone(const struct dns_name *name, const char *zone)
{
	size_t len = strlen(zone);
	size_t before;

	if (!name->plain || name->len < len)
		return -1;
	before = name->len - len;
	for (size_t i = 0; i < len; i++)
		if (lower(name->text[before + i]) != zone[i])
			return -1;
	return before == 0 || name->text[before - 1] == '.' ? (int)before : -1;
}

/* A number up to 255 without leading zeros, and its dot. Returns what follows, or NULL. */
static const char *get_number(const char *at, uint8_t *out)
{
	const char *start = at;
	unsigned n = 0;

	while (*at >= '0' && *at <= '9' && at - start < 3)
		n = n * 10 + (unsigned)(*at++ - '0');
	if (at == start || *at != '.' || n > 255 || (*start == '0' && at - start > 1))
		return NULL;
	*out = (uint8_t)n;
	return at + 1;
}

static bool get_ipv4(const char *text, int len, struct endpoint *out)
{
	const char *at = text;
	uint8_t ip[4];

	for (int i = 3; i >= 0; i--) {
		at = get_number(at, &ip[i]);
		if (!at)
			return false;
	}
	if (at != text + len)
		return false;
	endpoint_set_ipv4(out, ip, 0);
	return true;
}

static int digit_value(char c)
{
	c = lower(c);
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool get_ipv6(const char *text, int len, struct endpoint *out)
{
	uint8_t ip[16] = { 0 };

	if (len != 2 * IPV6_DIGITS)
		return false;
	for (int i = 0; i < IPV6_DIGITS; i++) {
		int value = digit_value(text[2 * i]);

		if (value < 0 || text[2 * i + 1] != '.')
			return false;
		ip[15 - i / 2] |= (uint8_t)(i % 2 ? value << 4 : value);
	}
	endpoint_set_ipv6(out, ip, 0);
	return true;
}

bool dns_reverse_get(const struct dns_name *name, struct endpoint *out)
{
	int before = before_zone(name, IPV4_ZONE);

	if (before >= 0)
		return get_ipv4(name->text, before, out);
	before = before_zone(name, IPV6_ZONE);
	return before >= 0 && get_ipv6(name->text, before, out);
}

bool dns_reverse_is(const struct dns_name *name)
{
	return before_zone(name, IPV4_ZONE) >= 0 || before_zone(name, IPV6_ZONE) >= 0;
}

void dns_reverse_set(struct dns_name *out, const struct endpoint *ep)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *ip = ep->ip;
	int len = 0;

	*out = (struct dns_name){ .plain = true };
	switch (ep->kind) {
	case ENDPOINT_IPV4:
		len = snprintf(out->text, sizeof(out->text), "%u.%u.%u.%u." IPV4_ZONE, ip[3], ip[2],
		               ip[1], ip[0]);
		break;
	case ENDPOINT_IPV6:
		for (int i = 0; i < IPV6_DIGITS; i++) {
			out->text[2 * i] = digits[ip[15 - i / 2] >> (i % 2 ? 4 : 0) & 0x0f];
			out->text[2 * i + 1] = '.';
		}
		memcpy(out->text + 2 * IPV6_DIGITS, IPV6_ZONE, sizeof(IPV6_ZONE));
		len = 2 * IPV6_DIGITS + (int)sizeof(IPV6_ZONE) - 1;
		break;
	case ENDPOINT_NONE:
	case ENDPOINT_NAME:
		break;
	}
	out->len = (uint8_t)len;
}
