/* Numbers, words, paths, lists. */
#include "reading.h"

#include <config/ascii.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_MAX_MS 86400000u

static const char *skip_space(const char *at)
{
	while (ascii_is_space(*at))
		at++;
	return at;
}

/* Seconds with a decimal fraction; strtod(3) would want the locale's own decimal point. */
int read_timeout(struct reading *r, const char *value)
{
	static const char expects[] = "seconds from 0.001 to 86400, such as 2.5";
	uint64_t ms = 0, unit = 1000;
	const char *at = skip_space(value), *begin = at;
	bool digits = false, point = false;

	for (; ascii_is_digit(*at) || (*at == '.' && !point); at++) {
		if (*at == '.') {
			point = true;
			continue;
		}
		digits = true;
		if (point)
			unit /= 10;
		ms = point ? ms + unit * (uint64_t)(*at - '0')
		           : ms * 10 + 1000 * (uint64_t)(*at - '0');
		if (ms > TIMEOUT_MAX_MS)
			return reading_complain(r, value,
			                        &(struct complaint){ (size_t)(begin - value),
			                                             "it is over a day", expects });
	}
	if (!digits || *skip_space(at) != '\0')
		return reading_complain(
			r, value,
			&(struct complaint){ (size_t)((digits ? at : begin) - value),
		                             "it is not a number", expects });
	if (ms == 0)
		return reading_complain(r, value,
		                        &(struct complaint){ (size_t)(begin - value),
		                                             "nothing can be done in no time",
		                                             expects });
	r->cfg->timeout_ms = (int)ms;
	return 0;
}

/* One of @n words, in any case, or a complaint. */
static int read_word(struct reading *r, const char *value, const char *const *words, size_t n,
                     const char *problem, const char *expects)
{
	const char *at = skip_space(value);
	size_t len = strlen(at);

	while (len > 0 && ascii_is_space(at[len - 1]))
		len--;
	for (size_t i = 0; i < n; i++)
		if (strlen(words[i]) == len && ascii_equal(words[i], at, len))
			return (int)i;
	return reading_complain(r, value,
	                        &(struct complaint){ (size_t)(at - value), problem, expects });
}

#define WORDS(words) words, sizeof(words) / sizeof((words)[0])

int read_log(struct reading *r, const char *value)
{
	static const char *const levels[] = {
		[LOG_LEVEL_ERROR] = "error",
		[LOG_LEVEL_WARN] = "warn",
		[LOG_LEVEL_INFO] = "info",
		[LOG_LEVEL_DEBUG] = "debug",
	};
	int i = read_word(r, value, WORDS(levels), "there is no such level",
	                  "error, warn, info or debug");

	if (i >= 0)
		r->cfg->log = (enum log_level)i;
	return i < 0 ? i : 0;
}

int read_loopback(struct reading *r, const char *value)
{
	static const char *const ways[] = { "direct", "proxy" };
	int i = read_word(r, value, WORDS(ways), "there is no such way", "direct or proxy");

	if (i >= 0)
		r->cfg->loopback_too = i == 1;
	return i < 0 ? i : 0;
}

int read_dns(struct reading *r, const char *value)
{
	static const char *const policies[] = {
		[DNS_POLICY_ANSWER] = "answer",
		[DNS_POLICY_TUNNEL] = "tunnel",
	};
	int i = read_word(r, value, WORDS(policies), "there is no such policy", "answer or tunnel");

	if (i >= 0)
		r->cfg->dns = (enum dns_policy)i;
	return i < 0 ? i : 0;
}

int read_exec(struct reading *r, const char *value)
{
	static const char *const policies[] = {
		[EXEC_CLOSED] = "closed",
		[EXEC_REFUSE] = "refuse",
		[EXEC_ALLOW] = "allow",
	};
	int i = read_word(r, value, WORDS(policies), "there is no such policy",
	                  "closed, refuse or allow");

	if (i >= 0)
		r->cfg->exec = (enum exec_policy)i;
	return i < 0 ? i : 0;
}

int read_io_uring(struct reading *r, const char *value)
{
	static const char *const ways[] = { "deny", "allow" };
	int i = read_word(r, value, WORDS(ways), "there is no such way", "deny or allow");

	if (i >= 0)
		r->cfg->io_uring = i == 1;
	return i < 0 ? i : 0;
}

/* Made absolute now, since the program may change its directory at any time. */
static int read_path(struct reading *r, const char *value, char *out)
{
	size_t len = strlen(value), dir = 0;

	if (value[0] != '/' && getcwd(out, PATH_MAX)) {
		dir = strlen(out);
		if (out[dir - 1] != '/' && dir < PATH_MAX - 1)
			out[dir++] = '/';
	}
	if (dir + len >= PATH_MAX) {
		out[0] = '\0';
		return reading_complain(r, value,
		                        &(struct complaint){ 0, "the path is too long",
		                                             "a path of less than 4096 octets" });
	}
	memcpy(out + dir, value, len + 1);
	return 0;
}

