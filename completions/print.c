/*
 * Prints the completions of a shell for one of the programs, from the tables of its options. Runs
 * while the tree is built, on the machine that builds, so it needs nothing but libc.
 *
 * Usage: print bash|zsh|fish socksify|socksifyd
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct row {
	char letter;
	const char *option, *argument, *meaning;
};

static const struct row socksify_rows[] = {
#define KEY(id, variable, letter, option, syntax, fallback, meaning, reader) \
	{ letter, option, syntax, meaning },
#include <config/keys.def>
#undef KEY
#define OPTION(id, letter, option, argument, meaning) { letter, option, argument, meaning },
#include "../src/wrapper/options.def"
#undef OPTION
};

static const struct row socksifyd_rows[] = {
#define OPTION(id, option, letter, argument, fallback, meaning) \
	{ letter, option, argument, meaning },
#include "../src/server/options.def"
#undef OPTION
};

/* What is told of a program. */
struct program {
	const char *name;
	const struct row *rows;
	size_t n;
	bool runs_another;
};

static const struct program programs[] = {
	{ "socksify", socksify_rows, sizeof(socksify_rows) / sizeof(socksify_rows[0]), true },
	{ "socksifyd", socksifyd_rows, sizeof(socksifyd_rows) / sizeof(socksifyd_rows[0]), false },
};

enum argument { ARGUMENT_NONE, ARGUMENT_OPTIONAL, ARGUMENT_REQUIRED };

static enum argument argument_of(const struct row *row)
{
	const char *a = row->argument;

	if (a[0] == '\0')
		return ARGUMENT_NONE;
	/* "[=A|B]", "[NAME]", but not "[SCHEME://]HOST". */
	return a[0] == '[' && strchr(a, ']') == a + strlen(a) - 1 ? ARGUMENT_OPTIONAL
	                                                          : ARGUMENT_REQUIRED;
}

static bool takes_file(const struct row *row)
{
	return strcmp(row->argument, "FILE") == 0;
}

/* The words that an argument may be, with blanks between, or nothing. */
static const char *words_of(const struct row *row, char *buf, size_t cap)
{
	const char *a = row->argument;

	if (strncmp(a, "[SCHEME://]", 11) == 0)
		return "socks5h:// socks5:// socks4a:// socks4://";
	a += strspn(a, "[=");
	if (!strchr(a, '|'))
		return "";
	snprintf(buf, cap, "%.*s", (int)strcspn(a, "]"), a);
	for (char *at = buf; *at; at++)
		if (*at == '|')
			*at = ' ';
	return buf;
}

/* With each of the characters escaped. */
static void put_escaped(const char *text, const char *escaped)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\'", stdout);
		else if (strchr(escaped, *text))
			putchar('\\');
		putchar(*text);
	}
}

/* "-x|--proxy", with something between. */
static void put_names(const struct row *row, const char *between)
{
	if (row->letter)
		printf("-%c%s", row->letter, between);
	printf("--%s", row->option);
}

/* bash */

static void bash_value(const struct row *row)
{
	char buf[128];
	const char *words = words_of(row, buf, sizeof(buf));

	if (argument_of(row) == ARGUMENT_NONE)
		return;
	fputs("\t", stdout);
	put_names(row, " | ");
	fputs(")\n", stdout);
	if (takes_file(row))
		fputs("\t\t_filedir\n", stdout);
	else if (words[0] && strstr(words, "://"))
		printf("\t\tcompopt -o nospace\n"
		       "\t\tCOMPREPLY=($(compgen -W '%s' -- \"$cur\"))\n"
		       "\t\t__ltrim_colon_completions \"$cur\"\n",
		       words);
	else if (words[0])
		printf("\t\tCOMPREPLY=($(compgen -W '%s' -- \"$cur\"))\n", words);
	fputs("\t\treturn\n\t\t;;\n", stdout);
}

/* "-x | --proxy | --log-file": those that take the next word. */
static void bash_pattern(const struct program *p)
{
	const char *between = "";

	for (size_t i = 0; i < p->n; i++) {
		if (p->rows[i].option[0] == '\0' || argument_of(&p->rows[i]) != ARGUMENT_REQUIRED)
			continue;
		fputs(between, stdout);
		put_names(&p->rows[i], " | ");
		between = " | ";
	}
}

