#include "options.h"

#include <base/endpoint.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_MAX 86400
#define DNS_PORT    53

static const char help[] =
	"Usage: socksifyd [--listen ADDR:PORT]... [--allow CIDR]... [options]\n"
	"A SOCKS4, SOCKS4a and SOCKS5 server.\n"
	"\n"
	"  -l, --listen ADDR:PORT      where clients come in; IPv6 in brackets, port 0 takes a\n"
	"                              free one; may be given again (127.0.0.1:1080)\n"
	"  -a, --allow CIDR            who may be a client on an address that is not loopback;\n"
	"                              may be given again\n"
	"      --hosts FILE            a hosts(5) file that answers names before DNS does\n"
	"      --nameserver ADDR[:PORT] ask this DNS server, not those of resolv.conf; may be\n"
	"                              given again\n"
	"      --handshake-timeout SECONDS  for the whole handshake of a client (15)\n"
	"      --connect-timeout SECONDS    for a name and a connection to the target (20)\n"
	"      --drain-timeout SECONDS      for tunnels to end after SIGTERM (10)\n"
	"  -q, --quiet                 no line for each session\n"
	"  -v, --verbose               a line for each step\n"
	"  -h, --help                  show this\n"
	"  -V, --version               show the version\n";

enum { OPT_HOSTS = 256, OPT_NAMESERVER, OPT_HANDSHAKE, OPT_CONNECT, OPT_DRAIN };

