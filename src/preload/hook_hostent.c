/*
 * The gethostbyname() family: the same answers as getaddrinfo()'s, packed into the caller's buffer.
 */
#include "answer.h"
#include "kept.h"
#include "pack.h"
#include "real.h"

#include <errno.h>
#include <string.h>

/*
 * Aliases are what glibc shows as such: the names after the first one on each line of the family
 * that lists the name, and the first one of a line where it is not that of the first line.
 * Returns the canonical name.
 */
static const char *pack_aliases(struct pack *p, const char *name, int family, bool local,
                                char ***aliases)
{
	const struct hosts *hosts = local ? local_hosts() : NULL;
	const char *canonical = NULL;
	size_t len = strlen(name);
	struct hosts_line line;
	uint32_t at = 0;

	pack_list_begin(p);
	while (hosts && hosts_next_of(hosts, name, len, family, &at, &line)) {
		for (const char *alias = line.names; (alias = hosts_next_name(alias));)
			pack_list_add(p, alias);
		if (!canonical)
			canonical = line.names;
		else if (strcmp(line.names, canonical) != 0)
			pack_list_add(p, line.names);
	}
	*aliases = pack_list_end(p);
	return canonical ? canonical : name;
}

/* Returns 0 or ERANGE. */
static int pack(const struct answer *answer, const char *name, int family, struct hostent *ret,
                char *buf, size_t len)
{
	const char *canonical;
	struct pack p;

	pack_init(&p, buf, len);
	canonical = pack_aliases(&p, name, family, answer->local, &ret->h_aliases);
	return pack_host(&p, canonical, family, answer->addresses, answer->n, ret);
}

/* An answer without addresses: what goes into h_errno. */
static int answer_herr(const struct answer *answer)
{
	switch (answer->kind) {
	case ANSWER_NO_DATA:
		return NO_DATA;
	case ANSWER_FULL:
		return TRY_AGAIN;
	case ANSWER_ADDRESSES:
	case ANSWER_LIBC:
	case ANSWER_NO_NAME:
		break;
	}
	return HOST_NOT_FOUND;
}

/* As glibc's: 0 with *res NULL is "not found", else an errno; never errno itself on success. */
static int by_answer(const struct answer *answer, const char *name, int family, struct hostent *ret,
                     char *buf, size_t len, struct hostent **res, int *herr)
{
	*res = NULL;
	if (answer->kind != ANSWER_ADDRESSES) {
		/* libc sets the one for all as well, which Python looks at. */
		*herr = h_errno = answer_herr(answer);
		return *herr == TRY_AGAIN ? EAGAIN : 0;
	}
	if (pack(answer, name, family, ret, buf, len) != 0) {
		*herr = NETDB_INTERNAL;
		errno = ERANGE;
		return ERANGE;
	}
	*res = ret;
	*herr = NETDB_SUCCESS;
	return 0;
}

/* False where libc is to be asked, its answer then shown to note(). */
static bool is_ours(const char *name, int family, struct answer *answer)
{
	answer->kind = ANSWER_LIBC;
	answer->ruled = false;
	answer->local = false;
	if (!name || (family != AF_INET && family != AF_INET6))
		return false;
	answer_find(name, family, answer);
	if (answer->kind == ANSWER_LIBC && answer->numeric)
		answer_numeric(name, family, answer);
	return answer->kind != ANSWER_LIBC;
}

static void note(const struct answer *answer, const char *name, const struct hostent *he)
{
	int saved = errno;

	if (!answer->ruled || !he)
		return;
	for (char **ip = he->h_addr_list; *ip; ip++)
		answer_note(name, he->h_addrtype, *ip);
	errno = saved;
}

int hook_gethostbyname2_r(const char *name, int family, struct hostent *ret, char *buf, size_t len,
                          struct hostent **res, int *herr)
{
	struct answer answer;
	int err;

	if (!is_ours(name, family, &answer)) {
		err = real->gethostbyname2_r(name, family, ret, buf, len, res, herr);
		note(&answer, name, err == 0 ? *res : NULL);
		return err;
	}
	return by_answer(&answer, name, family, ret, buf, len, res, herr);
}

int hook_gethostbyname_r(const char *name, struct hostent *ret, char *buf, size_t len,
                         struct hostent **res, int *herr)
{
	struct answer answer;
	int err;

	if (!is_ours(name, AF_INET, &answer)) {
		err = real->gethostbyname_r(name, ret, buf, len, res, herr);
		note(&answer, name, err == 0 ? *res : NULL);
		return err;
	}
	return by_answer(&answer, name, AF_INET, ret, buf, len, res, herr);
}

struct asked {
	const struct answer *answer;
	const char *name;
	int family;
	struct hostent *ret, *res;
	int herr;
};

static int fill(void *arg, char *buf, size_t len)
{
	struct asked *a = arg;

	return by_answer(a->answer, a->name, a->family, a->ret, buf, len, &a->res, &a->herr);
}

/* The forms without _r own one result for the whole process, as libc's do. */
static struct hostent *in_static(const struct answer *answer, const char *name, int family)
{
	static struct kept kept;
	static struct hostent ret;
	struct asked asked = { answer, name, family, &ret, NULL, NETDB_INTERNAL };
	int saved = errno, err = kept_fill(&kept, fill, &asked);

	errno = err == ENOMEM ? ENOMEM : saved;
	if (!asked.res)
		h_errno = asked.herr;
	return asked.res;
}

struct hostent *hook_gethostbyname2(const char *name, int family)
{
	struct answer answer;
	struct hostent *he;

	if (!is_ours(name, family, &answer)) {
		he = real->gethostbyname2(name, family);
		note(&answer, name, he);
		return he;
	}
	return in_static(&answer, name, family);
}

struct hostent *hook_gethostbyname(const char *name)
{
	struct answer answer;
	struct hostent *he;

	if (!is_ours(name, AF_INET, &answer)) {
		he = real->gethostbyname(name);
		note(&answer, name, he);
		return he;
	}
	return in_static(&answer, name, AF_INET);
}
