#include "options.h"

#include "help.h"
#include "policy.h"
#include "users.h"

#include <base/endpoint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECONDS_MAX 86400
#define DNS_PORT    53
#define CLIENTS_MAX 10000000
#define THREADS_MAX 256

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

static int add_prefix(struct acl *acl, const char *option, const char *text)
{
	int err = acl_add(acl, text);

	if (err == -ENOMEM)
		return no_memory();
	if (err < 0)
		return bad(
			option, text,
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

static int set_number(int *out, const char *option, const char *text, unsigned max)
{
	char expected[64];
	unsigned n;

	if (value_number(text, max, &n) == 0) {
		*out = (int)n;
		return -1;
	}
	snprintf(expected, sizeof(expected), "a number from 0 to %u", max);
	return bad(option, text, expected);
}

static int set_threads(struct options *o, const char *text)
{
	int status = set_number(&o->threads, "--threads", text, THREADS_MAX);
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (o->threads == 0)
		o->threads = cpus < 1 ? 1 : cpus > THREADS_MAX ? THREADS_MAX : (int)cpus;
	return status;
}

/* An open proxy on a network is found by strangers within the hour: it must be asked for. */
static int refuse_open(const struct options *o)
{
	struct endpoint ep;

	if (o->allow.n > 0 || o->users)
		return -1;
	for (size_t i = 0; i < o->n_listen; i++) {
		address_to_endpoint(&o->listen[i], &ep);
		if (endpoint_is_loopback(&ep))
			continue;
		fprintf(stderr,
		        "socksifyd: --listen \"%s\": not on loopback, and nothing says who may "
		        "be a client: everyone who reaches it could use this proxy. Say --allow "
		        "CIDR, such as --allow 192.168.0.0/16, or --users FILE, or listen on "
		        "127.0.0.1\n",
		        ENDPOINT_TEXT(&ep));
		return OPTIONS_BAD;
	}
	return -1;
}

static int set_idle(struct options *o, const char *text)
{
	int v = strcmp(text, "0") == 0 ? 0 : parse_seconds(text);

	if (v < 0)
		return bad("--idle-timeout", text,
		           "seconds, from 0.001 to 86400, or 0 for no limit, such as 3600");
	o->idle_ms = v;
	return -1;
}

static int set_relay(struct options *o, const char *text)
{
	o->relay_copies = strcmp(text, "copy") == 0;
	if (o->relay_copies || strcmp(text, "auto") == 0)
		return -1;
	return bad("--relay", text, "auto or copy");
}

static int set_file(const char **file, const char *option, const char *text)
{
	if (!*text)
		return bad(option, text, "the name of a file");
	*file = text;
	return -1;
}

static int set_resolver(struct options *o, const char *text)
{
	o->resolver_system = strcmp(text, "system") == 0;
	if (o->resolver_system || strcmp(text, "dns") == 0)
		return -1;
	return bad("--resolver", text, "dns or system");
}

static int set_hash_name(struct options *o, const char *name)
{
	if (!*name || strlen(name) > USERS_NAME_MAX)
		return bad("--hash", name, "the name of a user, 1 to 255 octets");
	o->hash_name = name;
	return -1;
}

static int set_commands(struct options *o, const char *text)
{
	/* In the order of enum policy_cmd. */
	static const char *const words[] = { "connect", "bind", "udp", "resolve" };

	if (value_words(text, words, sizeof(words) / sizeof(words[0]), &o->commands) < 0)
		return bad("--commands", text, "a list of connect, bind, udp and resolve");
	return -1;
}

static int set_ident(struct options *o, const char *text)
{
	static const char *const words[] = {
		[OPTIONS_IDENT_OFF] = "off",
		[OPTIONS_IDENT_ASK] = "ask",
		[OPTIONS_IDENT_REQUIRE] = "require",
	};
	unsigned which;

	if (value_word(text, words, sizeof(words) / sizeof(words[0]), &which) < 0)
		return bad("--ident", text, "off, ask or require");
	o->ident = (enum options_ident)which;
	return -1;
}

static int set_ports(struct value_ports *ports, const char *option, const char *text)
{
	if (value_ports(text, ports) < 0)
		return bad(option, text, "LOW-HIGH, such as 40000-40999, or one port");
	return -1;
}

static int set_udp_peers(struct options *o, const char *text)
{
	static const char *const words[] = { "any", "asked" };
	unsigned which;

	if (value_word(text, words, 2, &which) < 0)
		return bad("--udp-peers", text, "any or asked");
	o->udp_asked = which == 1;
	return -1;
}

static int set_udp_fragments(struct options *o, const char *text)
{
	static const char *const words[] = { "reassemble", "drop" };
	unsigned which;

	if (value_word(text, words, 2, &which) < 0)
		return bad("--udp-fragments", text, "reassemble or drop");
	o->udp_no_fragments = which == 1;
	return -1;
}

static int set_public(struct options *o, const char *text)
{
	struct endpoint ep = { 0 };
	union address *a;

	if (strchr(text, '%') || endpoint_parse_ip(&ep, text) < 0 || endpoint_is_unspecified(&ep))
		return bad("--public-address", text,
		           "an address that peers reach this machine by, without a port");
	endpoint_unmap(&ep);
	a = &o->public_address[ep.kind == ENDPOINT_IPV6];
	if (a->sa.sa_family != AF_UNSPEC)
		return bad("--public-address", text, "one address of each family at most");
	address_from_endpoint(a, &ep);
	return -1;
}

static int parse_one(struct options *o, enum option_id id)
{
	switch (id) {
	case OPTION_LISTEN:
		return add_listener(o, optarg);
	case OPTION_ALLOW:
		return add_prefix(&o->allow, "--allow", optarg);
	case OPTION_ALLOW_TO:
		return add_prefix(&o->allow_to, "--allow-to", optarg);
	case OPTION_RULES:
		return set_file(&o->rules, "--rules", optarg);
	case OPTION_USERS:
		return set_file(&o->users, "--users", optarg);
	case OPTION_HASH:
		o->hash = true;
		return optarg ? set_hash_name(o, optarg) : -1;
	case OPTION_HOSTS:
		return set_file(&o->hosts, "--hosts", optarg);
	case OPTION_RESOLVER:
		return set_resolver(o, optarg);
	case OPTION_NAMESERVER:
		return add_nameserver(o, optarg);
	case OPTION_IDENT:
		return set_ident(o, optarg);
	case OPTION_COMMANDS:
		return set_commands(o, optarg);
	case OPTION_BIND_PORTS:
		return set_ports(&o->bind_ports, "--bind-ports", optarg);
	case OPTION_UDP_PORTS:
		return set_ports(&o->udp_ports, "--udp-ports", optarg);
	case OPTION_UDP_PEERS:
		return set_udp_peers(o, optarg);
	case OPTION_UDP_FRAGMENTS:
		return set_udp_fragments(o, optarg);
	case OPTION_PUBLIC:
		return set_public(o, optarg);
	case OPTION_HANDSHAKE:
		return set_seconds(&o->handshake_ms, "--handshake-timeout", optarg);
	case OPTION_CONNECT:
		return set_seconds(&o->connect_ms, "--connect-timeout", optarg);
	case OPTION_IDENT_TIMEOUT:
		return set_seconds(&o->ident_ms, "--ident-timeout", optarg);
	case OPTION_BIND:
		return set_seconds(&o->bind_ms, "--bind-timeout", optarg);
	case OPTION_DRAIN:
		return set_seconds(&o->drain_ms, "--drain-timeout", optarg);
	case OPTION_USER:
		if (!*optarg)
			return bad("--user", optarg, "the name of a user, a uid, or UID:GID");
		o->user = optarg;
		return -1;
	case OPTION_IDLE:
		return set_idle(o, optarg);
	case OPTION_RELAY:
		return set_relay(o, optarg);
	case OPTION_NO_SANDBOX:
		o->no_sandbox = true;
		return -1;
	case OPTION_MAX_CLIENTS:
		return set_number(&o->max_clients, "--max-clients", optarg, CLIENTS_MAX);
	case OPTION_MAX_SOURCE:
		return set_number(&o->max_source, "--max-clients-per-source", optarg, CLIENTS_MAX);
	case OPTION_MAX_USER:
		return set_number(&o->max_user, "--max-clients-per-user", optarg, CLIENTS_MAX);
	case OPTION_THREADS:
		return set_threads(o, optarg);
	case OPTION_QUIET:
		o->log = EVENTS_QUIET;
		return -1;
	case OPTION_VERBOSE:
		o->log = EVENTS_VERBOSE;
		return -1;
	case OPTION_TEST:
		o->test_config = true;
		return -1;
	case OPTION_HELP:
		help_print();
		return 0;
	case OPTION_VERSION:
		puts("socksifyd " SOCKSIFY_VERSION);
		return 0;
	case OPTION_COUNT:
		break;
	}
	/* getopt has complained. */
	return OPTIONS_BAD;
}

/* All that is wrong is told, for who would mend it at once. */
static int parse_each(struct options *o, int argc, char **argv)
{
	struct help_getopt table;
	bool unknown = false;
	int c, one, status = -1;
	enum option_id id;

	help_fill(&table);
	while ((c = getopt_long(argc, argv, table.letters, table.options, NULL)) != -1) {
		id = help_find(c);
		if (status >= 0 && (id == OPTION_HELP || id == OPTION_VERSION))
			continue;
		one = parse_one(o, id);
		if (one >= 0 && one != OPTIONS_BAD)
			return one;
		if (one == OPTIONS_BAD)
			status = one;
		unknown = unknown || id == OPTION_COUNT;
	}
	if (unknown)
		fprintf(stderr, "Try: socksifyd --help\n");
	return status;
}

/* What is left when all options are read. */
static int parse_rest(struct options *o, int argc, char **argv)
{
	int status;

	/* "--hash NAME": to getopt, an argument that may be left out is never a word of its own. */
	if (o->hash && !o->hash_name && optind < argc) {
		status = set_hash_name(o, argv[optind++]);
		if (status >= 0)
			return status;
	}
	if (optind < argc) {
		fprintf(stderr, "socksifyd: \"%s\": no such argument, only options are expected\n",
		        argv[optind]);
		return OPTIONS_BAD;
	}
	if (o->resolver_system && o->nameservers)
		return bad("--nameserver", o->nameservers,
		           "no --resolver system beside it: libc asks its own nameservers");
	return -1;
}

int options_parse(struct options *o, int argc, char **argv)
{
	int status, rest;

	*o = (struct options){
		.commands = POLICY_ALL,
		.handshake_ms = 15000,
		.connect_ms = 20000,
		.bind_ms = 120000,
		.ident_ms = 5000,
		.drain_ms = 10000,
		.threads = 1,
		.max_source = -1,
		.log = EVENTS_NORMAL,
	};
	/* getopt puts this before its complaints: the program, not the path to it. */
	if (argc > 0)
		argv[0] = (char *)(uintptr_t) "socksifyd";
	status = parse_each(o, argc, argv);
	if (status >= 0 && status != OPTIONS_BAD)
		return status;
	rest = parse_rest(o, argc, argv);
	if (status < 0)
		status = rest;
	if (status >= 0 || o->hash)
		return status;
	if (o->n_listen == 0 && (status = add_listener(o, "127.0.0.1:1080")) >= 0)
		return status;
	return refuse_open(o);
}

size_t options_files(const struct options *o, const char *out[OPTIONS_FILES_MAX])
{
	size_t n = 0;

	if (o->users)
		out[n++] = o->users;
	if (o->hosts)
		out[n++] = o->hosts;
	if (o->rules)
		out[n++] = o->rules;
	return n;
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
	acl_fini(&o->allow_to);
	free(o->nameservers);
	o->nameservers = NULL;
}
