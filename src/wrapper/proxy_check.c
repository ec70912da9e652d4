/*
 * How it works: the proxy's addresses are dialled one by one, as the library would, each over a
 * socket of its own, and what dial_connect() reports becomes a row for each stage that was come to.
 * Without a destination the proxy is asked for its own port on its own loopback: that is sayable in
 * every protocol, reaches nobody else wherever the proxy stands, and any reply shows that it
 * answers requests; only those that say it would refuse every request are a failure.
 */
#include "proxy_check.h"

#include "options.h"
#include "unhooked.h"

#include <base/clock.h>
#include <base/errtext.h>
#include <config/keys.h>
#include <errno.h>
#include <socks/reply.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <tunnel/dial.h>
#include <tunnel/explain.h>
#include <tunnel/route.h>

#define NO_TIME (-1)

struct check {
	const struct config *cfg;
	struct sys sys;
	bool probe; /* no destination was named */
	struct endpoint hops[DIAL_HOPS_MAX], dsts[DIAL_HOPS_MAX];
	size_t n_hops, n_dsts;
	int64_t deadline_ms;
};

/* One stage. Out at once: the next may take its time. */
__attribute__((format(printf, 3, 4))) static void row(const char *stage, int64_t us,
                                                      const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (us < 0)
		printf("%-12s %s\n", stage, text);
	else
		printf("%-12s %-44s %9.2f ms\n", stage, text, (double)us / 1000);
	fflush(stdout);
}

static void row_failed(const char *stage, int64_t us, const struct explanation *why)
{
	row(stage, us, "failed: %s", why->cause);
}

static void row_advice(const struct explanation *why)
{
	if (why->advice[0])
		row("try:", NO_TIME, "%s", why->advice);
}

static void tell_proxy(const struct config *cfg, const char *origin)
{
	const struct proxy *px = &cfg->proxy;
	char user[SOCKS5_CRED_MAX + 1];

	for (size_t i = 0; i < px->user_len; i++)
		user[i] = px->user[i] >= ' ' && px->user[i] < 0x7f ? px->user[i] : '?';
	user[px->user_len] = '\0';
	if (px->user_len > 0)
		row("proxy", NO_TIME, "%s, user \"%s\"%s (%s)", px->label, user,
		    px->has_password ? " and a password" : "", origin);
	else
		row("proxy", NO_TIME, "%s (%s)", px->label, origin);
	if (cfg->no_proxy.n > 0)
		row("direct", NO_TIME, "%zu item%s of NO_PROXY", cfg->no_proxy.n,
		    cfg->no_proxy.n == 1 ? "" : "s");
}

/* Returns 0 or getaddrinfo(3)'s error; the time it took. */
static int resolve(const struct endpoint *name, int family, struct endpoint *out, size_t *n,
                   int64_t *us)
{
	const struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_STREAM };
	int64_t began = clock_us();
	struct addrinfo *list;
	int err = unhooked_getaddrinfo(name->name, NULL, &hints, &list);

	*us = clock_us() - began;
	*n = 0;
	if (err)
		return err;
	for (struct addrinfo *ai = list; ai && *n < DIAL_HOPS_MAX; ai = ai->ai_next)
		if (endpoint_from_sockaddr(&out[*n], ai->ai_addr, ai->ai_addrlen) == 0)
			out[(*n)++].port = name->port;
	freeaddrinfo(list);
	return *n > 0 ? 0 : EAI_NONAME;
}

/* "[2001:db8::1]:80" without its port: addresses of one name are listed side by side. */
static void list_addresses(const struct endpoint *eps, size_t n, char *buf, size_t cap)
{
	size_t at = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < n && at < cap; i++) {
		char text[ENDPOINT_TEXT_MAX];

		endpoint_format(&eps[i], text, sizeof(text));
		*strrchr(text, ':') = '\0';
		at += (size_t)snprintf(buf + at, cap - at, "%s%s", i > 0 ? ", " : "", text);
	}
}

static bool resolve_proxy(struct check *ck)
{
	const struct proxy *px = &ck->cfg->proxy;
	const struct dial_report nothing = { .code = -1 };
	struct explanation why;
	char text[512];
	int64_t us;
	int err;

	ck->hops[0] = px->addr;
	ck->n_hops = 1;
	if (px->addr.kind != ENDPOINT_NAME)
		return true;
	err = resolve(&px->addr, AF_UNSPEC, ck->hops, &ck->n_hops, &us);
	if (err == 0) {
		list_addresses(ck->hops, ck->n_hops, text, sizeof(text));
		row("name", us, "%s is %s", px->addr.name, text);
		return true;
	}
	explain_failure(px, &nothing, -EHOSTUNREACH, &why);
	row("name", us, "failed: %s (%s)", why.cause, gai_strerror(err));
	row_advice(&why);
	return false;
}

