#include "capture.h"

#include <getopt.h>
#include <help.h>
#include <options.h>
#include <policy.h>

#define ARGS_MAX 8

static char out[16384], err[16384];

/* options_parse() of these words, with what it says in out and err. */
static int parse(struct options *o, const char *const *args)
{
	char *argv[ARGS_MAX + 2] = { (char[]){ "socksifyd" } };
	struct capture co, ce;
	int argc = 1, status;

	while (argc <= ARGS_MAX && args[argc - 1]) {
		argv[argc] = strdup(args[argc - 1]);
		argc++;
	}
	optind = 0; /* glibc: begin anew */
	capture_begin(&co, STDOUT_FILENO);
	capture_begin(&ce, STDERR_FILENO);
	status = options_parse(o, argc, argv);
	capture_end(&ce, err, sizeof(err));
	capture_end(&co, out, sizeof(out));
	/* ->hosts is borrowed from argv, and no test looks at it after this. */
	if (o->hosts)
		ck_assert_str_eq(o->hosts, "names");
	for (int i = 1; i < argc; i++)
		free(argv[i]);
	return status;
}

static const char *listener(const struct options *o, size_t i)
{
	static char text[ENDPOINT_TEXT_MAX];
	struct endpoint ep;

	address_to_endpoint(&o->listen[i], &ep);
	return endpoint_format(&ep, text, sizeof(text));
}

START_TEST(the_defaults_are_safe)
{
	struct options o;

	ck_assert_int_eq(parse(&o, (const char *const[]){ NULL }), -1);
	ck_assert_str_eq(out, "");
	ck_assert_str_eq(err, "");
	ck_assert_uint_eq(o.n_listen, 1);
	ck_assert_str_eq(listener(&o, 0), "127.0.0.1:1080");
	ck_assert_uint_eq(o.allow.n, 0);
	ck_assert_ptr_null(o.hosts);
	ck_assert_ptr_null(o.users);
	ck_assert(!o.hash);
	ck_assert(!o.resolver_system);
	ck_assert_ptr_null(o.nameservers);
	ck_assert_int_eq(o.handshake_ms, 15000);
	ck_assert_int_eq(o.connect_ms, 20000);
	ck_assert_int_eq(o.bind_ms, 120000);
	ck_assert_int_eq(o.ident, OPTIONS_IDENT_OFF);
	ck_assert_int_eq(o.ident_ms, 5000);
	ck_assert_int_eq(o.drain_ms, 10000);
	ck_assert_uint_eq(o.commands, POLICY_ALL);
	ck_assert_uint_eq(o.bind_ports.high, 0);
	ck_assert_uint_eq(o.udp_ports.high, 0);
	ck_assert(!o.udp_asked);
	ck_assert(!o.udp_no_fragments);
	ck_assert_int_eq(o.public_address[0].sa.sa_family, AF_UNSPEC);
	ck_assert_int_eq(o.public_address[1].sa.sa_family, AF_UNSPEC);
	ck_assert_int_eq(o.idle_ms, 0);
	ck_assert_int_eq(o.drain_ms, 10000);
	ck_assert(!o.relay_copies);
	ck_assert_int_eq(o.log, EVENTS_NORMAL);
	options_fini(&o);
}
END_TEST

