/*
 * Any text as the proxy's URL: what is read keeps its limits, what is refused is refused at an
 * octet of it.
 */
#include <config/url.h>
#include <errno.h>
#include <fuzz.h>
#include <string.h>

static void check_proxy(const struct proxy *px)
{
	char label[PROXY_LABEL_MAX];
	struct complaint why;
	struct proxy back;

	REQUIRE(px->addr.kind != ENDPOINT_NONE && px->addr.port > 0);
	REQUIRE(px->addr.kind != ENDPOINT_NAME ||
	        endpoint_name_is_valid(px->addr.name, px->addr.name_len));
	REQUIRE(px->has_password || px->password_len == 0);
	REQUIRE(px->user_len > 0 || !px->has_password);
	REQUIRE(px->protocol == SOCKS_V5 ||
	        (!px->has_password && strlen(px->user) == px->user_len));
	/* The label is a URL of the same place, where its name is printable. */
	strcpy(label, px->label);
	if (strchr(label, '\\') || px->addr.scope != 0)
		return;
	REQUIRE(url_parse(label, &back, &why) == 0);
	REQUIRE(back.protocol == px->protocol && back.names_go_along == px->names_go_along);
	REQUIRE(endpoint_equal(&back.addr, &px->addr));
}

static void check_printable(const char *text)
{
	for (; *text; text++)
		REQUIRE(*text >= ' ' && *text <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), shown[512];
	struct complaint why = { 0 };
	struct proxy px;
	int err;

	if (!text)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	err = url_parse(text, &px, &why);
	if (err == 0) {
		check_proxy(&px);
		REQUIRE(!url_is_foreign(text));
	} else {
		REQUIRE(err == -EINVAL && why.problem && why.expects);
		REQUIRE(why.at <= strlen(text) && why.at <= URL_MAX);
		check_printable(url_redact_from(text, why.at, shown, sizeof(shown)));
	}
	check_printable(url_redact(text, shown, sizeof(shown)));
	free(text);
	return 0;
}
