#include "session.h"

#include "environment.h"
#include "lock.h"
#include "real.h"

#include <base/clock.h>
#include <base/errtext.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define HOPS_KEEP_MS      60000
#define HOPS_KEEP_NONE_MS 2000

enum { UNREAD, READING, READ };

static struct config config;
static atomic_int config_state;
static _Atomic(struct table *) names;

/*
 * Under the lock. It has expired while the rest is written, so that a fork in between leaves
 * nothing half-true.
 */
static struct {
	struct endpoint hops[DIAL_HOPS_MAX];
	int n;
	_Atomic int64_t expires_ms;
} kept;

/* NSS modules that ask the network come back to our hooks. */
static _Thread_local bool resolving;

static void read_config(void)
{
	config_read(&config, getenv, LOG_LEVEL_ERROR);
	environment_session(&config);
	log_init("socksify", config.log, config.log_file[0] ? config.log_file : NULL);
	if (config.complaint[0])
		log_error("%s", config.complaint);
	if (config.warning[0])
		log_warn("%s", config.warning);
}

const struct config *session_config(void)
{
	int expected = UNREAD;

	if (atomic_load_explicit(&config_state, memory_order_acquire) == READ)
		return &config;
	/*
	 * The constructor runs before there are threads; only another library's constructor may be
	 * sooner.
	 */
	if (atomic_compare_exchange_strong(&config_state, &expected, READING)) {
		read_config();
		atomic_store_explicit(&config_state, READ, memory_order_release);
	}
	while (atomic_load_explicit(&config_state, memory_order_acquire) != READ)
		;
	return &config;
}

struct table *session_names(void)
{
	struct table *t = atomic_load_explicit(&names, memory_order_acquire);
	struct table *none = NULL;
	const char *path = session_config()->names_path;
	int private_why;

	if (t)
		return t;
	t = table_open(path[0] ? path : NULL, &private_why);
	if (!t)
		return NULL;
	/* That passes; a private table would stay. */
	if (private_why == -EMFILE || private_why == -ENFILE || private_why == -ENOMEM) {
		table_close(t);
		return NULL;
	}
	if (!atomic_compare_exchange_strong(&names, &none, t)) {
		table_close(t);
		return none;
	}
	if (private_why < 0)
		log_warn("the table of names at %s can't be used (%s): programs that this one "
		         "starts don't share its names",
		         path[0] ? path : "-", err_text(private_why));
	return t;
}

static int resolve_hops(const struct proxy *px, struct endpoint *hops)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list, *ai;
	int n = 0;

	if (real->getaddrinfo(px->addr.name, NULL, &hints, &list) != 0)
		return 0;
	for (ai = list; ai && n < DIAL_HOPS_MAX; ai = ai->ai_next) {
		if (endpoint_from_sockaddr(&hops[n], ai->ai_addr, ai->ai_addrlen) < 0)
			continue;
		hops[n++].port = px->addr.port;
	}
	freeaddrinfo(list);
	return n;
}

/* False where nothing is known, or it is too old. */
static bool take_kept(struct endpoint *hops, int *n)
{
	struct lock_guard g;
	bool fresh;

	lock_take(&g);
	fresh = clock_ms() < kept.expires_ms;
	if (fresh) {
		*n = kept.n;
		memcpy(hops, kept.hops, sizeof(*hops) * (size_t)kept.n);
	}
	lock_release(&g);
	return fresh;
}

static void keep(const struct endpoint *hops, int n)
{
	struct lock_guard g;

	lock_take(&g);
	kept.expires_ms = 0;
	kept.n = n;
	memcpy(kept.hops, hops, sizeof(*hops) * (size_t)n);
	kept.expires_ms = clock_ms() + (n > 0 ? HOPS_KEEP_MS : HOPS_KEEP_NONE_MS);
	lock_release(&g);
}

int session_hops(struct endpoint *hops, bool ask)
{
	const struct proxy *px = &session_config()->proxy;
	int n = 0;

	if (px->addr.kind != ENDPOINT_NAME) {
		hops[0] = px->addr;
		return 1;
	}
	if (take_kept(hops, &n) || !ask || resolving)
		return n;
	resolving = true;
	n = resolve_hops(px, hops);
	resolving = false;
	keep(hops, n);
	return n;
}

bool session_is_resolving(void)
{
	return resolving;
}

bool session_may_be_hop(const struct sockaddr *sa, socklen_t len)
{
	const struct endpoint *proxy = &session_config()->proxy.addr;
	struct endpoint ep;

	if (session_config()->broken || endpoint_from_sockaddr(&ep, sa, len) < 0)
		return false;
	endpoint_unmap(&ep);
	return proxy->kind == ENDPOINT_NAME ? ep.port == proxy->port : endpoint_equal(&ep, proxy);
}

void session_hops_stale(void)
{
	struct lock_guard g;

	if (session_config()->proxy.addr.kind != ENDPOINT_NAME)
		return;
	lock_take(&g);
	kept.expires_ms = 0;
	lock_release(&g);
}
