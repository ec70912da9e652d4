#include "answer.h"

#include "session.h"

#include <arpa/inet.h>
#include <base/log.h>
#include <errno.h>
#include <names/pool.h>
#include <string.h>

/*
 * An address as libc reads it: inet_aton()'s short and hexadecimal forms too. Blanks end inet_aton()'s view,
 * but belong to no address.
 */
static bool is_address(const char *name)
{
	struct in_addr v4;
	struct endpoint ep;

	if (strchr(name, ':'))
		return endpoint_parse_ip(&ep, name) == 0;
	return !strpbrk(name, " \t\n\r\v\f") && inet_aton(name, &v4) != 0;
}

static enum answer_kind find_placeholder(const char *name, size_t len, int family,
                                         struct endpoint *out)
{
	struct table *t = session_names();
	uint32_t slot;
	int err = t ? table_put(t, name, len, &slot) : -ENOMEM;

	if (err == -EINVAL)
		return ANSWER_NO_NAME;
	if (err < 0) {
		log_error("no placeholder address for \"%s\": %s", name,
		          t && table_count(t) + 1 >= POOL_SLOTS
		                  ? "all of them are given"
		                  : "no memory for the table of names");
		return ANSWER_FULL;
	}
	if (family == AF_INET6)
		pool_ipv6(slot, out);
	else
		pool_ipv4(slot, out);
	return ANSWER_ADDRESSES;
}

void answer_find(const char *name, int family, struct answer *out)
{
	const struct config *cfg = session_config();
	size_t len = strlen(name);
	int local;

	out->n = 0;
	out->numeric = is_address(name);
	if (out->numeric || (!cfg->broken && !cfg->proxy.names_go_along)) {
		out->kind = ANSWER_LIBC;
		return;
	}
	if (!endpoint_name_is_valid(name, len) || strchr(name, ':')) {
		out->kind = ANSWER_NO_NAME;
		return;
	}
	local = local_find(name, len, family, out->addresses, LOCAL_MAX);
	if (local >= 0) {
		out->n = (size_t)local;
		out->kind = local > 0 ? ANSWER_ADDRESSES : ANSWER_NO_DATA;
		return;
	}
	out->kind = find_placeholder(name, len, family, &out->addresses[0]);
	out->n = out->kind == ANSWER_ADDRESSES ? 1 : 0;
}
