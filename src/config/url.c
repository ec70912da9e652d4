/*
 * How it works: the text is cut at "://", at what follows host and port, at the last "@" and at
 * the ":" of the port, each part is then checked where it stands, so that a complaint can point at
 * its octet.
 *
 * "socks://" means socks5h: desktops write it into ALL_PROXY for what their settings call a "SOCKS
 * host", which is a SOCKS5 server. (curl reads SOCKS4 out of it; a SOCKS5 server drops that at its
 * first octet.)
 */
#include <config/url.h>

#include <config/ascii.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct scheme {
	const char *name, *label;
	enum socks_protocol protocol;
	bool names_go_along;
} schemes[] = {
	{ "socks5h", "socks5h", SOCKS_V5, true }, /* first: what no scheme means */
	{ "socks5", "socks5", SOCKS_V5, false },  { "socks4a", "socks4a", SOCKS_V4A, true },
	{ "socks4", "socks4", SOCKS_V4, false },  { "socks", "socks5h", SOCKS_V5, true },
};

/* A stretch of the text. */
struct span {
	const char *at;
	size_t len;
};

/* Where the parts are; lengths 0 where there are none. */
struct parts {
	struct span scheme, user, password, host, port, path;
	bool has_scheme, has_user, has_password;
};

#define EXPECTS_SCHEME   "socks4://, socks4a://, socks5:// or socks5h://"
#define EXPECTS_HOST     "SCHEME://[USER[:PASSWORD]@]HOST[:PORT]"
#define EXPECTS_PORT     "a port from 1 to 65535"
#define EXPECTS_NAME     "a host name or an address"
#define EXPECTS_BRACKETS "an IPv6 address in brackets, such as [2001:db8::1]:1080"
#define EXPECTS_ENCODED  "such octets written as % and two hex digits"

/* RFC 3986 section 3.1: the octets in front of "://", or nothing. */
static size_t scheme_len(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && (ascii_is_alpha(text[n]) ||
	                   (n > 0 && (ascii_is_digit(text[n]) || strchr("+-.", text[n])))))
		n++;
	return n > 0 && len - n >= 3 && memcmp(text + n, "://", 3) == 0 ? n : 0;
}

static const struct scheme *scheme_find(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strlen(schemes[i].name) == len && ascii_equal(schemes[i].name, name, len))
			return &schemes[i];
	return NULL;
}

/* The text without the white space around it. Looks at URL_MAX + 1 octets at most. */
static struct span trim(const char *text)
{
	struct span s = { text, strnlen(text, URL_MAX + 1) };

	while (s.len > 0 && ascii_is_space(s.at[0])) {
		s.at++;
		s.len--;
	}
	while (s.len > 0 && ascii_is_space(s.at[s.len - 1]))
		s.len--;
	return s;
}

static const char *last_of(struct span s, char c)
{
	return s.len > 0 ? memrchr(s.at, c, s.len) : NULL;
}

/* What stands before @cut; @s keeps what stands behind it. */
static struct span cut_at(struct span *s, const char *cut)
{
	struct span head = { s->at, (size_t)(cut - s->at) };

	s->len -= head.len + 1;
	s->at = cut + 1;
	return head;
}

/* The host's end: behind its bracket, or at the last ":", where a port may follow. */
static const char *port_colon(struct span host)
{
	const char *bracket = host.len > 0 && host.at[0] == '[' ? last_of(host, ']') : NULL;

	if (bracket) {
		bool colon = bracket + 1 < host.at + host.len && bracket[1] == ':';

		return colon ? bracket + 1 : NULL;
	}
	return last_of(host, ':');
}

/*
 * Where host and port end: at the first "/", "?" or "#" (RFC 3986 section 3.2). A "?" or "#" with
 * an "@" behind it belongs to a password that nobody encoded.
 */
