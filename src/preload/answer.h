/* What a look-up of a name gets: what the hooks of getaddrinfo() and gethostbyname() share. */
#ifndef PRELOAD_ANSWER_H
#define PRELOAD_ANSWER_H

#include <base/endpoint.h>
#include <names/local.h>

enum answer_kind {
	/*
	 * Ask libc: an address in text, a name that a rule sends direct, a scheme whose names are
	 * libc's.
	 */
	ANSWER_LIBC,
	ANSWER_ADDRESSES, /* a local name, or a placeholder */
	ANSWER_NO_DATA,   /* a local name that has no address in this family */
	ANSWER_NO_NAME,   /* can be nobody's name: over-long, a bad label, half an address */
	ANSWER_FULL,      /* no slot, or no memory for one; it was told in the log */
};

struct answer {
	enum answer_kind kind;
	bool numeric; /* ANSWER_LIBC: libc needs to ask nobody */
	bool ruled;   /* ANSWER_LIBC: show what libc says to answer_note() */
	bool local;   /* the hosts file may have a canonical name and aliases for it */
	size_t n;
	struct endpoint addresses[LOCAL_MAX];
};

/* Are all names libc's to answer, by the proxy's scheme? */
bool answer_is_libcs(void);

/* @family  AF_INET, AF_INET6, or AF_UNSPEC, which gets one IPv4 placeholder */
void answer_find(const char *name, int family, struct answer *out);

/*
 * An address of a name that is ->ruled: for this session it goes past the proxy, or does so at the
 * ports that rules have for the name.
 *
 * @ip  4 or 16 octets, by @family
 */
void answer_note(const char *name, int family, const void *ip);

/*
 * An address in text as the gethostbyname() family takes it, ANSWER_LIBC's case with ->numeric:
 * libc's own reads fewer forms than getaddrinfo() does, and asks a name server for the others.
 */
void answer_numeric(const char *name, int family, struct answer *out);

#endif
