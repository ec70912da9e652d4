/*
 * Any text as a NO_PROXY list: what is read keeps its limits, says the same again when it is
 * written out, and what is refused is refused at an octet of it.
 */
#include <config/rules.h>
#include <errno.h>
#include <fuzz.h>
#include <string.h>

static struct rules rules, back;

/* Octets of all rules in text, with a comma behind each. */
static size_t list_len;

static void set_name(struct endpoint *ep, const char *before, const struct rule *rule)
{
	char name[ENDPOINT_NAME_MAX + 2];
	int n = snprintf(name, sizeof(name), "%s%s", before,
	                 rule->kind == RULE_ALL ? "any" : rules.text + rule->name_at);

	/* 253 octets of a name, the dot of a suffix, and "x". */
	REQUIRE(n > 0 && n <= ENDPOINT_NAME_MAX);
	REQUIRE(endpoint_set_name(ep, name, (size_t)n, 0) == 0);
}

static void check_rule(const struct rule *rule)
{
	char text[RULES_ITEM_MAX], again[RULES_ITEM_MAX];
	struct complaint why;
	struct endpoint ep = { 0 };

	rules_format(&rules, rule, text, sizeof(text));
	REQUIRE(rules_parse(text, &back, &why) == 0 && back.n == 1);
	REQUIRE(back.all[0].kind == rule->kind && back.all[0].port == rule->port);
	REQUIRE(strcmp(rules_format(&back, &back.all[0], again, sizeof(again)), text) == 0);
	list_len += strlen(text) + 1;
	ep.kind = rule->prefix.kind;
	memcpy(ep.ip, rule->prefix.ip, sizeof(ep.ip));
	if (rule->kind == RULE_NAME || rule->kind == RULE_ALL)
		set_name(&ep, "", rule);
	else if (rule->kind == RULE_SUFFIX)
		set_name(&ep, "x", rule);
	ep.port = rule->port ? rule->port : 1;
	REQUIRE(rules_find(&rules, &ep));
	if (ep.kind == ENDPOINT_NAME && rule->port == 0)
		REQUIRE(rules_find_name(&rules, ep.name, ep.name_len));
	REQUIRE(rules_match_port(&rules, rule, ep.name, ep.name_len) ==
	        (ep.kind == ENDPOINT_NAME && rule->kind != RULE_ALL && rule->port != 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct complaint why = { 0 };
	int err;

	if (!text)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	err = rules_parse(text, &rules, &why);
	REQUIRE(rules.n <= RULES_MAX && rules.text_len <= RULES_TEXT_MAX);
	if (err < 0)
		REQUIRE(err == -EINVAL && why.problem && why.expects && why.at < strlen(text));
	list_len = 0;
	for (size_t i = 0; i < rules.n; i++)
		check_rule(&rules.all[i]);
	REQUIRE(list_len < RULES_LIST_MAX);
	free(text);
	return 0;
}
