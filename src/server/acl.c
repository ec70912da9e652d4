#include "acl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void acl_fini(struct acl *acl)
{
	free(acl->prefixes);
	*acl = (struct acl){ 0 };
}

int acl_add(struct acl *acl, const char *cidr)
{
	struct prefix *grown, p;

	if (prefix_parse(&p, cidr, strlen(cidr)) < 0)
		return -EINVAL;
	grown = realloc(acl->prefixes, (acl->n + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	acl->prefixes = grown;
	grown[acl->n++] = p;
	return 0;
}

bool acl_holds(const struct acl *acl, const struct endpoint *ep)
{
	for (size_t i = 0; i < acl->n; i++)
		if (prefix_contains(&acl->prefixes[i], ep))
			return true;
	return false;
}
