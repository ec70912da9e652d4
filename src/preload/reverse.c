/*
 * How it works: what is known here is looked up; else the proxy is asked by Tor's RESOLVE_PTR, in a
 * connection of the library's own that is over with the answer. The last few answers are kept, the
 * missing ones too: programs that log addresses ask for the same one again and again.
 */
#include "reverse.h"

#include "lock.h"
#include "real.h"
#include "session.h"

#include <arpa/inet.h>
#include <base/clock.h>
#include <base/log.h>
#include <config/ascii.h>
#include <errno.h>
#include <names/direct.h>
#include <names/local.h>
#include <names/pool.h>
#include <pthread.h>
#include <socks/reply.h>
#include <stdatomic.h>
#include <string.h>
#include <tunnel/route.h>
#include <unistd.h>

#define ASK_MAX_MS 10000 /* a look-up's patience, whatever a connect's is */
#define KEEP_MS    60000
#define KEEP_COUNT 16
#define PAUSE_MS   60000 /* after a silence, which the next address is likely to meet too */

/* clock_ms() from which on the proxy may be asked; DEADLINE_NEVER: it lacks the command. */
static _Atomic int64_t ask_from_ms;

/* Under the lock. Expired while the rest is written: a fork in between leaves nothing half-true. */
static struct {
	struct endpoint address;
	int64_t expires_ms;
	char name[REVERSE_NAME_MAX]; /* "": it has none */
} kept[KEEP_COUNT];

/* A question under way, as far as a cancelled thread must see to it. */
struct asking {
	struct dial dial;
	int fd;
};

/* The address alone. */
static struct endpoint address_of(const struct endpoint *ep)
{
	struct endpoint out = *ep;

	endpoint_unmap(&out);
	out.port = 0;
	out.scope = 0;
	return out;
}

static bool is_nobodys(const struct endpoint *ep)
{
	if (endpoint_is_loopback(ep) || endpoint_is_unspecified(ep))
		return true;
	if (ep->kind == ENDPOINT_IPV6) /* fe80::/10, ff00::/8 */
		return (ep->ip[0] == 0xfe && (ep->ip[1] & 0xc0) == 0x80) || ep->ip[0] == 0xff;
	/* 169.254/16; 224/4 and what lies above it */
	return (ep->ip[0] == 169 && ep->ip[1] == 254) || ep->ip[0] >= 224;
}

static bool find_placeholder(const struct endpoint *ep, char *name)
{
	uint32_t slot = pool_slot(ep);
	struct table *t = slot ? session_names() : NULL;
	const char *known;
	size_t len = 0;

	known = t ? table_name(t, slot, &len) : NULL;
	if (!known || len >= REVERSE_NAME_MAX)
		return false;
	memcpy(name, known, len);
	name[len] = '\0';
	return true;
}

/* By a rule for the address or for a name that has it, whatever the port. */
static bool is_direct(const struct config *cfg, const struct endpoint *ep)
{
	const struct table *names;

	if (rules_find(&cfg->no_proxy, ep))
		return true;
	names = route_needs_names(cfg, ep) ? session_names() : NULL;
	return names && direct_find(names, ep);
}

static bool is_hop(const struct endpoint *hops, int n, const struct endpoint *ep)
{
	for (int i = 0; i < n; i++) {
		struct endpoint hop = address_of(&hops[i]);

		if (endpoint_equal(&hop, ep))
			return true;
	}
	return false;
}

bool reverse_may_ask(void)
{
	const struct config *cfg = session_config();

	return !cfg->broken && cfg->proxy.protocol == SOCKS_V5 &&
	       clock_ms() >= atomic_load_explicit(&ask_from_ms, memory_order_relaxed);
}

enum reverse reverse_find(const struct endpoint *ep, char name[REVERSE_NAME_MAX])
{
	const struct config *cfg = session_config();
	const struct endpoint at = address_of(ep);
	struct endpoint hops[DIAL_HOPS_MAX];

	if (at.kind != ENDPOINT_IPV4 && at.kind != ENDPOINT_IPV6)
		return REVERSE_NONE;
	if (!cfg->broken && pool_contains(&at))
		return find_placeholder(&at, name) ? REVERSE_NAME : REVERSE_NONE;
	if (!cfg->broken && !cfg->proxy.names_go_along)
		return REVERSE_LIBC;
	if (local_name_of(&at, name))
		return REVERSE_NAME;
	if (cfg->broken || is_nobodys(&at))
		return REVERSE_NONE;
	if (is_direct(cfg, &at))
		return REVERSE_LIBC;
	if (!reverse_may_ask() || is_hop(hops, session_hops(hops, false), &at))
		return REVERSE_NONE;
	return REVERSE_PROXY;
}

/* The place of an answer that is still good, or -1. Under the lock. */
static int find_kept(const struct endpoint *at)
{
	int64_t now = clock_ms();

	for (int i = 0; i < KEEP_COUNT; i++)
		if (now < kept[i].expires_ms && endpoint_equal(&kept[i].address, at))
			return i;
	return -1;
}

/* False where nothing is known. "" is an answer. */
static bool recall(const struct endpoint *at, char *name)
{
	struct lock_guard g;
	int i;

	lock_take(&g, LOCK_TABLES);
	i = find_kept(at);
	if (i >= 0)
		strcpy(name, kept[i].name);
	lock_release(&g);
	return i >= 0;
}