static const struct {
	const char *args[ARGS_MAX + 1];
	const char *value;   /* quoted in the complaint; NULL: any will do */
	const char *explain; /* and what else is in it */
} bad[] = {
	{ { "--listen", "here" }, "here", "ADDR:PORT" },
	{ { "--listen", "" }, "", "ADDR:PORT" },
	{ { "--listen", "127.0.0.1" }, "127.0.0.1", "ADDR:PORT" },
	{ { "-l", "127.0.0.1:" }, "127.0.0.1:", "ADDR:PORT" },
	{ { "-l127.0.0.1:65536" }, "127.0.0.1:65536", "ADDR:PORT" },
	{ { "--listen=127.0.0.1:-1" }, "127.0.0.1:-1", "ADDR:PORT" },
	{ { "--listen", "::1:1080x" }, "::1:1080x", "ADDR:PORT" },
	{ { "--listen", "localhost:1080" }, "localhost:1080", "a name is not taken" },
	{ { "--allow", "" }, "", "ADDR/BITS" },
	{ { "--allow", "10.0.0.0/33" }, "10.0.0.0/33", "ADDR/BITS" },
	{ { "-a", "example.test" }, "example.test", "ADDR/BITS" },
	{ { "--nameserver", "dns" }, "dns", "ADDR:PORT" },
	{ { "--nameserver", "dns.test:53" }, "dns.test:53", "ADDR:PORT" },
	{ { "--nameserver", "192.0.2.53:0" }, "192.0.2.53:0", "ADDR:PORT" },
	{ { "--nameserver", "192.0.2.53:" }, "192.0.2.53:", "ADDR:PORT" },
	{ { "--nameserver", "" }, "", "ADDR:PORT" },
	{ { "--users", "" }, "", "a file" },
	{ { "--hosts", "" }, "", "a file" },
	{ { "--resolver", "nss" }, "nss", "dns or system" },
	{ { "--resolver", "" }, "", "dns or system" },
	{ { "--hash=" }, "", "1 to 255 octets" },
	{ { "--hash", "" }, "", "1 to 255 octets" },
	{ { "--hash", "a", "b" }, "b", "no such argument" },
	{ { "--hash=a", "b" }, "b", "no such argument" },
	{ { "--resolver", "system", "--nameserver", "::1" }, "[::1]:53", "no --resolver system" },
	{ { "--nameserver", "::1", "--resolver", "system" }, "[::1]:53", "no --resolver system" },
	{ { "--ident", "yes" }, "yes", "off, ask or require" },
	{ { "--ident-timeout", "0" }, "0", "--ident-timeout" },
	{ { "--commands", "" }, "", "connect, bind, udp" },
	{ { "--commands", "connect," }, "connect,", "connect, bind, udp" },
	{ { "--commands", "udp associate" }, "udp associate", "connect, bind, udp" },
	{ { "--udp-ports", "x" }, "x", "LOW-HIGH" },
	{ { "--udp-peers", "all" }, "all", "any or asked" },
	{ { "--udp-peers", "any,asked" }, "any,asked", "any or asked" },
	{ { "--udp-fragments", "" }, "", "reassemble or drop" },
	{ { "--bind-ports", "0" }, "0", "LOW-HIGH" },
	{ { "--bind-ports", "10-9" }, "10-9", "LOW-HIGH" },
	{ { "--bind-ports", "1-65536" }, "1-65536", "LOW-HIGH" },
	{ { "--bind-ports", "1-" }, "1-", "LOW-HIGH" },
	{ { "--bind-ports", "1-2-3" }, "1-2-3", "LOW-HIGH" },
	{ { "--bind-ports", "" }, "", "LOW-HIGH" },
	{ { "--public-address", "me.test" }, "me.test", "without a port" },
	{ { "--public-address", "192.0.2.1:80" }, "192.0.2.1:80", "without a port" },
	{ { "--public-address", "::" }, "::", "an address" },
	{ { "--public-address", "fe80::1%lo" }, "fe80::1%lo", "an address" },
	{ { "--public-address", "::1", "--public-address", "::2" }, "::2", "of each family" },
	{ { "--bind-timeout", "0" }, "0", "--bind-timeout" },
	{ { "--handshake-timeout", "0" }, "0", "--handshake-timeout" },
	{ { "--handshake-timeout", "" }, "", "seconds" },
	{ { "--handshake-timeout", "-1" }, "-1", "seconds" },
	{ { "--connect-timeout", "nan" }, "nan", "--connect-timeout" },
	{ { "--connect-timeout", "inf" }, "inf", "seconds" },
	{ { "--connect-timeout", "1e999" }, "1e999", "seconds" },
	{ { "--idle-timeout", "" }, "", "--idle-timeout" },
	{ { "--idle-timeout", "never" }, "never", "or 0" },
	{ { "--idle-timeout", "0.0001" }, "0.0001", "seconds" },
	{ { "--relay", "splice" }, "splice", "auto or copy" },
	{ { "--drain-timeout", "10s" }, "10s", "--drain-timeout" },
	{ { "--drain-timeout", "86400.1" }, "86400.1", "seconds" },
	{ { "--drain-timeout", "0.0001" }, "0.0001", "seconds" },
	{ { "--drain-timeout", "1 " }, "1 ", "seconds" },
	{ { "--drain-timeout", " 5" }, " 5", "seconds" },
	{ { "--drain-timeout", "+5" }, "+5", "seconds" },
	{ { "--drain-timeout", "0x10" }, "0x10", "seconds" },
	{ { "--drain-timeout", "1e3" }, "1e3", "seconds" },
	{ { "--drain-timeout", "1." }, "1.", "seconds" },
	{ { "--drain-timeout", ".5" }, ".5", "seconds" },
	{ { "--drain-timeout", "99999999999999999999" }, "99999999999999999999", "seconds" },
	{ { "--nameserver", "fe80::1%lo" }, "fe80::1%lo", "without a %scope" },
	{ { "--nameserver", "[fe80::1%lo]:53" }, "[fe80::1%lo]:53", "without a %scope" },
	{ { "--allow", "fe80::%lo/64" }, "fe80::%lo/64", "without a %scope" },
	/* open to everyone */
	{ { "--listen", "0.0.0.0:1080" }, "0.0.0.0:1080", "--allow" },
	{ { "--listen", "[::]:1080" }, "[::]:1080", "--allow" },
	{ { "--listen", "192.0.2.1:1080" }, "192.0.2.1:1080", "--allow" },
	{ { "-l", "127.0.0.1:1", "-l", "[::1]:1", "-l", "0.0.0.0:1" }, "0.0.0.0:1", "--allow" },
	{ { "--listen", "[::ffff:0.0.0.0]:1080" }, "0.0.0.0:1080", "--allow" },
	/* no value at all */
	{ { "stray" }, "stray", "no such argument" },
	{ { "-q", "--", "-v" }, "-v", "no such argument" },
	{ { "--nonsense" }, NULL, "--nonsense" },
	{ { "-x" }, NULL, "--help" },
	{ { "--listen" }, NULL, "--listen" },
	{ { "--quiet=yes" }, NULL, "--quiet" },
	/* the first fault counts, whatever is right behind it */
	{ { "-l", "one", "--help" }, "one", "ADDR:PORT" },
};