int read_log_file(struct reading *r, const char *value)
{
	return read_path(r, value, r->cfg->log_file);
}

int read_password_file(struct reading *r, const char *value)
{
	return read_path(r, value, r->cfg->password_file);
}

/* What socksify sets, and writes absolute. */
static int read_own_path(struct reading *r, const char *value, const char *problem, char *out)
{
	size_t len = strlen(value);

	if (value[0] != '/' || len >= PATH_MAX)
		return reading_complain(r, value,
		                        &(struct complaint){ 0, problem,
		                                             "an absolute path, as socksify sets "
		                                             "it" });
	memcpy(out, value, len + 1);
	return 0;
}

int read_names(struct reading *r, const char *value)
{
	return read_own_path(r, value, "it is no path of a name table", r->cfg->names_path);
}

int read_audit(struct reading *r, const char *value)
{
	return read_own_path(r, value, "it is no path of an audit's file", r->cfg->audit_path);
}

int read_no_proxy(struct reading *r, const char *value)
{
	struct complaint why;

	r->have_no_proxy = true;
	if (rules_parse(value, &r->cfg->no_proxy, &why) < 0)
		return reading_complain_item(r, value, &why);
	return 0;
}

/* Other programs read it, each its own way: what is malformed only sends less past the proxy. */
int read_foreign_no_proxy(struct reading *r, const char *value)
{
	struct complaint why;

	if (r->have_no_proxy)
		return 0;
	r->have_no_proxy = true;
	if (rules_parse(value, &r->cfg->no_proxy, &why) < 0)
		reading_pass_over_item(r, value, &why);
	return 0;
}

/* ::/8 holds the unspecified address, loopback, v4-mapped addresses and NAT64's. */
static const char *const closed_ranges[] = {
	"127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "::/8", "fe80::/10", "ff00::/8",
};

static bool overlap(const struct prefix *a, const struct prefix *b)
{
	const struct prefix *wide = a->bits < b->bits ? a : b, *narrow = wide == a ? b : a;
	struct endpoint ep = { 0 };

	if (narrow->kind == ENDPOINT_IPV4)
		endpoint_set_ipv4(&ep, narrow->ip, 0);
	else
		endpoint_set_ipv6(&ep, narrow->ip, 0);
	return prefix_contains(wide, &ep);
}

/* What is wrong with a range as a pool, or NULL. */
static const char *pool_problem(const struct prefix *p)
{
	bool v4 = p->kind == ENDPOINT_IPV4;
	struct prefix closed;

	if (p->bits < (v4 ? 4 : 8))
		return "the range is too large";
	if (p->bits > (v4 ? 28 : 112))
		return "the range is too small";
	for (size_t i = 0; i < sizeof(closed_ranges) / sizeof(closed_ranges[0]); i++)
		if (prefix_parse(&closed, closed_ranges[i], strlen(closed_ranges[i])) == 0 &&
		    overlap(&closed, p))
			return "loopback, link-local, multicast and v4-mapped addresses are no "
			       "placeholders";
	return NULL;
}

int read_pool(struct reading *r, const char *value)
{
	static const char expects[] =
		"an IPv4 range from /4 to /28, an IPv6 range from /8 to /112, "
		"or both, such as 10.64.0.0/10,fd00:5::/64";
	bool have_v4 = false, have_v6 = false;

	for (const char *at = value; *(at += strspn(at, LIST_SEPARATORS));) {
		size_t len = strcspn(at, LIST_SEPARATORS);
		struct complaint why = { (size_t)(at - value), "no such range", expects };
		struct prefix p;
		bool v4;

		if (prefix_parse(&p, at, len) < 0)
			return reading_complain_item(r, value, &why);
		v4 = p.kind == ENDPOINT_IPV4;
		if (v4 ? have_v4 : have_v6)
			why.problem = "a second range of one family";
		else if (v4 && memchr(at, ':', len))
			why.problem = "a v4-mapped range";
		else
			why.problem = pool_problem(&p);
		if (why.problem)
			return reading_complain_item(r, value, &why);
		*(v4 ? &have_v4 : &have_v6) = true;
		*(v4 ? &r->cfg->pool_ipv4 : &r->cfg->pool_ipv6) = p;
		at += len;
	}
	if (!have_v4 && !have_v6)
		return reading_complain(r, value,
		                        &(struct complaint){ 0, "no range at all", expects });
	return 0;
}
