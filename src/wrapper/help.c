#include "help.h"

#include <config/keys.h>
#include <string.h>

#define COLUMNS         79
#define OPTION_INDENT   22
#define VARIABLE_INDENT 6

static const char head[] =
	"Usage: socksify [OPTION...] [--] PROGRAM [ARGS...]\n"
	"       socksify [OPTION...] --check [HOST:PORT]\n"
	"       socksify [OPTION...] --dns-check NAME...\n"
	"       eval \"$(socksify [OPTION...] --print-env)\"\n"
	"Run PROGRAM so that it reaches the network only through a SOCKS proxy.\n"
	"\n";

static const char tail[] =
	"\n"
	"Without -x and without these variables the proxy is socks5h://127.0.0.1:1080, where\n"
	"socksifyd listens by default. socks5h and socks4a let the proxy resolve names, socks5\n"
	"and socks4 resolve them here. A password in -x is seen by other users for a moment, one\n"
	"in a variable never.\n"
	"Exit status: PROGRAM's own; 125 socksify failed, 126 PROGRAM can't be run,\n"
	"127 PROGRAM was not found.\n";

/* A text in lines, each behind @indent blanks; @column is where the first one stands already. */
static void put_wrapped(FILE *out, const char *text, size_t column, size_t indent)
{
	fprintf(out, "%*s", (int)(column < indent ? indent - column : 0), "");
	column = column < indent ? indent : column;
	while (*text) {
		size_t len = strcspn(text, " "), gap = column > indent;

		if (gap && column + gap + len > COLUMNS) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
			gap = 0;
		}
		fprintf(out, "%s%.*s", gap ? " " : "", (int)len, text);
		column += gap + len;
		text += len;
		text += strspn(text, " ");
	}
	putc('\n', out);
}

static void put_option(FILE *out, char letter, const char *option, const char *argument,
                       const char *meaning)
{
	int column = letter ? fprintf(out, "  -%c, --%s", letter, option)
	                    : fprintf(out, "      --%s", option);

	if (strncmp(argument, "[=", 2) == 0)
		column += fprintf(out, "%s", argument);
	else if (argument[0] != '\0')
		column += fprintf(out, " %s", argument);
	if (column + 2 > OPTION_INDENT) {
		putc('\n', out);
		column = 0;
	}
	put_wrapped(out, meaning, (size_t)column, OPTION_INDENT);
}

void help_print(FILE *out)
{
	fputs(head, out);
	for (size_t i = 0; i < KEY_COUNT; i++)
		if (key_rows[i].option[0] != '\0')
			put_option(out, key_rows[i].letter, key_rows[i].option, key_rows[i].syntax,
			           key_rows[i].meaning);
#define OPTION(id, letter, option, argument, meaning) \
	put_option(out, letter, option, argument, meaning);
#include "options.def"
#undef OPTION
	fputs("\nEnvironment:\n", out);
	for (size_t i = 0; i < KEY_COUNT; i++) {
		char text[512];

		fprintf(out, "  %s=%s\n", key_rows[i].variable, key_rows[i].syntax);
		snprintf(text, sizeof(text), "%s (%s)", key_rows[i].meaning, key_rows[i].fallback);
		put_wrapped(out, text, 0, VARIABLE_INDENT);
	}
	fputs(tail, out);
}