static void bash_program(const struct program *p)
{
	fputs("\t# PROGRAM is the first word that is neither an option nor the value of one.\n"
	      "\tfor ((i = 1; i < cword; i++)); do\n"
	      "\t\tcase ${words[i]} in\n"
	      "\t\t--)\n\t\t\tdone=1\n\t\t\t((i++))\n\t\t\tbreak\n\t\t\t;;\n\t\t",
	      stdout);
	bash_pattern(p);
	fputs(") ((i++)) ;;\n"
	      "\t\t-*) ;;\n"
	      "\t\t*) break ;;\n"
	      "\t\tesac\n"
	      "\tdone\n"
	      "\tif ((i < cword)) || { ((i == cword)) && [[ $done || $cur != -* ]]; }; then\n"
	      "\t\t# Its place among bash's own words, which are cut at : and =, too.\n"
	      "\t\tfor ((at = 1; at < i; at++)); do\n"
	      "\t\t\tfor ((len = 0; len < ${#words[at]}; raw++)); do\n"
	      "\t\t\t\t((len += ${#COMP_WORDS[raw]}))\n"
	      "\t\t\tdone\n"
	      "\t\tdone\n"
	      "\t\t_command_offset \"$raw\"\n"
	      "\t\treturn\n"
	      "\tfi\n",
	      stdout);
}

static void bash_print(const struct program *p)
{
	printf("# bash completion for %s\n\n_%s() {\n"
	       "\tlocal cur prev words cword i at len raw=1 done=\n"
	       "\t_init_completion -n := || return\n",
	       p->name, p->name);
	if (p->runs_another)
		bash_program(p);
	fputs("\tif [[ $cur == --*=* ]]; then\n"
	      "\t\tprev=${cur%%=*}\n"
	      "\t\tcur=${cur#*=}\n",
	      stdout);
	/* Such a value is never the next word. */
	fputs("\telse\n\t\tcase $prev in\n", stdout);
	for (size_t i = 0; i < p->n; i++) {
		if (p->rows[i].option[0] == '\0' || argument_of(&p->rows[i]) != ARGUMENT_OPTIONAL)
			continue;
		fputs("\t\t", stdout);
		put_names(&p->rows[i], " | ");
		fputs(") prev= ;;\n", stdout);
	}
	fputs("\t\tesac\n\tfi\n\tcase $prev in\n", stdout);
	for (size_t i = 0; i < p->n; i++)
		if (p->rows[i].option[0] != '\0')
			bash_value(&p->rows[i]);
	fputs("\tesac\n\tCOMPREPLY=($(compgen -W '", stdout);
	for (size_t i = 0; i < p->n; i++) {
		if (p->rows[i].option[0] == '\0')
			continue;
		put_names(&p->rows[i], " ");
		putchar(' ');
	}
	printf("' -- \"$cur\"))\n} &&\n\tcomplete -F _%s %s\n", p->name, p->name);
}

/* zsh */

static void zsh_row(const struct row *row)
{
	enum argument argument = argument_of(row);
	const char *own = argument == ARGUMENT_REQUIRED   ? "="
	                  : argument == ARGUMENT_OPTIONAL ? "=-"
	                                                  : "";
	char buf[128];
	const char *words = words_of(row, buf, sizeof(buf));

	if (row->letter)
		printf(" \\\n\t'*'{-%c%s,--%s%s}'[", row->letter,
		       argument == ARGUMENT_REQUIRED ? "+" : "", row->option, own);
	else
		printf(" \\\n\t'*--%s%s[", row->option, own);
	put_escaped(row->meaning, "[]\\");
	putchar(']');
	if (argument != ARGUMENT_NONE) {
		printf("%s", argument == ARGUMENT_OPTIONAL ? "::" : ":");
		put_escaped(row->option, ":\\");
		if (takes_file(row))
			fputs(":_files", stdout);
		else if (words[0] && strstr(words, "://"))
			fputs(":->url", stdout);
		else if (words[0])
			printf(":(%s)", words);
		else
			fputs(": ", stdout);
	}
	putchar('\'');
}