START_TEST(every_bad_value_is_told)
{
	static const char *const args[8] = { "--listen", "one", "--allow", "two", "--nonsense" };
	struct options o;

	ck_assert_int_eq(parse(&o, args), OPTIONS_BAD);
	ck_assert_ptr_nonnull(strstr(err, "\"one\""));
	ck_assert_ptr_nonnull(strstr(err, "\"two\""));
	ck_assert_ptr_nonnull(strstr(err, "--nonsense"));
	options_fini(&o);
}
END_TEST

START_TEST(a_bad_value_is_quoted_and_explained)
{
	char quoted[64];
	struct options o;

	ck_assert_int_eq(parse(&o, bad[_i].args), OPTIONS_BAD);
	ck_assert_str_eq(out, "");
	ck_assert_ptr_eq(strstr(err, "socksifyd: "), err);
	ck_assert_msg(strstr(err, bad[_i].explain) != NULL, "no \"%s\" in: %s", bad[_i].explain,
	              err);
	if (bad[_i].value) {
		snprintf(quoted, sizeof(quoted), "\"%s\"", bad[_i].value);
		ck_assert_msg(strstr(err, quoted) != NULL, "no %s in: %s", quoted, err);
	}
	options_fini(&o);
}
END_TEST

START_TEST(listeners_add_up)
{
	struct options o;

	ck_assert_int_eq(parse(&o, (const char *const[]){ "-l", "127.0.0.1:0", "--listen=[::1]:9",
	                                                  "-l[::ffff:127.0.0.2]:7", NULL }),
	                 -1);
	ck_assert_uint_eq(o.n_listen, 3);
	ck_assert_str_eq(listener(&o, 0), "127.0.0.1:0");
	ck_assert_str_eq(listener(&o, 1), "[::1]:9");
	ck_assert_str_eq(listener(&o, 2), "127.0.0.2:7");
	options_fini(&o);
}
END_TEST

