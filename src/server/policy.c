#include "policy.h"

#include "guard.h"
#include "options.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct policy {
	atomic_uint count;
	const struct options *options;
	struct guard *guard; /* the same for all that were renewed */
};

static struct policy *make(const struct options *o, struct guard *guard)
{
	struct policy *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	atomic_init(&p->count, 1);
	p->options = o;
	p->guard = guard_get(guard);
	return p;
}

int policy_new(struct policy **out, const struct options *o)
{
	struct guard *guard = guard_new(&o->allow_to);

	*out = guard ? make(o, guard) : NULL;
	guard_put(guard);
	if (*out)
		return 0;
	fprintf(stderr, "socksifyd: out of memory\n");
	return 1;
}

struct policy *policy_renew(const struct policy *old)
{
	return make(old->options, old->guard);
}

struct policy *policy_get(struct policy *p)
{
	atomic_fetch_add_explicit(&p->count, 1, memory_order_relaxed);
	return p;
}

void policy_put(struct policy *p)
{
	if (!p || atomic_fetch_sub_explicit(&p->count, 1, memory_order_acq_rel) > 1)
		return;
	guard_put(p->guard);
	free(p);
}

/* Where it goes, as far as that is known; ENDPOINT_NONE where it isn't. */
static void find_target(struct endpoint *out, enum policy_cmd cmd, const struct endpoint *asked,
                        const union address *to)
{
	*out = (struct endpoint){ 0 };
	if (to)
		address_to_endpoint(to, out);
	else if (asked && asked->kind != ENDPOINT_NAME && cmd != POLICY_BIND)
		*out = *asked;
	endpoint_unmap(out);
}

enum policy_verdict policy_judge(const struct policy *p, const struct policy_who *who,
                                 enum policy_cmd cmd, const struct endpoint *asked,
                                 const union address *to, const char **why)
{
	struct endpoint from, target;

	find_target(&target, cmd, asked, to);
	*why = NULL;
	if (cmd == POLICY_RESOLVE)
		return POLICY_ALLOWED;
	if (target.kind == ENDPOINT_NONE)
		return POLICY_DEPENDS;
	address_to_endpoint(who->from, &from);
	*why = guard_closes(p->guard, &from, &target);
	return *why ? POLICY_DENIED : POLICY_ALLOWED;
}