static const char *path_of(struct span s)
{
	const char *at = last_of(s, '@'), *end = s.at + s.len;

	for (const char *c = s.at; c < end; c++)
		if (*c == '/' || ((*c == '?' || *c == '#') && (!at || c > at)))
			return c;
	return NULL;
}

static void cut(struct span s, struct parts *p)
{
	size_t n = scheme_len(s.at, s.len);
	const char *mark;

	*p = (struct parts){ .has_scheme = n > 0 };
	if (n > 0) {
		p->scheme = cut_at(&s, s.at + n);
		s.at += 2;
		s.len -= 2;
	}
	mark = path_of(s);
	if (mark) {
		p->path = (struct span){ mark, s.len - (size_t)(mark - s.at) };
		s.len -= p->path.len;
	}
	mark = last_of(s, '@');
	if (mark) {
		p->has_user = true;
		p->user = cut_at(&s, mark);
		mark = p->user.len > 0 ? memchr(p->user.at, ':', p->user.len) : NULL;
		if (mark) {
			struct span both = p->user;

			p->has_password = true;
			p->user = cut_at(&both, mark);
			p->password = both;
		}
	}
	p->host = s;
	mark = port_colon(s);
	if (mark) {
		p->host = cut_at(&s, mark);
		p->port = s;
	}
}

/* The octet at @s[*i], of which %XX is one (RFC 3986 section 2.1). A "%" that is none stays. */
static char decode_at(struct span s, size_t *i)
{
	int high, low;

	if (s.at[*i] == '%' && s.len - *i > 2) {
		high = ascii_hex(s.at[*i + 1]);
		low = ascii_hex(s.at[*i + 2]);
		if (high >= 0 && low >= 0) {
			*i += 3;
			return (char)(high << 4 | low);
		}
	}
	return s.at[(*i)++];
}

static int complain(struct complaint *why, const char *text, const char *at, const char *problem,
                    const char *expects)
{
	*why = (struct complaint){ (size_t)(at - text), problem, expects };
	return -EINVAL;
}

/* User or password, which are any octets once decoded. */
static int read_credential(const char *text, struct span s, bool nul_ok, char *out,
                           uint8_t *out_len, struct complaint *why)
{
	size_t n = 0, i = 0;

	while (i < s.len) {
		const char *at = s.at + i;
		char c = decode_at(s, &i);

		if (s.at + i == at + 1 && (!ascii_is_print(c) || c == ' ') &&
		    (unsigned char)c < 0x80)
			return complain(why, text, at,
			                "a blank or control octet in user or password",
			                EXPECTS_ENCODED);
		if (c == '\0' && !nul_ok)
			return complain(why, text, at, "SOCKS4 ends the user at a NUL",
			                "a user without %00");
		if (n == SOCKS5_CRED_MAX)
			return complain(why, text, at, "user or password is over 255 octets",
			                "at most 255 octets each");
		out[n++] = c;
	}
	out[n] = '\0';
	*out_len = (uint8_t)n;
	return 0;
}

static int read_credentials(const char *text, const struct parts *p, struct proxy *out,
                            struct complaint *why)
{
	bool v5 = out->protocol == SOCKS_V5;
	int err;

	if (!v5 && p->password.len > 0)
		return complain(why, text, p->password.at, "SOCKS4 has no password",
		                "USER@HOST, or a scheme of SOCKS5");
	if (p->user.len == 0 && p->password.len > 0)
		return complain(why, text, p->user.at, "a password without a user",
		                "USER:PASSWORD@HOST");
	err = read_credential(text, p->user, v5, out->user, &out->user_len, why);
	if (err == 0)
		err = read_credential(text, p->password, v5, out->password, &out->password_len,
		                      why);
	out->has_password = v5 && p->has_password && p->user.len > 0;
	return err;
}

