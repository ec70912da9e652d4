/*
 * Any text as a NO_PROXY list: what is read keeps its limits, says the same again when it is
 * written out, and what is refused is refused at an octet of it.
 */
#include <config/rules.h>
#include <errno.h>
#include <fuzz.h>
#include <string.h>

static struct rules rules, back;

static void check_rule(const struct rule *rule)
{
	char text[RULES_ITEM_MAX], again[RULES_ITEM_MAX];
	struct complaint why;
	struct endpoint ep = { 0 };

	rules_format(&rules, rule, text, sizeof(text));
	REQUIRE(rules_parse(text, &back, &why) == 0 && back.n == 1);
	REQUIRE(back.all[0].kind == rule->kind && back.all[0].port == rule->port);
	REQUIRE(strcmp(rules_format(&back, &back.all[0], again, sizeof(again)), text) == 0);
	if (rule->kind != RULE_NAME)
		return;
	REQUIRE(endpoint_set_name(&ep, rules.text + rule->name_at, rule->name_len,
	                          rule->port ? rule->port : 1) == 0);
	REQUIRE(rules_find(&rules, &ep));
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
	for (size_t i = 0; i < rules.n; i++)
		check_rule(&rules.all[i]);
	free(text);
	return 0;
}