static const struct option long_options[] = {
	{ "listen", required_argument, NULL, 'l' },
	{ "allow", required_argument, NULL, 'a' },
	{ "hosts", required_argument, NULL, OPT_HOSTS },
	{ "nameserver", required_argument, NULL, OPT_NAMESERVER },
	{ "handshake-timeout", required_argument, NULL, OPT_HANDSHAKE },
	{ "connect-timeout", required_argument, NULL, OPT_CONNECT },
	{ "drain-timeout", required_argument, NULL, OPT_DRAIN },
	{ "quiet", no_argument, NULL, 'q' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static int bad(const char *option, const char *value, const char *expects)
{
	fprintf(stderr, "socksifyd: %s \"%s\": expected %s\n", option, value, expects);
	return OPTIONS_BAD;
}

static int no_memory(void)
{
	fprintf(stderr, "socksifyd: out of memory\n");
	return 1;
}

/* Below, -1 is "go on" as in options_parse(). */
static int add_listener(struct options *o, const char *text)
{
	struct endpoint ep = { 0 };

	if (endpoint_parse(&ep, text) < 0 || ep.kind == ENDPOINT_NAME)
		return bad("--listen", text,
		           "ADDR:PORT, such as 127.0.0.1:1080 or [::1]:1080; a name is not taken");
	if (o->n_listen == OPTIONS_LISTEN_MAX)
		return bad("--listen", text, "at most 64 of them");
	address_from_endpoint(&o->listen[o->n_listen++], &ep);
	return -1;
}

static int add_allowed(struct options *o, const char *text)
{
	int err = acl_add(&o->allow, text);

	if (err == -ENOMEM)
		return no_memory();
	if (err < 0)
		return bad(
			"--allow", text,
			"ADDR or ADDR/BITS without a %scope, such as 192.168.0.0/16 or fd00::/8");
	return -1;
}

static int add_nameserver(struct options *o, const char *text)
{
	size_t len = o->nameservers ? strlen(o->nameservers) : 0, room;
	struct endpoint ep = { 0 };
	char one[ENDPOINT_TEXT_MAX];
	char *grown;

	if (!strchr(text, '%') && endpoint_parse_ip(&ep, text) == 0)
		ep.port = DNS_PORT;
	else if (strchr(text, '%') || endpoint_parse(&ep, text) < 0 || ep.kind == ENDPOINT_NAME ||
	         ep.port == 0)
		return bad("--nameserver", text,
		           "ADDR or ADDR:PORT without a %scope, such as 192.0.2.53 or [::1]:5353");
	endpoint_format(&ep, one, sizeof(one));
	room = strlen(one) + 2;
	grown = realloc(o->nameservers, len + room);
	if (!grown)
		return no_memory();
	snprintf(grown + len, room, "%s%s", len > 0 ? "," : "", one);
	o->nameservers = grown;
	return -1;
}

/* "15" or "0.25", nothing else, in milliseconds; -1 for all that is not from 0.001 to 86400. */
static int parse_seconds(const char *text)
{
	const char *p = text;
	int ms = 0;

	for (; *p >= '0' && *p <= '9'; p++) {
		ms = ms * 10 + (*p - '0');
		if (ms > SECONDS_MAX)
			return -1;
	}
	if (p == text)
		return -1;
	ms *= 1000;
	if (*p == '.') {
		p++;
		if (*p < '0' || *p > '9')
			return -1;
		for (int unit = 100; *p >= '0' && *p <= '9'; p++, unit /= 10)
			ms += unit * (*p - '0');
	}
	return *p == '\0' && ms > 0 && ms <= SECONDS_MAX * 1000 ? ms : -1;
}

static int set_seconds(int *ms, const char *option, const char *text)
{
	int v = parse_seconds(text);

	if (v < 0)
		return bad(option, text, "seconds, from 0.001 to 86400, such as 15 or 0.5");
	*ms = v;
	return -1;
}

/* An open proxy on a network is found by strangers within the hour: it must be asked for. */
static int refuse_open(const struct options *o)
{
	struct endpoint ep;

	if (o->allow.n > 0)
		return -1;
	for (size_t i = 0; i < o->n_listen; i++) {
		address_to_endpoint(&o->listen[i], &ep);
		if (endpoint_is_loopback(&ep))
			continue;
		fprintf(stderr,
		        "socksifyd: --listen \"%s\": not on loopback, and nothing says who may "
		        "be a client: everyone who reaches it could use this proxy. Say --allow "
		        "CIDR, such as --allow 192.168.0.0/16, or listen on 127.0.0.1\n",
		        ENDPOINT_TEXT(&ep));
		return OPTIONS_BAD;
	}
	return -1;
}

static int parse_one(struct options *o, int c)
{
	switch (c) {
	case 'l':
		return add_listener(o, optarg);
	case 'a':
		return add_allowed(o, optarg);
	case OPT_HOSTS:
		o->hosts = optarg;
		return -1;
	case OPT_NAMESERVER:
		return add_nameserver(o, optarg);
	case OPT_HANDSHAKE:
		return set_seconds(&o->handshake_ms, "--handshake-timeout", optarg);
	case OPT_CONNECT:
		return set_seconds(&o->connect_ms, "--connect-timeout", optarg);
	case OPT_DRAIN:
		return set_seconds(&o->drain_ms, "--drain-timeout", optarg);
	case 'q':
		o->log = EVENTS_QUIET;
		return -1;
	case 'v':
		o->log = EVENTS_VERBOSE;
		return -1;
	case 'h':
		fputs(help, stdout);
		return 0;
	case 'V':
		puts("socksifyd " SOCKSIFY_VERSION);
		return 0;
	default:
		fprintf(stderr, "Try: socksifyd --help\n");
		return OPTIONS_BAD;
	}
}

int options_parse(struct options *o, int argc, char **argv)
{
	int c, status;

	*o = (struct options){
		.handshake_ms = 15000,
		.connect_ms = 20000,
		.drain_ms = 10000,
		.log = EVENTS_NORMAL,
	};
	/* getopt puts this before its complaints: the program, not the path to it. */
	if (argc > 0)
		argv[0] = (char *)(uintptr_t) "socksifyd";
	while ((c = getopt_long(argc, argv, "l:a:qvhV", long_options, NULL)) != -1) {
		status = parse_one(o, c);
		if (status >= 0)
			return status;
	}
	if (optind < argc) {
		fprintf(stderr, "socksifyd: \"%s\": no such argument, only options are expected\n",
		        argv[optind]);
		return OPTIONS_BAD;
	}
	if (o->n_listen == 0 && (status = add_listener(o, "127.0.0.1:1080")) >= 0)
		return status;
	return refuse_open(o);
}

bool options_allow_is_idle(const struct options *o)
{
	struct endpoint ep;

	for (size_t i = 0; i < o->n_listen; i++) {
		address_to_endpoint(&o->listen[i], &ep);
		if (!endpoint_is_loopback(&ep))
			return false;
	}
	return o->allow.n > 0;
}

void options_fini(struct options *o)
{
	acl_fini(&o->allow);
	free(o->nameservers);
	o->nameservers = NULL;
}