static int read_port(const char *text, const struct parts *p, uint16_t *port, struct complaint *why)
{
	unsigned long v = 0;

	*port = PROXY_DEFAULT_PORT;
	for (size_t i = 0; i < p->port.len; i++) {
		char c = p->port.at[i];

		if (!ascii_is_digit(c)) {
			if (!p->has_scheme && scheme_find(p->host.at, p->host.len))
				return complain(why, text, p->host.at + p->host.len,
				                "\"//\" is missing after the scheme",
				                EXPECTS_SCHEME);
			return complain(why, text, p->port.at, "the port is not a number",
			                EXPECTS_PORT);
		}
		v = v * 10 + (unsigned long)(c - '0');
		if (v > UINT16_MAX)
			return complain(why, text, p->port.at, "the port is over 65535",
			                EXPECTS_PORT);
		*port = (uint16_t)v;
	}
	return p->port.len == 0 || v > 0
	               ? 0
	               : complain(why, text, p->port.at, "the port is 0", EXPECTS_PORT);
}

/* "[ADDRESS]", with "%25SCOPE" (RFC 6874) or "%SCOPE". */
static int read_ipv6(const char *text, struct span host, struct endpoint *ep, struct complaint *why)
{
	char buf[64];
	size_t n = 0, i = 0;
	struct span inner = { host.at + 1, host.len - 2 };

	if (host.len < 2 || host.at[host.len - 1] != ']')
		return complain(why, text, host.at, "the bracket is not closed before the port",
		                EXPECTS_BRACKETS);
	while (i < inner.len && n < sizeof(buf) - 1)
		buf[n++] = decode_at(inner, &i);
	buf[n] = '\0';
	/* endpoint_parse_ip() takes brackets of its own, and would not see what is behind a NUL. */
	if (i < inner.len || strcspn(buf, "[]") != n || endpoint_parse_ip(ep, buf) < 0 ||
	    ep->kind != ENDPOINT_IPV6)
		return complain(why, text, host.at,
		                strchr(buf, '%') ? "no such IPv6 address or network interface"
		                                 : "no such IPv6 address",
		                EXPECTS_BRACKETS);
	endpoint_unmap(ep);
	return 0;
}

static int read_host(const char *text, const struct parts *p, struct endpoint *ep,
                     struct complaint *why)
{
	struct span host = p->host;
	char name[ENDPOINT_NAME_MAX + 1];
	size_t n = 0, i = 0;

	if (host.len == 0)
		return complain(why, text, host.at, "the host is missing", EXPECTS_HOST);
	if (host.at[0] == '[')
		return read_ipv6(text, host, ep, why);
	if (memchr(host.at, ':', host.len))
		return complain(why, text, host.at, "more than one \":\" in host and port",
		                EXPECTS_BRACKETS);
	while (i < host.len) {
		const char *at = host.at + i;
		char c = decode_at(host, &i);

		if ((unsigned char)c <= ' ' || c == 0x7f ||
		    strchr("\"#$%&'()*+,/:;<=>?@[\\]^`{|}", c))
			return complain(why, text, at, "an octet that no host name has",
			                EXPECTS_NAME);
		if (n == sizeof(name) - 1)
			return complain(why, text, at, "the host name is over 255 octets",
			                EXPECTS_NAME);
		name[n++] = c;
	}
	name[n] = '\0';
	if (endpoint_parse_ip(ep, name) == 0)
		return 0;
	if (!endpoint_name_is_valid(name, n))
		return complain(why, text, host.at, "an empty or over-long label in the host name",
		                EXPECTS_NAME);
	return endpoint_set_name(ep, name, n, 0);
}

