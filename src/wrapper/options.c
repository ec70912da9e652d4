#include "options.h"
#include "help.h"

#include <base/errtext.h>
#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum own_option {
#define OPTION(id, letter, option, argument, meaning) OWN_##id,
#include "options.def"
#undef OPTION
	OWN_COUNT,
};

static const struct own_row {
	char letter;
	const char *option, *argument;
} own_rows[OWN_COUNT] = {
#define OPTION(id, letter, option, argument, meaning) { letter, option, argument },
#include "options.def"
#undef OPTION
};

/* What getopt_long() returns for a row; a letter is told from it by being smaller. */
#define KEY_BASE 0x100
#define OWN_BASE 0x200

struct tables {
	struct option longs[KEY_COUNT + OWN_COUNT + 1];
	char shorts[2 * (KEY_COUNT + OWN_COUNT) + 2];
};

/* What was given, to be judged as a whole. */
struct given {
	bool own[OWN_COUNT];
	unsigned verbose;
};

static int has_argument(const char *argument)
{
	if (argument[0] == '\0')
		return no_argument;
	return strncmp(argument, "[=", 2) == 0 ? optional_argument : required_argument;
}

static void tables_init(struct tables *t)
{
	struct option *at = t->longs;
	char *letter = t->shorts;

	/* What follows PROGRAM is PROGRAM's. */
	*letter++ = '+';
	for (int i = 0; i < KEY_COUNT; i++) {
		if (key_rows[i].option[0] == '\0')
			continue;
		*at++ = (struct option){ key_rows[i].option, required_argument, NULL,
			                 KEY_BASE + i };
		if (key_rows[i].letter) {
			*letter++ = key_rows[i].letter;
			*letter++ = ':';
		}
	}
	for (int i = 0; i < OWN_COUNT; i++) {
		*at++ = (struct option){ own_rows[i].option, has_argument(own_rows[i].argument),
			                 NULL, OWN_BASE + i };
		if (own_rows[i].letter)
			*letter++ = own_rows[i].letter;
	}
	*at = (struct option){ 0 };
	*letter = '\0';
}

/* A letter's row, as tables_init() numbers them; -1 for what is no option. */
static int row_of(int c)
{
	if (c >= KEY_BASE)
		return c;
	for (int i = 0; i < KEY_COUNT; i++)
		if (key_rows[i].letter == c)
			return KEY_BASE + i;
	for (int i = 0; i < OWN_COUNT; i++)
		if (own_rows[i].letter == c)
			return OWN_BASE + i;
	return -1;
}

const char *options_name(enum config_key key, char *buf, size_t cap)
{
	if (key_rows[key].letter)
		snprintf(buf, cap, "-%c", key_rows[key].letter);
	else
		snprintf(buf, cap, "--%s", key_rows[key].option);
	return buf;
}

static int try_help(void)
{
	fputs("Try 'socksify --help'.\n", stderr);
	return EXIT_SOCKSIFY;
}

static int wrong(const char *what)
{
	fprintf(stderr, "socksify: %s\n", what);
	return try_help();
}

/* As options_parse(), below as well. */
static int take_key(struct options *o, enum config_key key, char *value)
{
	char name[32];

	if (key == KEY_NO_PROXY && value[0] == '\0') {
		/* An empty variable counts as unset; this is the list that has no item. */
		o->key_value[key] = ",";
		return -1;
	}
	if (value[0] == '\0') {
		fprintf(stderr, "socksify: %s \"\" is empty; expected %s\n",
		        options_name(key, name, sizeof(name)), key_rows[key].syntax);
		return EXIT_SOCKSIFY;
	}
	o->key_value[key] = value;
	if (key != KEY_PROXY)
		return -1;
	/* Given twice the last one counts. */
	free(o->proxy_copy);
	o->proxy_copy = strdup(value);
	o->key_value[key] = o->proxy_copy;
	if (!o->key_value[key]) {
		fprintf(stderr, "socksify: -x: %s\n", err_text(ENOMEM));
		return EXIT_SOCKSIFY;
	}
	memset(value, '*', strlen(value));
	return -1;
}

