/*
 * The gethostbyname() family: the same answers as getaddrinfo()'s, packed into the caller's buffer.
 */
#include "answer.h"
#include "real.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

/* Room for a name of 255 octets and LOCAL_MAX addresses. */
#define STATIC_BUF 2048

/* One structure in the caller's buffer, aligned; NULL where it does not fit. */
static void *take(char **at, char *end, size_t size, size_t align)
{
	char *start = (char *)(((uintptr_t)*at + align - 1) & ~(uintptr_t)(align - 1));

	if (start > end || (size_t)(end - start) < size)
		return NULL;
	*at = start + size;
	return start;
}

/* Returns 0 or ERANGE. */
static int pack(const struct answer *answer, const char *name, int family, struct hostent *ret,
                char *buf, size_t len)
{
	size_t ip_len = family == AF_INET6 ? 16 : 4;
	char *end = buf + len;
	char **list = take(&buf, end, (answer->n + 2) * sizeof(*list), _Alignof(char *));
	uint8_t *ips = take(&buf, end, answer->n * ip_len, _Alignof(struct in6_addr));
	char *copy = take(&buf, end, strlen(name) + 1, 1);

	if (!list || !ips || !copy)
		return ERANGE;
	for (size_t i = 0; i < answer->n; i++) {
		list[i] = (char *)memcpy(ips + i * ip_len, answer->addresses[i].ip, ip_len);
	}
	list[answer->n] = NULL;
	list[answer->n + 1] = NULL; /* the list of aliases, which is empty */
	*ret = (struct hostent){
		.h_name = strcpy(copy, name),
		.h_aliases = &list[answer->n + 1],
		.h_addrtype = family,
		.h_length = (int)ip_len,
		.h_addr_list = list,
	};
	return 0;
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
		*herr = answer_herr(answer);
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

/* The forms without _r own one result for the whole process, as libc's do. */
static struct hostent *in_static(const struct answer *answer, const char *name, int family)
{
	static struct hostent ret;
	static char buf[STATIC_BUF] __attribute__((aligned(16)));
	struct hostent *res;
	int herr = 0;

	if (by_answer(answer, name, family, &ret, buf, sizeof(buf), &res, &herr) != 0 || !res)
		h_errno = herr;
	return res;
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
