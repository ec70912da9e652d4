#include "respond.h"

#include "answer.h"
#include "reverse.h"
#include "session.h"

#include <names/verdict.h>

#define NOTED_MAX 32 /* addresses of one answer that are noted */

static void begin(struct dns_answer *a, const uint8_t *msg, const struct response *r, bool udp,
                  uint8_t *out, size_t cap)
{
	if (udp && cap > r->question.udp_size)
		cap = r->question.udp_size;
	dns_answer_begin(a, &r->question, msg, out, cap);
}

/* SOCKSIFY_DNS=tunnel: what would be made up here is the name server's to say. */
static enum respond answer_or_tunnel(enum dns_rcode *rcode, enum dns_rcode is)
{
	*rcode = is;
	return session_config()->dns == DNS_POLICY_TUNNEL ? RESPOND_TUNNEL : RESPOND_ANSWER;
}

static enum respond say(enum dns_rcode *rcode, enum dns_rcode is)
{
	*rcode = is;
	return RESPOND_ANSWER;
}

/* The same as getaddrinfo() gets. */
static enum respond judge_addresses(const struct dns_question *q, struct dns_answer *a,
                                    enum dns_rcode *rcode)
{
	struct answer found;

	if (q->type != DNS_A && q->type != DNS_AAAA)
		return say(rcode, DNS_NOERROR);
	answer_find(q->name.text, q->type == DNS_A ? AF_INET : AF_INET6, &found);
	switch (found.kind) {
	case ANSWER_LIBC:
		if (!found.numeric)
			return RESPOND_DIRECT;
		break;
	case ANSWER_ADDRESSES:
		for (size_t i = 0; i < found.n; i++)
			dns_answer_address(a, &found.addresses[i], RESPOND_TTL_S);
		return say(rcode, DNS_NOERROR);
	case ANSWER_NO_DATA:
		return say(rcode, DNS_NOERROR);
	case ANSWER_FULL:
		return say(rcode, DNS_SERVFAIL);
	case ANSWER_NO_NAME:
		break;
	}
	return say(rcode, DNS_NXDOMAIN);
}

static enum dns_rcode put_name(struct dns_answer *a, const char *text)
{
	struct dns_name name;

	if (!dns_name_set(&name, text, strlen(text)))
		return DNS_NXDOMAIN;
	dns_answer_ptr(a, &name, RESPOND_TTL_S);
	return DNS_NOERROR;
}

/* Of the name that stands for r->address. */
static enum respond judge_reverse(struct response *r, struct dns_answer *a, enum dns_rcode *rcode)
{
	bool is_ptr = r->question.type == DNS_PTR || r->question.type == DNS_ANY;
	char name[REVERSE_NAME_MAX];

	switch (reverse_find(&r->address, name)) {
	case REVERSE_NAME:
		return say(rcode, is_ptr ? put_name(a, name) : DNS_NOERROR);
	case REVERSE_LIBC:
		return RESPOND_DIRECT;
	case REVERSE_PROXY:
		if (answer_or_tunnel(rcode, DNS_NOERROR) == RESPOND_TUNNEL)
			return RESPOND_TUNNEL;
		return is_ptr ? RESPOND_PTR : RESPOND_ANSWER;
	case REVERSE_NONE:
		break;
	}
	return say(rcode, DNS_NXDOMAIN);
}

static enum respond judge_name(const struct config *cfg, struct response *r, struct dns_answer *a,
                               enum dns_rcode *rcode)
{
	const struct dns_question *q = &r->question;
	struct verdict verdict;

	verdict_find(cfg, q->name.text, q->name.len, &verdict);
	switch (verdict.kind) {
	case VERDICT_ADDRESS:
	case VERDICT_NOBODY:
		break;
	case VERDICT_SCHEME:
	case VERDICT_RULE:
		return RESPOND_DIRECT;
	case VERDICT_LOCAL:
		return judge_addresses(q, a, rcode);
	case VERDICT_PLACEHOLDER:
		if (dns_reverse_get(&q->name, &r->address))
			return judge_reverse(r, a, rcode);
		if (answer_or_tunnel(rcode, DNS_NOERROR) == RESPOND_TUNNEL)
			return RESPOND_TUNNEL;
		return judge_addresses(q, a, rcode);
	}
	return answer_or_tunnel(rcode, DNS_NXDOMAIN);
}

static enum respond judge(struct response *r, struct dns_answer *a, enum dns_rcode *rcode)
{
	const struct config *cfg = session_config();
	const struct dns_question *q = &r->question;

	if (cfg->broken)
		return say(rcode, DNS_SERVFAIL);
	if (q->type == DNS_AXFR || q->type == DNS_IXFR)
		return say(rcode, DNS_REFUSED);
	if (!cfg->proxy.names_go_along)
		return cfg->dns == DNS_POLICY_TUNNEL ? RESPOND_TUNNEL : RESPOND_DIRECT;
	if (q->class != DNS_IN && q->class != DNS_CLASS_ANY)
		return answer_or_tunnel(rcode, DNS_REFUSED);
	if (!q->name.plain)
		return answer_or_tunnel(rcode, DNS_NXDOMAIN);
	if (q->name.len == 0) /* the root, which has no addresses */
		return answer_or_tunnel(rcode, DNS_NOERROR);
	return judge_name(cfg, r, a, rcode);
}

enum respond respond(const uint8_t *msg, size_t len, bool udp, uint8_t *out, size_t cap,
                     struct response *r)
{
	int code = dns_get_question(msg, len, &r->question);
	enum dns_rcode rcode = DNS_NOERROR;
	enum respond how = RESPOND_ANSWER;
	struct dns_answer a;

	if (code < 0)
		return RESPOND_NOTHING;
	begin(&a, msg, r, udp, out, cap);
	if (code == DNS_NOERROR)
		how = judge(r, &a, &rcode);
	else
		rcode = (enum dns_rcode)code;
	r->len = how == RESPOND_ANSWER ? dns_answer_end(&a, rcode) : 0;
	return how;
}

size_t respond_ptr(const uint8_t *msg, const struct response *r, bool udp, const char *name,
                   uint8_t *out, size_t cap)
{
	struct dns_answer a;

	begin(&a, msg, r, udp, out, cap);
	return dns_answer_end(&a, name ? put_name(&a, name) : DNS_NXDOMAIN);
}

size_t respond_failure(const uint8_t *msg, const struct response *r, enum dns_rcode rcode,
                       uint8_t *out, size_t cap)
{
	struct dns_answer a;

	begin(&a, msg, r, true, out, cap);
	return dns_answer_end(&a, rcode);
}

void respond_note(const struct dns_question *q, const uint8_t *answer, size_t len)
{
	struct endpoint found[NOTED_MAX];
	size_t n;

	if (!q->name.plain || q->name.len == 0)
		return;
	n = dns_get_addresses(answer, len, found, NOTED_MAX);
	for (size_t i = 0; i < n; i++)
		answer_note(q->name.text, found[i].kind == ENDPOINT_IPV6 ? AF_INET6 : AF_INET,
		            found[i].ip);
}