START_TEST(listeners_have_their_limit)
{
	char program[] = "socksifyd", option[] = "-l", value[] = "127.0.0.1:0";
	char *argv[2 * (OPTIONS_LISTEN_MAX + 1) + 2] = { program };
	struct capture c;
	struct options o;
	int argc = 1, status;

	for (int i = 0; i <= OPTIONS_LISTEN_MAX; i++) {
		argv[argc++] = option;
		argv[argc++] = value;
	}
	argv[argc - 2] = NULL;
	optind = 0;
	ck_assert_int_eq(options_parse(&o, argc - 2, argv), -1);
	ck_assert_uint_eq(o.n_listen, OPTIONS_LISTEN_MAX);
	options_fini(&o);
	argv[argc - 2] = option;
	optind = 0;
	capture_begin(&c, STDERR_FILENO);
	status = options_parse(&o, argc, argv);
	capture_end(&c, err, sizeof(err));
	ck_assert_int_eq(status, OPTIONS_BAD);
	ck_assert_ptr_nonnull(strstr(err, "\"127.0.0.1:0\": expected at most 64"));
	options_fini(&o);
}
END_TEST

START_TEST(who_may_come_is_said_before_a_network_is_served)
{
	const struct endpoint in = unit_endpoint("192.168.7.7:1"),
			      six = unit_endpoint("[fd00::7]:1"),
			      stranger = unit_endpoint("192.0.2.1:1");
	struct options o;

	ck_assert_int_eq(
		parse(&o, (const char *const[]){ "-l", "0.0.0.0:1080", "-a", "192.168.0.0/16",
	                                         "--allow=fd00::/8", NULL }),
		-1);
	ck_assert(acl_holds(&o.allow, &in));
	ck_assert(acl_holds(&o.allow, &six));
	ck_assert(!acl_holds(&o.allow, &stranger));
	options_fini(&o);
	ck_assert_uint_eq(o.allow.n, 0);
}
END_TEST

START_TEST(nameservers_become_one_list)
{
	struct options o;

	ck_assert_int_eq(
		parse(&o, (const char *const[]){ "--nameserver", "192.0.2.53", "--nameserver",
	                                         "[::1]:5353", "--nameserver=::1", NULL }),
		-1);
	ck_assert_str_eq(o.nameservers, "192.0.2.53:53,[::1]:5353,[::1]:53");
	options_fini(&o);
	ck_assert_ptr_null(o.nameservers);
}
END_TEST

static const struct {
	const char *text;
	int ms;
} seconds[] = {
	{ "1", 1000 },         { "0.001", 1 },     { "0.5", 500 },
	{ "86400", 86400000 }, { "1.0006", 1000 }, { "007.25", 7250 },
};

START_TEST(seconds_may_have_a_fraction)
{
	const char *text = seconds[_i].text;
	struct options o;

	ck_assert_int_eq(
		parse(&o, (const char *const[]){ "--handshake-timeout", text, "--connect-timeout",
	                                         text, "--drain-timeout", text, NULL }),
		-1);
	ck_assert_int_eq(o.handshake_ms, seconds[_i].ms);
	ck_assert_int_eq(o.connect_ms, seconds[_i].ms);
	ck_assert_int_eq(o.drain_ms, seconds[_i].ms);
	options_fini(&o);
}
END_TEST

START_TEST(idle_time_may_be_endless)
{
	struct options o;

	ck_assert_int_eq(
		parse(&o, (const char *const[]){ "--idle-timeout", "0.5", "--relay=copy", NULL }),
		-1);
	ck_assert_int_eq(o.idle_ms, 500);
	ck_assert(o.relay_copies);
	options_fini(&o);
	ck_assert_int_eq(parse(&o, (const char *const[]){ "--idle-timeout=5", "--idle-timeout=0",
	                                                  "--relay", "auto", NULL }),
	                 -1);
	ck_assert_int_eq(o.idle_ms, 0);
	ck_assert(!o.relay_copies);
	options_fini(&o);
}
END_TEST

START_TEST(the_last_word_on_the_log_counts)
{
	struct options o;

	ck_assert_int_eq(parse(&o, (const char *const[]){ "--hosts", "names", "-vq", NULL }), -1);
	ck_assert_int_eq(o.log, EVENTS_QUIET);
	options_fini(&o);
	ck_assert_int_eq(parse(&o, (const char *const[]){ "--quiet", "--verbose", NULL }), -1);
	ck_assert_int_eq(o.log, EVENTS_VERBOSE);
	options_fini(&o);
}
END_TEST

