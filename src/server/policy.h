/*
 * Who may do what to where: the guard (guard.h), then the file of --rules (ruleset.h). A policy
 * never changes once it is made, and may be asked by several threads at once; SIGHUP makes another.
 */
#ifndef SERVER_POLICY_H
#define SERVER_POLICY_H

#include "address.h"

#include <stddef.h>

struct opener;
struct options;
struct policy;
struct ruleset;

/* Bits, so that a rule may name several. */
enum policy_cmd { POLICY_CONNECT = 1, POLICY_BIND = 2, POLICY_UDP = 4, POLICY_RESOLVE = 8 };
#define POLICY_ALL (POLICY_CONNECT | POLICY_BIND | POLICY_UDP | POLICY_RESOLVE)

enum policy_verdict {
	POLICY_ALLOWED,
	POLICY_DENIED,
	POLICY_DEPENDS, /* on the address, which is not known yet: find it, then ask again */
};

struct policy_who {
	const union address *from;
	const char *user; /* who has logged in, any octets; NULL: nobody has */
	size_t user_len;
};

/*
 * Read the file of --rules, open what the guard asks. The policy counts as got once.
 * @o and @opener are borrowed, by those that are renewed, too.
 * Returns 0, or a status to exit with, the complaint written to stderr.
 */
int policy_new(struct policy **out, const struct options *o, struct opener *opener);

/*
 * Read the file of --rules again, for SIGHUP. NULL where there is none, and where it can't be used,
 * which is logged: @old goes on. Else another policy, which counts as got once.
 */
struct policy *policy_renew(const struct policy *old);

/*
 * Read the file of --rules, and complain to stderr. Returns 0, or a status to exit with. @out: the
 * caller's, for ruleset_free(); left alone without --rules.
 */
int policy_check_rules(struct ruleset **out, const struct options *o, struct opener *opener);

/* Counted, by any thread; with the last policy_put() it is gone. NULL is fine for that. */
struct policy *policy_get(struct policy *p);
void policy_put(struct policy *p);

/*
 * Judge one connection, one peer of a BIND, one datagram, one look-up.
 *
 * @asked  what the client named, name or address, with its port (0: none was said); NULL where it
 *         named nothing: an ASSOCIATE, a peer that came unasked
 * @to     the address that this stands for, with its port; NULL while it is unknown. For an @asked
 *         that is an address it may be NULL, too, but for POLICY_BIND, where the peer's port is
 *         known only when it comes
 * @why    POLICY_DENIED: the cause in words for the log; it lives as long as @p
 *
 * POLICY_DEPENDS comes only while the address is unknown, and then POLICY_ALLOWED only for
 * POLICY_RESOLVE: the guard wants to see where anything else goes.
 */
enum policy_verdict policy_judge(const struct policy *p, const struct policy_who *who,
                                 enum policy_cmd cmd, const struct endpoint *asked,
                                 const union address *to, const char **why);

#endif