static void keep(const struct endpoint *at, const char *name)
{
	struct lock_guard g;
	int i;

	lock_take(&g, LOCK_TABLES);
	i = find_kept(at);
	if (i < 0) {
		i = 0;
		for (int j = 1; j < KEEP_COUNT; j++)
			if (kept[j].expires_ms < kept[i].expires_ms)
				i = j;
	}
	kept[i].expires_ms = 0;
	atomic_signal_fence(memory_order_seq_cst);
	kept[i].address = *at;
	strcpy(kept[i].name, name);
	atomic_signal_fence(memory_order_seq_cst);
	kept[i].expires_ms = clock_ms() + KEEP_MS;
	lock_release(&g);
}

/*
 * What a proxy calls a host: letters, digits and the few marks that libc, too, takes from a name
 * server, since programs log such names and build commands of them. An address in text is none.
 */
static bool take_name(const struct endpoint *bound, char *name)
{
	size_t len = bound->name_len;
	struct in_addr v4;

	if (bound->kind != ENDPOINT_NAME)
		return false;
	if (len > 1 && bound->name[len - 1] == '.')
		len--;
	if (!endpoint_name_is_valid(bound->name, len) || bound->name[0] == '-')
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = bound->name[i];

		if (!ascii_is_alpha(c) && !ascii_is_digit(c) && !strchr("-_.", c))
			return false;
	}
	memcpy(name, bound->name, len);
	name[len] = '\0';
	return inet_aton(name, &v4) == 0;
}

static void ask_no_more(const char *why)
{
	if (atomic_exchange(&ask_from_ms, DEADLINE_NEVER) != DEADLINE_NEVER)
		log_info("%s[%d]: %s does not tell the names of addresses: %s",
		         program_invocation_short_name, (int)getpid(),
		         session_config()->proxy.label, why);
}

static void pause_asking(void)
{
	int64_t was = atomic_load(&ask_from_ms);

	if (was != DEADLINE_NEVER)
		atomic_compare_exchange_strong(&ask_from_ms, &was, clock_ms() + PAUSE_MS);
}

bool reverse_take(const struct endpoint *ep, int err, const struct dial_report *report,
                  char name[REVERSE_NAME_MAX])
{
	const struct endpoint at = address_of(ep);
	bool at_request = report->reached && (report->stage == CLIENT_STAGE_REQUEST ||
	                                      report->stage == CLIENT_STAGE_REPLY);

	if (err == 0 && take_name(&report->bound, name)) {
		keep(&at, name);
		return true;
	}
	if (report->code == SOCKS5_BAD_COMMAND)
		ask_no_more("it lacks the command");
	else if (err == -ETIMEDOUT && report->code < 0)
		pause_asking();
	else if (err < 0 && report->code < 0 && at_request && report->why)
		ask_no_more(report->why);
	else if (err == 0 || report->code >= 0)
		keep(&at, "");
	return false;
}

/* A kernel without IPv6 has no socket for a proxy that has addresses of both families. */
static int open_socket(const struct dial *d)
{
	int family = dial_family(d);
	int fd = real->socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 && errno == EAFNOSUPPORT && family == AF_INET6)
		fd = real->socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd;
}

static void give_up(void *at)
{
	struct asking *a = at;

	dial_leave(&a->dial);
	real->close(a->fd);
}

/* With cancellation as the program has it for the time of the wait alone: @cancel_state. */
static int dial_cancellable(struct asking *a, const struct endpoint *at, int cancel_state)
{
	int err;

	pthread_cleanup_push(give_up, a);
	pthread_setcancelstate(cancel_state, NULL);
	err = dial_connect(&a->dial, a->fd, at);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	pthread_cleanup_pop(0);
	return err;
}

static bool ask(const struct endpoint *at, char *name, int cancel_state)
{
	const struct config *cfg = session_config();
	struct endpoint hops[DIAL_HOPS_MAX];
	int n = session_hops(hops, true), err;
	struct waiter waiter;
	struct asking a;
	int64_t now = clock_ms();

	if (n <= 0 || is_hop(hops, n, at) || session_login() < 0)
		return false;
	waiter_init(&waiter, &real_sys);
	a.dial = (struct dial){
		.sys = &real_sys,
		.waiter = &waiter,
		.proxy = &cfg->proxy,
		.cmd = SOCKS5_RESOLVE_PTR,
		.hops = hops,
		.n_hops = (size_t)n,
		.deadline_ms = now + (cfg->timeout_ms < ASK_MAX_MS ? cfg->timeout_ms : ASK_MAX_MS),
	};
	a.fd = open_socket(&a.dial);
	if (a.fd < 0)
		return false;
	err = dial_cancellable(&a, at, cancel_state);
	real->close(a.fd);
	if (!a.dial.report.reached)
		session_hops_stale();
	return reverse_take(at, err, &a.dial.report, name);
}

bool reverse_ask(const struct endpoint *ep, char name[REVERSE_NAME_MAX])
{
	const struct endpoint at = address_of(ep);
	int saved = errno, cancel_state;
	bool found;

	/* An NSS module that looks for the proxy can't be helped by it. */
	if (!reverse_may_ask() || session_is_resolving())
		return false;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
	if (recall(&at, name))
		found = name[0] != '\0';
	else
		found = ask(&at, name, cancel_state);
	pthread_setcancelstate(cancel_state, NULL);
	errno = saved;
	if (found)
		log_debug("%s[%d]: the proxy calls %s %s", program_invocation_short_name,
		          (int)getpid(), ENDPOINT_TEXT(&at), name);
	return found;
}