/* Under socks4:// and socks5:// names are resolved here, as they are for programs. */
static bool resolve_destination(struct check *ck)
{
	const struct proxy *px = &ck->cfg->proxy;
	struct endpoint name = ck->dsts[0];
	char text[512];
	int64_t us;
	int err;

	if (name.kind != ENDPOINT_NAME || px->names_go_along)
		return true;
	err = resolve(&name, px->protocol == SOCKS_V5 ? AF_UNSPEC : AF_INET, ck->dsts, &ck->n_dsts,
	              &us);
	if (err == 0) {
		list_addresses(ck->dsts, ck->n_dsts, text, sizeof(text));
		row("destination", us, "%s is %s, by this machine's DNS", name.name, text);
		return true;
	}
	row("destination", us, "failed: this machine finds no address of %s (%s)", name.name,
	    gai_strerror(err));
	row("try:", NO_TIME, "is the name right? %s lets the proxy resolve names",
	    px->protocol == SOCKS_V5 ? "socks5h://" : "socks4a://");
	return false;
}

/* Programs may never get to the proxy with this destination. */
static void tell_route(const struct check *ck)
{
	struct route r;
	char rule[ENDPOINT_TEXT_MAX];

	if (ck->probe)
		return;
	route_find(ck->cfg, NULL, ck->hops, ck->n_hops, &ck->dsts[0], &r);
	if (r.kind == ROUTE_PROXY)
		return;
	if (r.rule)
		row("note", NO_TIME, "programs reach %s past the proxy: NO_PROXY has %s",
		    ENDPOINT_TEXT(&ck->dsts[0]),
		    rules_format(&ck->cfg->no_proxy, r.rule, rule, sizeof(rule)));
	else if (r.kind == ROUTE_ANSWER)
		row("note", NO_TIME, "programs that ask %s are answered here: it is %s",
		    ENDPOINT_TEXT(&ck->dsts[0]), r.why);
	else
		row("note", NO_TIME,
		    r.kind == ROUTE_DIRECT ? "programs reach %s past the proxy: %s"
		                           : "programs are refused %s: %s",
		    ENDPOINT_TEXT(&ck->dsts[0]), r.why);
}

/* A reply that says no, and yet shows a proxy that works. */
static bool is_answer(const struct check *ck, const struct dial_report *r)
{
	if (!ck->probe || r->cause != CLIENT_CAUSE_REPLY)
		return false;
	/* These it would say to any request. */
	if (ck->cfg->proxy.protocol == SOCKS_V5)
		return r->code != SOCKS5_BAD_COMMAND;
	return r->code != SOCKS4_NO_IDENTD && r->code != SOCKS4_IDENT_DIFFERS;
}

static enum dial_step last_step(const struct dial_report *r)
{
	enum dial_step step = DIAL_TCP;

	for (size_t i = DIAL_METHOD; i < DIAL_STEPS; i++)
		if (r->step_us[i] >= 0)
			step = (enum dial_step)i;
	return step;
}

/* The stages between TCP and the request, which were passed or, being the last, failed. */
static void tell_handshake(const struct dial_report *r, enum dial_step passed)
{
	bool credentials = r->step_us[DIAL_CREDENTIALS] >= 0;

	row("TCP", r->step_us[DIAL_TCP], "%s connected", ENDPOINT_TEXT(&r->hop));
	if (r->step_us[DIAL_METHOD] >= 0 && passed >= DIAL_METHOD)
		row("method", r->step_us[DIAL_METHOD], "%s",
		    credentials ? "user and password" : "none needed");
	if (credentials && passed >= DIAL_CREDENTIALS)
		row("credentials", r->step_us[DIAL_CREDENTIALS], "accepted");
}

/* Returns whether the check has passed. */
static bool tell_outcome(const struct check *ck, const struct dial_report *r, int err,
                         const struct endpoint *dst, bool again, struct explanation *why)
{
	const char *whose = ck->probe ? "its own " : "";
	enum dial_step last = last_step(r);

	if (!again)
		tell_handshake(r, err == 0 || last == DIAL_REQUEST ? DIAL_REQUEST
		                                                   : (enum dial_step)(last - 1));
	if (err == 0) {
		row("request", r->step_us[DIAL_REQUEST], "%s%s granted", whose, ENDPOINT_TEXT(dst));
		return true;
	}
	explain_failure(&ck->cfg->proxy, r, err, why);
	if (is_answer(ck, r)) {
		row("request", r->step_us[DIAL_REQUEST], "%s%s answered: %s", whose,
		    ENDPOINT_TEXT(dst), why->cause);
		return true;
	}
	if (last == DIAL_REQUEST)
		row("request", r->step_us[last], "%s%s failed: %s", whose, ENDPOINT_TEXT(dst),
		    why->cause);
	else
		row_failed(r->reached ? client_stage_text(r->stage) : "TCP", r->step_us[last], why);
	return false;
}

