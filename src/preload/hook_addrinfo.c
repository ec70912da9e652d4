/*
 * getaddrinfo() asks nobody. libc itself builds the list, for an address in text, so that flags,
 * socket types, services and freeaddrinfo() are its own.
 */
#include "answer.h"
#include "idn.h"
#include "real.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* libc's own list for one address. */
static int list_address(const struct endpoint *ep, const char *service,
                        const struct addrinfo *hints, struct addrinfo **res)
{
	bool v6 = ep->kind == ENDPOINT_IPV6;
	char text[INET6_ADDRSTRLEN];

	if (!inet_ntop(v6 ? AF_INET6 : AF_INET, ep->ip, text, sizeof(text)))
		return EAI_SYSTEM;
	return real->getaddrinfo(text, service, hints, res);
}

/* The canonical name is the name: libc has put the address's text there. */
static int set_canonname(struct addrinfo *ai, const char *name)
{
	char *copy = NULL;
	int err = EAI_IDN_ENCODE;

	if (ai->ai_flags & AI_CANONIDN)
		err = idn_decode(name, &copy);
	/* As DNS has it, where it is nothing else. */
	if (err == EAI_IDN_ENCODE)
		copy = strdup(name);
	if (!copy)
		return EAI_MEMORY;
	free(ai->ai_canonname);
	ai->ai_canonname = copy;
	return 0;
}

/* What a name is called: as it was asked for, or as the hosts file has it. */
static const char *canonical(const struct answer *answer, const char *name, int family)
{
	size_t len = strlen(name);
	const char *found = answer->local ? local_canonical(name, len, family) : NULL;

	/* Its IPv4 addresses may be there for AF_INET6, too, in v4-mapped form. */
	if (!found && answer->local && family == AF_INET6)
		found = local_canonical(name, len, AF_INET);
	return found ? found : name;
}

/*
 * glibc frees a list node by node, so lists can be joined.
 * @asked  the program's own flags, which libc shows in each node
 */
static int list_all(const struct answer *answer, const char *name, const char *service,
                    const struct addrinfo *hints, int asked, struct addrinfo **res)
{
	struct addrinfo *first = NULL, **tail = &first;
	struct addrinfo each = *hints;
	int err = 0;

	for (size_t i = 0; i < answer->n && err == 0; i++) {
		err = list_address(&answer->addresses[i], service, &each, tail);
		for (; err == 0 && *tail; tail = &(*tail)->ai_next)
			(*tail)->ai_flags = asked;
		each.ai_flags &= ~AI_CANONNAME; /* only the first node carries it */
	}
	if (err == 0 && (hints->ai_flags & AI_CANONNAME))
		err = set_canonname(first, canonical(answer, name, hints->ai_family));
	if (err != 0 && first)
		freeaddrinfo(first);
	if (err == 0)
		*res = first;
	return err;
}

/* IPv6 callers may want a local name's IPv4 addresses in v4-mapped form. */
static void add_mapped(const char *node, struct answer *answer)
{
	struct answer v4;

	answer_find(node, AF_INET, &v4);
	for (size_t i = 0; v4.kind == ANSWER_ADDRESSES && i < v4.n && answer->n < LOCAL_MAX; i++)
		answer->addresses[answer->n++] = v4.addresses[i];
	if (answer->n > 0)
		answer->kind = ANSWER_ADDRESSES;
}

/* An international name, as DNS and so the proxy has it. */
static int look_up_idn(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **res)
{
	char *ascii;
	int err = idn_encode(node, &ascii);

	if (err != 0)
		return err;
	err = hook_getaddrinfo(ascii, service, hints, res);
	free(ascii);
	return err;
}

/* A name that a rule sends direct: libc's own answer, each address of which is noted. */
static int list_ruled(const char *node, const char *service, const struct addrinfo *hints,
                      struct addrinfo **res)
{
	int err = real->getaddrinfo(node, service, hints, res), saved = errno;

	for (const struct addrinfo *ai = err == 0 ? *res : NULL; ai; ai = ai->ai_next) {
		if (ai->ai_family == AF_INET)
			answer_note(node, AF_INET, &((struct sockaddr_in *)ai->ai_addr)->sin_addr);
		else if (ai->ai_family == AF_INET6)
			answer_note(node, AF_INET6,
			            &((struct sockaddr_in6 *)ai->ai_addr)->sin6_addr);
	}
	errno = saved;
	return err;
}

int hook_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                     struct addrinfo **res)
{
	const struct addrinfo none = { .ai_flags = AI_V4MAPPED | AI_ADDRCONFIG };
	struct addrinfo h = hints ? *hints : none;
	const int asked = h.ai_flags;
	struct answer answer;
	int saved = errno, err = EAI_NONAME;

	/* glibc takes "*" for no node at all. */
	if (!node || strcmp(node, "*") == 0 || (asked & AI_NUMERICHOST))
		return real->getaddrinfo(node, service, hints, res);
	if ((asked & AI_IDN) && !idn_is_ascii(node))
		return look_up_idn(node, service, hints, res);
	answer_find(node, h.ai_family, &answer);
	if (answer.kind == ANSWER_LIBC && !answer.numeric)
		return answer.ruled ? list_ruled(node, service, hints, res)
		                    : real->getaddrinfo(node, service, hints, res);
	h.ai_flags |= AI_NUMERICHOST;
	if (answer.kind == ANSWER_LIBC) {
		err = real->getaddrinfo(node, service, &h, res);
		for (struct addrinfo *ai = err == 0 ? *res : NULL; ai; ai = ai->ai_next)
			ai->ai_flags = asked;
		return err;
	}
	if (h.ai_family == AF_INET6 && (h.ai_flags & AI_V4MAPPED) &&
	    (answer.kind == ANSWER_NO_DATA || (h.ai_flags & AI_ALL)))
		add_mapped(node, &answer);

	/* A placeholder needs no route of this machine. */
	h.ai_flags &= ~AI_ADDRCONFIG;
	switch (answer.kind) {
	case ANSWER_ADDRESSES:
		err = list_all(&answer, node, service, &h, asked, res);
		break;
	case ANSWER_FULL:
		err = EAI_AGAIN;
		break;
	case ANSWER_LIBC:
	case ANSWER_NO_DATA:
	case ANSWER_NO_NAME:
		break;
	}
	if (err == 0)
		errno = saved;
	return err;
}
