#include <config/resolvconf.h>

#include <arpa/inet.h>
#include <config/ascii.h>
#include <string.h>

#define DNS_PORT 53 /* RFC 1035 section 4.2 */

/* Room for any address with its scope, and then some. */
#define ADDRESS_MAX 128

static const char keyword[] = "nameserver";

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool ends_address(char c)
{
	return ascii_is_space(c) || c == ';' || c == '#';
}

/* As libc does, an interface that is not there leaves the address without a scope. */
static bool read_ipv6(char *text, struct endpoint *out)
{
	char *percent = strchr(text, '%');

	if (text[0] == '[')
		return false;
	if (endpoint_parse_ip(out, text) == 0)
		return true;
	if (!percent)
		return false;
	*percent = '\0';
	return endpoint_parse_ip(out, text) == 0 && out->kind == ENDPOINT_IPV6;
}

static bool read_address(const char *at, size_t len, struct endpoint *out)
{
	char text[ADDRESS_MAX];
	struct in_addr v4;

	if (len == 0 || len >= sizeof(text) || memchr(at, '\0', len))
		return false;
	memcpy(text, at, len);
	text[len] = '\0';
	out->port = DNS_PORT;
	if (!strchr(text, ':')) {
		if (inet_aton(text, &v4) == 0)
			return false;
		endpoint_set_ipv4(out, (const uint8_t *)&v4, DNS_PORT);
		return true;
	}
	return read_ipv6(text, out);
}

/* One line without its end. */
static bool read_line(const char *at, const char *end, struct endpoint *out)
{
	const char *address;

	while (at < end && is_blank(*at))
		at++;
	if ((size_t)(end - at) < sizeof(keyword) || memcmp(at, keyword, sizeof(keyword) - 1) != 0)
		return false;
	at += sizeof(keyword) - 1;
	if (!is_blank(*at))
		return false;
	while (at < end && is_blank(*at))
		at++;
	address = at;
	while (at < end && !ends_address(*at))
		at++;
	return read_address(address, (size_t)(at - address), out);
}

size_t resolvconf_parse(const char *text, size_t len, struct endpoint *out, size_t max)
{
	const char *at = text, *end = text + len, *stop;
	size_t n = 0;

	for (; at < end && n < max; at = stop + 1) {
		stop = memchr(at, '\n', (size_t)(end - at));
		if (!stop)
			stop = end;
		if (read_line(at, stop, &out[n]))
			n++;
	}
	return n;
}