static int take_own(struct options *o, struct given *g, enum own_option own, char *value)
{
	g->own[own] = true;
	switch (own) {
	case OWN_VERBOSE:
		g->verbose++;
		return -1;
	case OWN_PRINT_ENV:
		o->for_fish = value && strcmp(value, "fish") == 0;
		if (!value || o->for_fish || strcmp(value, "sh") == 0)
			return -1;
		fprintf(stderr, "socksify: --print-env=\"%s\": expected sh or fish\n", value);
		return EXIT_SOCKSIFY;
	case OWN_ARGV0:
		o->argv0 = value;
		return -1;
	case OWN_HELP:
		help_print(stdout);
		return 0;
	case OWN_VERSION:
		puts("socksify " SOCKSIFY_VERSION);
		return 0;
	case OWN_QUIET:
	case OWN_CHECK:
	case OWN_DNS_CHECK:
	case OWN_WITH_SERVER:
	case OWN_AUDIT:
	case OWN_ISOLATE:
	case OWN_CLOSED:
	case OWN_COUNT:
		return -1;
	}
	return -1;
}

static int judge_mode(struct options *o, const struct given *g)
{
	static const struct {
		enum own_option own;
		enum mode mode;
	} modes[] = {
		{ OWN_CHECK, MODE_CHECK },
		{ OWN_DNS_CHECK, MODE_DNS_CHECK },
		{ OWN_PRINT_ENV, MODE_PRINT_ENV },
		{ OWN_CLOSED, MODE_CLOSED },
	};
	int n = 0;

	o->mode = MODE_RUN;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (!g->own[modes[i].own])
			continue;
		o->mode = modes[i].mode;
		n++;
	}
	if (n > 1)
		return wrong("--check, --dns-check, --print-env and --closed are things to do "
		             "instead of each other; say one");
	if (n > 0 && o->with_server)
		return wrong("--with-server is for a PROGRAM that uses the network, which --check, "
		             "--dns-check, --print-env and --closed don't run");
	if (n > 0 && o->audit)
		return wrong("--audit is for a PROGRAM that uses the network, which --check, "
		             "--dns-check, --print-env and --closed don't run");
	if (o->with_server && o->key_value[KEY_PROXY])
		return wrong(
			"--with-server is the proxy, and so is what -x names; say one of them");
	return -1;
}

static int judge_operands(struct options *o, size_t n)
{
	switch (o->mode) {
	case MODE_CHECK:
		if (n > 1)
			return wrong("--check takes one destination at most, HOST:PORT, and runs "
			             "no program");
		o->destination = o->program[0];
		return -1;
	case MODE_DNS_CHECK:
		return n == 0 ? wrong("which NAME is --dns-check to tell of?") : -1;
	case MODE_PRINT_ENV:
		return n > 0 ? wrong("--print-env runs no program: it is for the current shell")
		             : -1;
	case MODE_RUN:
	case MODE_CLOSED:
		return n == 0 ? wrong("which PROGRAM?") : -1;
	}
	return -1;
}

static int judge(struct options *o, const struct given *g, size_t n_operands)
{
	int status;

	if (g->own[OWN_QUIET] && g->verbose > 0)
		return wrong("-q and -v are opposites; say one of them");
	if (g->own[OWN_QUIET])
		o->key_value[KEY_LOG] = "error";
	else if (g->verbose > 0)
		o->key_value[KEY_LOG] = g->verbose > 1 ? "debug" : "info";
	if (o->argv0 && (g->own[OWN_CHECK] || g->own[OWN_DNS_CHECK] || g->own[OWN_PRINT_ENV]))
		return wrong("--argv0 is the name of a PROGRAM, and none is run here");
	o->with_server = g->own[OWN_WITH_SERVER];
	o->isolate = g->own[OWN_ISOLATE];
	o->audit = g->own[OWN_AUDIT];
	status = judge_mode(o, g);
	return status >= 0 ? status : judge_operands(o, n_operands);
}

int options_parse(int argc, char **argv, struct options *out)
{
	static struct tables tables;
	struct given given = { 0 };
	int c, status = -1;

	*out = (struct options){ 0 };
	tables_init(&tables);
	/* What getopt_long() puts before its own complaints: the program, not the path to it. */
	if (argc > 0)
		argv[0] = (char *)(uintptr_t) "socksify";
	while (status < 0 &&
	       (c = getopt_long(argc, argv, tables.shorts, tables.longs, NULL)) != -1) {
		int row = row_of(c);

		if (row >= OWN_BASE)
			status = take_own(out, &given, (enum own_option)(row - OWN_BASE), optarg);
		else if (row >= KEY_BASE)
			status = take_key(out, (enum config_key)(row - KEY_BASE), optarg);
		else
			/* getopt_long() has told of it. */
			status = try_help();
	}
	out->program = argv + optind;
	if (status < 0)
		status = judge(out, &given, (size_t)(argc > optind ? argc - optind : 0));
	if (status >= 0)
		options_fini(out);
	return status;
}

void options_fini(struct options *o)
{
	free(o->proxy_copy);
	o->proxy_copy = NULL;
}
