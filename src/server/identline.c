#include "identline.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define PORT_MAX 65535

struct piece {
	const char *at;
	size_t len;
};

size_t identline_ask(const struct identline_ports *ports, char out[IDENTLINE_ASK_MAX])
{
	return (size_t)snprintf(out, IDENTLINE_ASK_MAX, "%u, %u\r\n", ports->there, ports->here);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void trim(struct piece *p)
{
	while (p->len > 0 && is_blank(p->at[0])) {
		p->at++;
		p->len--;
	}
	while (p->len > 0 && is_blank(p->at[p->len - 1]))
		p->len--;
}

/* Take what stands before the next @end, trimmed; false where there is none. */
static bool take_field(struct piece *rest, char end, struct piece *out)
{
	const char *found = memchr(rest->at, end, rest->len);

	if (!found)
		return false;
	out->at = rest->at;
	out->len = (size_t)(found - rest->at);
	rest->at = found + 1;
	rest->len -= out->len + 1;
	trim(out);
	return true;
}

static bool is_word(const struct piece *p, const char *word)
{
	return p->len == strlen(word) && strncasecmp(p->at, word, p->len) == 0;
}

static bool is_port(const struct piece *p, uint16_t port)
{
	unsigned v = 0;

	for (size_t i = 0; i < p->len; i++) {
		if (p->at[i] < '0' || p->at[i] > '9')
			return false;
		v = v * 10 + (unsigned)(p->at[i] - '0');
		if (v > PORT_MAX)
			return false;
	}
	return p->len > 0 && v == port;
}

static bool are_ports(struct piece pair, const struct identline_ports *ports)
{
	struct piece there;

	if (!take_field(&pair, ',', &there))
		return false;
	trim(&pair);
	return is_port(&there, ports->there) && is_port(&pair, ports->here);
}

enum identline identline_read(const char *line, size_t len, const struct identline_ports *ports,
                              const char **text, size_t *text_len)
{
	struct piece rest = { .at = line, .len = len }, pair, kind, system = { .len = 1 };
	bool user;

	if (len == 0 || memchr(line, '\0', len) || !take_field(&rest, ':', &pair) ||
	    !are_ports(pair, ports) || !take_field(&rest, ':', &kind))
		return IDENTLINE_BAD;
	user = is_word(&kind, "USERID");
	if (!user && !is_word(&kind, "ERROR"))
		return IDENTLINE_BAD;
	if (user && !take_field(&rest, ':', &system))
		return IDENTLINE_BAD;
	trim(&rest);
	if (rest.len == 0 || system.len == 0)
		return IDENTLINE_BAD;
	*text = rest.at;
	*text_len = rest.len;
	return user ? IDENTLINE_USER : IDENTLINE_ERROR;
}
