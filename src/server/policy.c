#include "policy.h"

#include "carried.h"
#include "guard.h"
#include "options.h"
#include "rulesfile.h"
#include "wholefile.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RULES_OCTETS_MAX (64u << 20)

struct policy {
	atomic_uint count;
	const struct options *options;
	struct opener *opener;
	struct guard *guard;   /* the same for all that were renewed */
	struct ruleset *rules; /* NULL: all is allowed */
};

static struct policy *make(const struct options *o, struct opener *opener, struct guard *guard,
                           struct ruleset *rules)
{
	struct policy *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	atomic_init(&p->count, 1);
	p->options = o;
	p->opener = opener;
	p->guard = guard_get(guard);
	p->rules = rules;
	return p;
}

static int load(struct ruleset **out, struct opener *opener, const char *path,
                struct rulesfile_listener *l)
{
	char *text = NULL;
	size_t len = 0;
	int err = wholefile_read(opener, path, RULES_OCTETS_MAX, &text, &len);

	if (err == 0)
		err = rulesfile_parse(out, text, len, l);
	free(text);
	return err;
}

static const char *cause(int err)
{
	return err == -EINVAL ? "not a regular file" : strerror(-err);
}

static void tell_error(void *arg, const struct rulesfile_error *e)
{
	const struct options *o = arg;

	fprintf(stderr, "socksifyd: --rules \"%s\": line %u, %s\n", o->rules, e->line,
	        rulesfile_explain(e, (char[RULESFILE_TEXT_MAX]){ 0 }, RULESFILE_TEXT_MAX));
}

int policy_check_rules(struct ruleset **out, const struct options *o, struct opener *opener)
{
	struct rulesfile_listener l = { .tell = tell_error, .arg = (void *)(uintptr_t)o };
	int err = o->rules ? load(out, opener, o->rules, &l) : 0;

	if (err == 0)
		return 0;
	if (l.more > 0)
		fprintf(stderr, "socksifyd: --rules \"%s\": %u more mistakes\n", o->rules, l.more);
	if (err == -EBADMSG)
		return OPTIONS_BAD;
	fprintf(stderr, "socksifyd: --rules \"%s\": %s\n", o->rules, cause(err));
	return 1;
}

int policy_new(struct policy **out, const struct options *o, struct opener *opener)
{
	struct ruleset *rules = NULL;
	struct guard *guard;
	int status;

	*out = NULL;
	status = policy_check_rules(&rules, o, opener);
	if (status != 0)
		return status;
	guard = guard_new(&o->allow_to, o->public_address);
	if (guard)
		*out = make(o, opener, guard, rules);
	guard_put(guard);
	if (*out)
		return 0;
	ruleset_free(rules);
	fprintf(stderr, "socksifyd: out of memory\n");
	return 1;
}

static void warn(const struct options *o, unsigned line, const char *reason)
{
	struct event e;

	event_begin(&e, "warning");
	event_text(&e, "what", "the rules can't be used, the old rules stay");
	event_text(&e, "file", o->rules);
	if (line > 0)
		event_number(&e, "line", line);
	event_text(&e, "reason", reason);
	event_end(&e);
}

static void log_error(void *arg, const struct rulesfile_error *e)
{
	warn(arg, e->line,
	     rulesfile_explain(e, (char[RULESFILE_TEXT_MAX]){ 0 }, RULESFILE_TEXT_MAX));
}

struct policy *policy_renew(const struct policy *old)
{
	const struct options *o = old->options;
	struct rulesfile_listener l = { .tell = log_error, .arg = (void *)(uintptr_t)o };
	struct ruleset *rules = NULL;
	struct policy *fresh;
	int err;

	/* The guard's settings are the command line's. */
	if (!o->rules)
		return NULL;
	err = load(&rules, old->opener, o->rules, &l);
	fresh = err == 0 ? make(o, old->opener, old->guard, rules) : NULL;
	if (err == 0 && !fresh)
		err = -ENOMEM;
	if (l.more > 0)
		warn(o, 0, "there are more mistakes in it");
	if (err < 0 && err != -EBADMSG)
		warn(o, 0, cause(err));
	if (!fresh)
		ruleset_free(rules);
	return fresh;
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
	ruleset_free(p->rules);
	free(p);
}

/*
 * Where it goes, as far as that is known; ENDPOINT_NONE where it isn't. A BIND that names no
 * address takes any peer.
 */
static void find_target(struct endpoint *out, enum policy_cmd cmd, const struct endpoint *asked,
                        const union address *to)
{
	*out = (struct endpoint){ 0 };
	if (to)
		address_to_endpoint(to, out);
	else if (asked && asked->kind != ENDPOINT_NAME &&
	         !(cmd == POLICY_BIND && endpoint_is_unspecified(asked)))
		*out = *asked;
	endpoint_unmap(out);
}

/* -1 while it is unknown: that of a BIND's peer is known when it comes. */
static int find_port(enum policy_cmd cmd, const struct endpoint *asked, const union address *to,
                     const struct endpoint *target)
{
	if (to)
		return target->port;
	return asked && cmd != POLICY_BIND ? asked->port : -1;
}

enum policy_verdict policy_judge(const struct policy *p, const struct policy_who *who,
                                 enum policy_cmd cmd, const struct endpoint *asked,
                                 const union address *to, const char **why)
{
	struct endpoint from, target, carried[CARRIED_MAX];
	struct ruleset_question q = { .from = &from,
		                      .user = who->user,
		                      .user_len = who->user_len,
		                      .cmd = cmd,
		                      .asked = asked };
	enum policy_verdict v = POLICY_ALLOWED;

	*why = NULL;
	address_to_endpoint(who->from, &from);
	find_target(&target, cmd, asked, to);
	if (target.kind != ENDPOINT_NONE)
		q.to = &target;
	q.port = find_port(cmd, asked, to, &target);
	/* What a name means harms nobody here. */
	if ((q.to || to) && cmd != POLICY_RESOLVE)
		*why = guard_closes(p->guard, &from, &target);
	if (*why)
		return POLICY_DENIED;
	q.carried = carried;
	q.n_carried = p->rules && q.to ? carried_in(&target, carried) : 0;
	if (p->rules)
		v = ruleset_judge(p->rules, &q, why);
	return v == POLICY_ALLOWED && !q.to && cmd != POLICY_RESOLVE ? POLICY_DEPENDS : v;
}
