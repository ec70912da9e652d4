/* Who may be a client, what is open to them: a list of prefixes. */
#ifndef SERVER_ACL_H
#define SERVER_ACL_H

#include <config/prefix.h>

struct acl {
	struct prefix *prefixes;
	size_t n;
};

void acl_fini(struct acl *acl);

/*
 * Add "192.0.2.0/24", "2001:db8::/32", or an address alone. Octets past the prefix may be set.
 * Returns 0, -EINVAL or -ENOMEM.
 */
int acl_add(struct acl *acl, const char *cidr);

/* Is the address in one of the prefixes. An empty list holds nobody. */
bool acl_holds(const struct acl *acl, const struct endpoint *ep);

#endif
