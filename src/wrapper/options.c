#include "options.h"

#include <config/keys.h>
#include <getopt.h>
#include <stdio.h>

static const char usage[] = "Usage: socksify [-x URL] [--] PROGRAM [ARGS...]\n";

static const char help[] =
	"Run PROGRAM so that it reaches the network only through a SOCKS proxy.\n"
	"\n"
	"  -x, --proxy URL  the proxy: [SCHEME://][USER[:PASSWORD]@]HOST[:PORT]\n"
	"                   socks5h (the default) and socks4a let the proxy resolve names,\n"
	"                   socks5 and socks4 resolve them here; the port is 1080 unless given\n"
	"      --help       this text\n"
	"      --version    the version\n"
	"\n"
	"Environment:\n";

static const char epilogue[] =
	"\n"
	"Without -x and without these variables the proxy is socks5h://127.0.0.1:1080, where\n"
	"socksifyd listens by default.\n"
	"Exit status: PROGRAM's own; 125 socksify failed, 126 PROGRAM can't be run,\n"
	"127 PROGRAM was not found.\n";

static void print_help(void)
{
	fputs(usage, stdout);
	fputs(help, stdout);
	for (size_t i = 0; i < KEY_COUNT; i++)
		printf("  %s=%s\n      %s (%s)\n", key_rows[i].variable, key_rows[i].syntax,
		       key_rows[i].meaning, key_rows[i].fallback);
	fputs(epilogue, stdout);
}

int options_parse(int argc, char **argv, struct options *out)
{
	static const struct option longs[] = {
		{ "proxy", required_argument, NULL, 'x' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ 0 },
	};
	static char name[] = "socksify";
	int c;

	out->proxy = NULL;
	argv[0] = name; /* what getopt_long() puts before its own complaints */
	/* "+": what follows PROGRAM is PROGRAM's. */
	while ((c = getopt_long(argc, argv, "+x:", longs, NULL)) != -1) {
		switch (c) {
		case 'x':
			out->proxy = optarg;
			break;
		case 'h':
			print_help();
			return 0;
		case 'V':
			puts("socksify " SOCKSIFY_VERSION);
			return 0;
		default:
			fprintf(stderr, "%sTry 'socksify --help'.\n", usage);
			return EXIT_SOCKSIFY;
		}
	}
	if (out->proxy && !out->proxy[0]) {
		fputs("socksify: -x \"\" is empty; expected the proxy's URL, such as "
		      "socks5h://127.0.0.1:1080\n",
		      stderr);
		return EXIT_SOCKSIFY;
	}
	out->program = argv + optind;
	if (!out->program[0]) {
		fprintf(stderr, "socksify: which PROGRAM?\n%sTry 'socksify --help'.\n", usage);
		return EXIT_SOCKSIFY;
	}
	return -1;
}
