#include "help.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define MEANING_COLUMN 30
#define LAST_COLUMN    80

const struct option_row help_rows[OPTION_COUNT] = {
#define OPTION(id, long_name, short_name, argument, fallback, meaning) \
	[OPTION_##id] = { long_name, short_name, argument, fallback, meaning },
#include "options.def"
#undef OPTION
};

static int argument_kind(const struct option_row *row)
{
	return !*row->argument         ? no_argument
	       : *row->argument == '[' ? optional_argument
	                               : required_argument;
}

void help_fill(struct help_getopt *g)
{
	char *letter = g->letters;

	memset(g, 0, sizeof(*g));
	for (int i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *row = &help_rows[i];

		g->options[i] = (struct option){ .name = row->name,
			                         .has_arg = argument_kind(row),
			                         .val = HELP_FIRST + i };
		if (!row->letter)
			continue;
		*letter++ = row->letter;
		if (*row->argument)
			*letter++ = ':';
	}
}

enum option_id help_find(int c)
{
	if (c >= HELP_FIRST && c < HELP_FIRST + OPTION_COUNT)
		return (enum option_id)(c - HELP_FIRST);
	for (int i = 0; i < OPTION_COUNT; i++)
		if (help_rows[i].letter && c == help_rows[i].letter)
			return (enum option_id)i;
	return OPTION_COUNT;
}

/* Words from the column of the meanings on, in lines that end in time. Returns the column. */
static int print_words(int column, const char *text)
{
	while (*text) {
		int len = (int)strcspn(text, " ");

		if (column > MEANING_COLUMN && column + 1 + len > LAST_COLUMN) {
			printf("\n%*s", MEANING_COLUMN, "");
			column = MEANING_COLUMN;
		} else if (column > MEANING_COLUMN) {
			putchar(' ');
			column++;
		}
		column += printf("%.*s", len, text);
		text += len;
		text += strspn(text, " ");
	}
	return column;
}

static void print_row(const struct option_row *row)
{
	char head[64], fallback[64];
	int len;

	len = row->letter ? snprintf(head, sizeof(head), "  -%c, --%s", row->letter, row->name)
	                  : snprintf(head, sizeof(head), "      --%s", row->name);
	if (*row->argument)
		len += snprintf(head + len, sizeof(head) - (size_t)len, " %s", row->argument);
	/* Two spaces at least, so that programs that read this can tell them apart. */
	if (len > MEANING_COLUMN - 2)
		printf("%s\n%*s", head, MEANING_COLUMN, "");
	else
		printf("%-*s", MEANING_COLUMN, head);
	len = print_words(MEANING_COLUMN, row->meaning);
	if (*row->fallback) {
		snprintf(fallback, sizeof(fallback), "(%s)", row->fallback);
		print_words(len, fallback);
	}
	putchar('\n');
}

void help_print(void)
{
	printf("Usage: socksifyd [--listen ADDR:PORT]... [--allow CIDR]... [options]\n"
	       "       socksifyd --test-config [options]\n"
	       "       socksifyd --hash [NAME]\n"
	       "A SOCKS4, SOCKS4a and SOCKS5 server.\n"
	       "\n");
	for (int i = 0; i < OPTION_COUNT; i++)
		print_row(&help_rows[i]);
}
