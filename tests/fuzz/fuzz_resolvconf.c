/* Any octets as resolv.conf: at most as many servers as lines and as asked for, each one whole. */
#include <config/resolvconf.h>
#include <fuzz.h>
#include <string.h>

#define MAX 3

static void check(const struct endpoint *ep)
{
	struct endpoint again[1];
	char text[32 + ENDPOINT_TEXT_MAX], *end;

	REQUIRE(ep->port == 53 && ep->name_len == 0);
	REQUIRE(ep->kind == ENDPOINT_IPV4 || ep->kind == ENDPOINT_IPV6);
	/* "[ADDR]:53" and "ADDR:53", without what is not the address's. */
	snprintf(text, sizeof(text), "nameserver %s",
	         ENDPOINT_TEXT(ep) + (ep->kind == ENDPOINT_IPV6));
	end = strrchr(text, ep->kind == ENDPOINT_IPV6 ? ']' : ':');
	REQUIRE(end);
	REQUIRE(resolvconf_parse(text, (size_t)(end - text), again, 1) == 1);
	REQUIRE(endpoint_equal(&again[0], ep));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct endpoint out[MAX], more[MAX + 1];
	size_t n = resolvconf_parse(text, size, out, MAX), lines = 1;

	for (size_t i = 0; i < size; i++)
		lines += text[i] == '\n';
	REQUIRE(n <= MAX && n <= lines);
	for (size_t i = 0; i < n; i++)
		check(&out[i]);
	REQUIRE(resolvconf_parse(text, size, more, MAX + 1) >= n);
	for (size_t i = 0; i < n; i++)
		REQUIRE(endpoint_equal(&out[i], &more[i]));
	return 0;
}