START_TEST(help_has_every_option_and_fits_a_terminal)
{
	const char *const args[] = { _i ? "--help" : "-h", NULL };
	struct options o;
	char head[64];

	ck_assert_int_eq(parse(&o, args), 0);
	ck_assert_str_eq(err, "");
	for (int i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *row = &help_rows[i];

		snprintf(head, sizeof(head), "%s--%s%s%s", row->letter ? ", " : "\n      ",
		         row->name, *row->argument ? " " : "", row->argument);
		ck_assert_msg(strstr(out, head) != NULL, "no \"%s\" in %s", head, out);
		ck_assert_msg(!*row->fallback || strstr(out, row->fallback), "no %s",
		              row->fallback);
	}
	for (const char *line = out; *line; line += strcspn(line, "\n") + 1)
		ck_assert_msg(strcspn(line, "\n") <= 80, "too wide: %s", line);
	options_fini(&o);
}
END_TEST

START_TEST(every_option_has_one_name_and_one_letter)
{
	struct help_getopt g;

	help_fill(&g);
	ck_assert_ptr_null(g.options[OPTION_COUNT].name);
	for (int i = 0; i < OPTION_COUNT; i++) {
		ck_assert_int_eq(help_find(HELP_FIRST + i), i);
		if (help_rows[i].letter)
			ck_assert_int_eq(help_find(help_rows[i].letter), i);
		for (int k = 0; k < i; k++)
			ck_assert_str_ne(help_rows[i].name, help_rows[k].name);
	}
	ck_assert_int_eq(help_find('?'), OPTION_COUNT);
	ck_assert_int_eq(help_find(0), OPTION_COUNT);
}
END_TEST

static const struct {
	const char *args[ARGS_MAX + 1];
	const char *name; /* NULL: none */
} hash[] = {
	{ { "--hash" }, NULL },
	{ { "--hash", "bob" }, "bob" },
	{ { "--hash=bob" }, "bob" },
	{ { "bob", "--hash" }, "bob" },
	{ { "--hash", "-q", "bob" }, "bob" },
	{ { "--hash", "--", "-bob" }, "-bob" },
	/* No server: nothing that could be open. */
	{ { "--hash", "-l", "0.0.0.0:1" }, NULL },
};

START_TEST(hash_may_have_a_name)
{
	char *argv[ARGS_MAX + 2] = { (char[]){ "socksifyd" } };
	struct options o;
	int argc = 1;

	for (; hash[_i].args[argc - 1]; argc++)
		argv[argc] = strdup(hash[_i].args[argc - 1]);
	optind = 0;
	ck_assert_int_eq(options_parse(&o, argc, argv), -1);
	ck_assert(o.hash);
	if (hash[_i].name)
		ck_assert_str_eq(o.hash_name, hash[_i].name);
	else
		ck_assert_ptr_null(o.hash_name);
	options_fini(&o);
	for (int i = 1; i < argc; i++)
		free(argv[i]);
}
END_TEST

START_TEST(users_are_enough_for_a_network)
{
	struct options o;

	ck_assert_int_eq(
		parse(&o, (const char *const[]){ "--users", "file", "-l", "0.0.0.0:1", NULL }), -1);
	ck_assert_ptr_nonnull(o.users);
	options_fini(&o);
}
END_TEST

START_TEST(version_is_one_line)
{
	const char *const args[] = { _i ? "--version" : "-V", NULL };
	struct options o;

	ck_assert_int_eq(parse(&o, args), 0);
	ck_assert_ptr_eq(strstr(out, "socksifyd "), out);
	ck_assert_ptr_eq(strchr(out, '\n'), out + strlen(out) - 1);
	options_fini(&o);
}
END_TEST

UNIT_MAIN("server options", { the_defaults_are_safe, 0 },
          { a_bad_value_is_quoted_and_explained, ROWS(bad) }, { every_bad_value_is_told, 0 },
          { listeners_add_up, 0 }, { listeners_have_their_limit, 0 },
          { who_may_come_is_said_before_a_network_is_served, 0 },
          { nameservers_become_one_list, 0 }, { seconds_may_have_a_fraction, ROWS(seconds) },
          { idle_time_may_be_endless, 0 }, { the_last_word_on_the_log_counts, 0 },
          { help_has_every_option_and_fits_a_terminal, 2 },
          { every_option_has_one_name_and_one_letter, 0 }, { hash_may_have_a_name, ROWS(hash) },
          { users_are_enough_for_a_network, 0 }, { version_is_one_line, 2 })
