/*
 * Any octets as an answer of identd: what is read is a piece of it. And as a user's name: behind
 * the rest of an answer it is read as it is, but for white space around it.
 */
#include <fuzz.h>
#include <identline.h>
#include <string.h>

static const struct identline_ports ports = { .there = 6193, .here = 23 };

static void read_any(const char *line, size_t len)
{
	const char *text = NULL;
	size_t n = 0;

	if (identline_read(line, len, &ports, &text, &n) == IDENTLINE_BAD)
		return;
	REQUIRE(n > 0 && text >= line && text + n <= line + len);
	REQUIRE(!memchr(text, '\0', n));
	REQUIRE(!strchr(" \t\r", text[0]) && !strchr(" \t\r", text[n - 1]));
}

static void read_user(const char *user, size_t len)
{
	static const char head[] = "6193,23:USERID:OTHER:";
	char line[sizeof(head) + IDENTLINE_MAX];
	const char *text = NULL;
	size_t n = 0;

	if (len > IDENTLINE_MAX)
		len = IDENTLINE_MAX;
	memcpy(line, head, sizeof(head) - 1);
	memcpy(line + sizeof(head) - 1, user, len);
	while (len > 0 && strchr(" \t\r", user[0]) && user[0]) {
		user++;
		len--;
	}
	if (identline_read(line, sizeof(head) - 1 + len, &ports, &text, &n) == IDENTLINE_USER)
		REQUIRE(n <= len);
	if (len > 0 && !memchr(user, '\0', len) && !strchr(" \t\r", user[len - 1])) {
		memcpy(line + sizeof(head) - 1, user, len);
		REQUIRE(identline_read(line, sizeof(head) - 1 + len, &ports, &text, &n) ==
		        IDENTLINE_USER);
		REQUIRE(n == len && memcmp(text, user, len) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_any((const char *)data, size);
	read_user((const char *)data, size);
	return 0;
}
