/*
 * Carries a request out: request.c routes it by command, and there is a request_<command>.c for
 * each. Whatever is here may end the session.
 */
#ifndef SERVER_REQUEST_H
#define SERVER_REQUEST_H

#include "policy.h"
#include "session.h"

/* The request is whole, what came behind it is held for the peer. */
void request_start(struct session *s);

/* The deadline of SESSION_REQUEST came. */
void request_give_up(struct session *s);

/*
 * The reply that says no, then the end.
 *
 * @stage   a word for the log: "request", "resolve", "connect", ...
 * @code    of the request's own protocol
 * @err     a negative errno, turned into that code; @reason NULL: its text
 */
void request_fail(struct session *s, const char *stage, uint8_t code, const char *reason);
void request_fail_with(struct session *s, const char *stage, int err, const char *reason);

/*
 * May the session do that with what its request names. @p, @cmd, @to, @why: as for policy_judge();
 * where the words of @why are kept, so must be the policy.
 */
enum policy_verdict request_judge(const struct session *s, const struct policy *p,
                                  enum policy_cmd cmd, const union address *to, const char **why);

/* SOCKS4: first whose it is, then the rest. */
void request_ident(struct session *s);
void request_ident_give_up(struct session *s);
void request_carry_out(struct session *s);

/* By command. */
void request_connect(struct session *s);
void request_connect_give_up(struct session *s);
void request_bind(struct session *s);
void request_resolve(struct session *s);
void request_resolve_give_up(struct session *s);
void request_resolve_ptr(struct session *s);
void request_udp(struct session *s);

#endif