static void zsh_print(const struct program *p)
{
	printf("#compdef %s\n\nlocal curcontext=$curcontext state state_descr line\n"
	       "typeset -A opt_args\n\n_arguments -C -s -S",
	       p->name);
	/* What follows PROGRAM is PROGRAM's. */
	if (p->runs_another)
		fputs(" -A '-*'", stdout);
	for (size_t i = 0; i < p->n; i++)
		if (p->rows[i].option[0] != '\0')
			zsh_row(&p->rows[i]);
	if (p->runs_another)
		fputs(" \\\n\t'(-):program: _command_names -e' \\\n\t'*::argument: _normal'",
		      stdout);
	fputs(" && return 0\n\n[[ $state == url ]] &&\n"
	      "\tcompadd -S '' -- socks5h:// socks5:// socks4a:// socks4://\n",
	      stdout);
}

/* fish */

static void fish_row(const struct program *p, const struct row *row)
{
	char buf[128];
	const char *words = words_of(row, buf, sizeof(buf));

	printf("complete -c %s", p->name);
	if (p->runs_another)
		printf(" -n __fish_%s_no_program", p->name);
	if (row->letter)
		printf(" -s %c", row->letter);
	printf(" -l %s", row->option);
	if (takes_file(row))
		fputs(" -r -F", stdout);
	else if (argument_of(row) == ARGUMENT_REQUIRED)
		fputs(" -x", stdout);
	if (words[0])
		printf(" -a '%s'", words);
	fputs(" -d '", stdout);
	for (const char *at = row->meaning; *at; at++) {
		if (*at == '\'' || *at == '\\')
			putchar('\\');
		putchar(*at);
	}
	fputs("'\n", stdout);
}

static void fish_print(const struct program *p)
{
	printf("# fish completion for %s\n\ncomplete -c %s -f\n", p->name, p->name);
	if (p->runs_another) {
		printf("\nfunction __fish_%s_no_program\n"
		       "\tset -l words (commandline -opc)\n"
		       "\tset -e words[1]\n"
		       "\twhile set -q words[1]\n"
		       "\t\tswitch $words[1]\n"
		       "\t\t\tcase --\n\t\t\t\treturn 1\n"
		       "\t\t\tcase",
		       p->name);
		for (size_t i = 0; i < p->n; i++) {
			if (p->rows[i].option[0] == '\0' ||
			    argument_of(&p->rows[i]) != ARGUMENT_REQUIRED)
				continue;
			putchar(' ');
			put_names(&p->rows[i], " ");
		}
		fputs("\n\t\t\t\tset -e words[1]\n"
		      "\t\t\tcase '-*'\n"
		      "\t\t\tcase '*'\n\t\t\t\treturn 1\n"
		      "\t\tend\n"
		      "\t\tset -e words[1]\n"
		      "\tend\n"
		      "end\n\n",
		      stdout);
	}
	for (size_t i = 0; i < p->n; i++)
		if (p->rows[i].option[0] != '\0')
			fish_row(p, &p->rows[i]);
	if (!p->runs_another)
		return;
	printf("complete -c %s -x -a '(__fish_complete_subcommand --", p->name);
	for (size_t i = 0; i < p->n; i++) {
		if (p->rows[i].option[0] == '\0' || argument_of(&p->rows[i]) != ARGUMENT_REQUIRED)
			continue;
		putchar(' ');
		put_names(&p->rows[i], " ");
	}
	fputs(")'\n", stdout);
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 3 && i < sizeof(programs) / sizeof(programs[0]); i++) {
		if (strcmp(argv[2], programs[i].name) != 0)
			continue;
		if (strcmp(argv[1], "bash") == 0)
			bash_print(&programs[i]);
		else if (strcmp(argv[1], "zsh") == 0)
			zsh_print(&programs[i]);
		else if (strcmp(argv[1], "fish") == 0)
			fish_print(&programs[i]);
		else
			continue;
		return fflush(stdout) == 0 ? 0 : 1;
	}
	fputs("Usage: print bash|zsh|fish socksify|socksifyd\n", stderr);
	return 2;
}