int url_parse(const char *text, struct proxy *out, struct complaint *why)
{
	struct span s = trim(text);
	const struct scheme *scheme = &schemes[0];
	struct parts p;
	uint16_t port;

	*out = (struct proxy){ .user_len = 0 };
	if (strnlen(text, URL_MAX + 1) > URL_MAX)
		return complain(why, text, text + URL_MAX, "the text is over 2048 octets",
		                EXPECTS_HOST);
	cut(s, &p);
	if (p.has_scheme)
		scheme = scheme_find(p.scheme.at, p.scheme.len);
	if (!scheme)
		return complain(why, text, p.scheme.at, "the scheme is none of SOCKS",
		                EXPECTS_SCHEME);
	if (p.path.len > 0 && memchr(p.path.at, '@', p.path.len))
		return complain(why, text, p.path.at, "a \"/\" before the \"@\"", EXPECTS_ENCODED);
	if (!p.has_scheme && p.path.len > 0 && p.path.at > text && p.path.at[-1] == ':' &&
	    p.path.at[0] == '/')
		return complain(why, text, p.path.at, "\"//\" is missing after the scheme",
		                EXPECTS_SCHEME);
	for (size_t i = 0; i < p.path.len; i++)
		if ((unsigned char)p.path.at[i] <= ' ' || p.path.at[i] == 0x7f)
			return complain(why, text, p.path.at + i,
			                "a blank or control octet in what follows host and port",
			                EXPECTS_HOST);
	out->protocol = scheme->protocol;
	out->names_go_along = scheme->names_go_along;
	if (read_credentials(text, &p, out, why) < 0 || read_host(text, &p, &out->addr, why) < 0 ||
	    read_port(text, &p, &port, why) < 0)
		return -EINVAL;
	out->addr.port = port;
	snprintf(out->label, sizeof(out->label), "%s://", scheme->label);
	endpoint_format(&out->addr, out->label + strlen(out->label),
	                sizeof(out->label) - strlen(out->label));
	return 0;
}

bool url_is_foreign(const char *text)
{
	struct span s = trim(text);
	size_t n = scheme_len(s.at, s.len);

	return n > 0 && !scheme_find(s.at, n);
}

/*
 * What may be a password: from the first ":" behind the scheme to the last "@"; where there is no
 * "@", a "port" that is no number, since somebody may have forgotten the host. A length of 0 is
 * none.
 */
static struct span find_secret(struct span s)
{
	size_t n = scheme_len(s.at, s.len);
	const char *colon, *end, *slash;

	if (n > 0) {
		s.at += n + 3;
		s.len -= n + 3;
	}
	end = last_of(s, '@');
	if (end) {
		colon = memchr(s.at, ':', (size_t)(end - s.at));
		return colon ? (struct span){ colon + 1, (size_t)(end - colon - 1) }
		             : (struct span){ s.at, 0 };
	}
	slash = s.len > 0 ? memchr(s.at, '/', s.len) : NULL;
	if (slash)
		s.len = (size_t)(slash - s.at);
	colon = s.len > 0 && s.at[0] != '[' ? memchr(s.at, ':', s.len) : NULL;
	if (!colon || colon != last_of(s, ':'))
		return (struct span){ s.at, 0 };
	end = s.at + s.len;
	for (const char *c = colon + 1; c < end; c++)
		if (!ascii_is_digit(*c))
			return (struct span){ colon + 1, (size_t)(end - colon - 1) };
	return (struct span){ s.at, 0 };
}

char *url_redact_from(const char *text, size_t at, char *buf, size_t cap)
{
	struct span s = { text, strlen(text) }, secret = find_secret(s);
	size_t n = 0, hidden = (size_t)(secret.at - text);

	while (at < s.len && cap > 0) {
		char piece[8];
		size_t len;

		if (at >= hidden && at - hidden < secret.len) {
			len = (size_t)snprintf(piece, sizeof(piece), "***");
			at = hidden + secret.len;
		} else {
			len = (size_t)snprintf(piece, sizeof(piece),
			                       ascii_is_print(text[at]) ? "%c" : "\\x%02x",
			                       (unsigned char)text[at]);
			at++;
		}
		if (n + len >= cap)
			break;
		memcpy(buf + n, piece, len);
		n += len;
	}
	if (cap > 0)
		buf[n] = '\0';
	return buf;
}

char *url_redact(const char *text, char *buf, size_t cap)
{
	return url_redact_from(text, 0, buf, cap);
}