/* As dial_connect() itself shares it out. */
static int64_t share(const struct check *ck, size_t n_left)
{
	int64_t now = clock_ms();

	return ck->deadline_ms <= now ? now : now + (ck->deadline_ms - now) / (int64_t)n_left;
}

/* Returns what dial_connect() did, or why there is no socket. */
static int dial(const struct check *ck, const struct endpoint *hop, int64_t deadline_ms,
                const struct endpoint *dst, struct dial_report *report)
{
	struct waiter waiter;
	struct dial d = { .sys = &ck->sys,
		          .waiter = &waiter,
		          .proxy = &ck->cfg->proxy,
		          .hops = hop,
		          .n_hops = 1,
		          .deadline_ms = deadline_ms,
		          .report = { .code = -1, .hop = *hop } };
	int fd = ck->sys.socket(dial_family(&d), SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err = -errno;

	waiter_init(&waiter, &ck->sys);
	if (fd >= 0) {
		err = dial_connect(&d, fd, dst);
		ck->sys.close(fd);
	}
	*report = d.report;
	return err;
}

/*
 * A proxy that resolves nothing is asked for each of the destination's addresses, like a program
 * does. @report, @err: what the first of them came to.
 */
static bool ask(const struct check *ck, const struct endpoint *hop, struct dial_report *report,
                int err)
{
	struct explanation why;
	size_t i = 0;

	while (!tell_outcome(ck, report, err, &ck->dsts[i], i > 0, &why)) {
		if (++i == ck->n_dsts || report->cause != CLIENT_CAUSE_REPLY) {
			row_advice(&why);
			return false;
		}
		err = dial(ck, hop, share(ck, ck->n_dsts - i), &ck->dsts[i], report);
	}
	return true;
}

static bool run(const struct check *ck)
{
	struct dial_report report;
	struct explanation why;

	for (size_t i = 0; i < ck->n_hops; i++) {
		int err = dial(ck, &ck->hops[i], share(ck, ck->n_hops - i), &ck->dsts[0], &report);

		if (report.reached)
			return ask(ck, &ck->hops[i], &report, err);
		explain_failure(&ck->cfg->proxy, &report, err, &why);
		if (report.cause != CLIENT_CAUSE_NONE) {
			row("request", NO_TIME, "%s failed: %s", ENDPOINT_TEXT(&ck->dsts[0]),
			    why.cause);
			break;
		}
		row("TCP", report.step_us[DIAL_TCP], "%s failed: %s", ENDPOINT_TEXT(&ck->hops[i]),
		    why.cause);
	}
	row_advice(&why);
	return false;
}

static int begin(struct check *ck, const char *destination)
{
	static const uint8_t loopback[4] = { 127, 0, 0, 1 };

	unhooked_sys(&ck->sys);
	ck->n_dsts = 1;
	ck->probe = !destination;
	if (ck->probe)
		endpoint_set_ipv4(&ck->dsts[0], loopback, ck->cfg->proxy.addr.port);
	else if (endpoint_parse(&ck->dsts[0], destination) < 0 || ck->dsts[0].port == 0)
		return -EINVAL;
	return 0;
}

int proxy_check_run(struct config *cfg, const char *origin, const char *destination)
{
	struct check ck = { .cfg = cfg };
	bool good;

	config_read_password(cfg);
	if (cfg->broken) {
		fprintf(stderr, "socksify: %s\n", cfg->complaint);
		return EXIT_SOCKSIFY;
	}
	if (begin(&ck, destination) < 0) {
		fprintf(stderr,
		        "socksify: --check \"%s\" is no destination; expected HOST:PORT, such as "
		        "example.org:443\n",
		        destination);
		return EXIT_SOCKSIFY;
	}
	tell_proxy(cfg, origin);
	good = resolve_proxy(&ck);
	if (good) {
		tell_route(&ck);
		good = resolve_destination(&ck);
	}
	ck.deadline_ms = clock_ms() + cfg->timeout_ms;
	if (good)
		good = run(&ck);
	return good && !ferror(stdout) ? 0 : EXIT_SOCKSIFY;
}
