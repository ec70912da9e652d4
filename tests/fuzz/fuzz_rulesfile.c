/*
 * Any text as a file of rules: mistakes are told where there is text, and what the rules say before
 * an address is known holds for every address.
 */
#include <errno.h>
#include <fuzz.h>
#include <rulesfile.h>
#include <string.h>

struct heard {
	const uint8_t *start;
	size_t size;
	unsigned n, line;
};

static void hear(void *arg, const struct rulesfile_error *e)
{
	char text[RULESFILE_TEXT_MAX];
	struct heard *h = arg;

	REQUIRE(e->line >= h->line && e->column >= 1 && e->what && e->expected);
	REQUIRE(e->word >= (const char *)h->start &&
	        e->word + e->word_len <= (const char *)h->start + h->size);
	rulesfile_explain(e, text, sizeof(text));
	REQUIRE(strlen(text) < sizeof(text) - 1);
	h->line = e->line;
	h->n++;
}

static void set_ip(struct endpoint *ep, const char *text)
{
	REQUIRE(endpoint_parse_ip(ep, text) == 0);
	ep->port = 80;
}

static enum policy_verdict ask(const struct ruleset *rs, const struct ruleset_question *q)
{
	const char *why = NULL;
	enum policy_verdict v = ruleset_judge(rs, q, &why);

	REQUIRE((v == POLICY_DENIED) == (why != NULL));
	REQUIRE(!why || strlen(why) < 64);
	REQUIRE(v != POLICY_DEPENDS || !q->to || q->port < 0);
	return v;
}

static void judge(const struct ruleset *rs, enum policy_cmd cmd, const char *name, const char *user)
{
	static const char *const targets[] = { "192.0.2.1", "10.0.0.1", "2001:db8::1",
		                               "127.0.0.1" };
	struct endpoint from = { 0 }, asked = { 0 }, to = { 0 };
	struct ruleset_question q = { .from = &from,
		                      .user = user,
		                      .user_len = user ? strlen(user) : 0,
		                      .cmd = cmd,
		                      .asked = &asked,
		                      .port = 80 };
	enum policy_verdict before, after;

	set_ip(&from, "192.168.1.1");
	REQUIRE(endpoint_set_name(&asked, name, strlen(name), 80) == 0);
	before = ask(rs, &q);
	q.to = &to;
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		set_ip(&to, targets[i]);
		after = ask(rs, &q);
		REQUIRE(before == POLICY_DEPENDS || after == before);
		/* And what is denied when nothing is known is denied for good. */
		q.to = NULL;
		q.asked = NULL;
		q.port = -1;
		before = ask(rs, &q);
		REQUIRE(before == POLICY_DEPENDS || after == before);
		q.to = &to;
		q.asked = &asked;
		q.port = 80;
		before = POLICY_DEPENDS;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct heard h = { .start = data, .size = size };
	struct rulesfile_listener l = { .tell = hear, .arg = &h };
	struct ruleset *rs;
	int err = rulesfile_parse(&rs, (const char *)data, size, &l);

	REQUIRE(err == 0 || err == -EBADMSG);
	REQUIRE((err == 0) == (h.n == 0) && (err == 0) == (rs != NULL));
	REQUIRE(h.n <= RULESFILE_TOLD_MAX && (l.more == 0 || h.n == RULESFILE_TOLD_MAX));
	for (unsigned cmd = 1; rs && cmd <= POLICY_RESOLVE; cmd <<= 1) {
		judge(rs, (enum policy_cmd)cmd, "www.corp.example", "alice");
		judge(rs, (enum policy_cmd)cmd, "A.EXAMPLE.", NULL);
	}
	ruleset_free(rs);
	return 0;
}
