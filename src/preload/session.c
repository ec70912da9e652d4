#include "session.h"

#include "environment.h"
#include "lock.h"
#include "resolve.h"

#include <base/clock.h>
#include <base/errtext.h>
#include <errno.h>
#include <names/pool.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define HOPS_KEEP_MS      60000
#define HOPS_KEEP_NONE_MS 2000

enum { UNREAD, READING, READ };

static struct config config;
static atomic_int config_state, login_state;
static int login_err; /* once login_state is READ */
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
	/* Of a program that gains privileges its user must choose neither files nor proxy. */
	config_read(&config, secure_getenv, LOG_LEVEL_ERROR);
	environment_session(&config);
	environment_keep(&config);
	if (!config.broken)
		pool_init(&config.pool_ipv4, &config.pool_ipv6);
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

/* NULL where it can't be used now. */
static struct table *still_whole(struct table *t)
{
	int err = table_check(t);

	if (err == -ESTALE)
		log_warn("the table of names at %s was truncated: programs that this one starts "
		         "don't share its names, and addresses of names looked up before are no "
		         "more",
		         config.names_path);
	return err == 0 || err == -ESTALE ? t : NULL;
}

struct table *session_names(void)
{
	struct table *t = atomic_load_explicit(&names, memory_order_acquire);
	struct table *none = NULL;
	const char *path = session_config()->names_path;
	int private_why;

	if (t)
		return still_whole(t);
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
	if (private_why == -EDOM)
		log_warn("the table of names at %s is of another SOCKSIFY_POOL than this "
		         "program's: it and the programs that it starts don't share its names",
		         path);
	else if (private_why < 0)
		log_warn("the table of names at %s can't be used (%s): programs that this one "
		         "starts don't share its names",
		         path[0] ? path : "-",
		         private_why == -EBADMSG ? "damaged, or another version's"
		                                 : err_text(private_why));
	return t;
}

/* False where nothing is known, or it is too old. */
static bool take_kept(struct endpoint *hops, int *n)
{
	struct lock_guard g;
	bool fresh;

	lock_take(&g, LOCK_TABLES);
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

	lock_take(&g, LOCK_TABLES);
	kept.expires_ms = 0;
	kept.n = n;
	memcpy(kept.hops, hops, sizeof(*hops) * (size_t)n);
	kept.expires_ms = clock_ms() + (n > 0 ? HOPS_KEEP_MS : HOPS_KEEP_NONE_MS);
	lock_release(&g);
}

bool session_hops_known(void)
{
	return session_config()->proxy.addr.kind != ENDPOINT_NAME ||
	       clock_ms() < atomic_load(&kept.expires_ms);
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
	n = resolve_name(&px->addr, AF_UNSPEC, hops, DIAL_HOPS_MAX);
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

bool session_may_be_named(const struct sockaddr *sa, socklen_t len)
{
	const struct rules *rules = &session_config()->no_proxy;
	struct endpoint ep;

	if (rules->n == 0 || endpoint_from_sockaddr(&ep, sa, len) < 0 || ep.port == 0)
		return false;
	for (size_t i = 0; i < rules->n; i++)
		if (rules->all[i].port == ep.port && rules->all[i].kind != RULE_PREFIX)
			return true;
	return false;
}

/*
 * Under the lock. The configuration is read by others all the time: all but the password, which
 * nobody reads before this is done, goes into another one.
 */
static int log_in(void)
{
	static struct config draft;
	int err;

	draft.broken = false;
	draft.complaint[0] = draft.warning[0] = '\0';
	strcpy(draft.password_file, config.password_file);
	err = config_read_password(&draft);
	if (err < 0)
		log_error("%s", draft.complaint);
	/* Want of descriptors passes: the next connect tries again. */
	if (err == -EMFILE || err == -ENFILE || err == -ENOMEM)
		return err;
	if (err == 0) {
		memcpy(config.proxy.password, draft.proxy.password, sizeof(config.proxy.password));
		config.proxy.password_len = draft.proxy.password_len;
		config.proxy.has_password = draft.proxy.has_password;
		explicit_bzero(draft.proxy.password, sizeof(draft.proxy.password));
	}
	login_err = err;
	atomic_store_explicit(&login_state, READ, memory_order_release);
	return err;
}

int session_login(void)
{
	const struct config *cfg = session_config();
	struct lock_guard g;
	int err, saved = errno;

	if (!cfg->password_file[0])
		return 0;
	if (atomic_load_explicit(&login_state, memory_order_acquire) == READ)
		return login_err;
	lock_take(&g, LOCK_TABLES);
	err = atomic_load_explicit(&login_state, memory_order_acquire) == READ ? login_err
	                                                                       : log_in();
	lock_release(&g);
	errno = saved;
	return err;
}

void session_hops_stale(void)
{
	struct lock_guard g;

	if (session_config()->proxy.addr.kind != ENDPOINT_NAME)
		return;
	lock_take(&g, LOCK_TABLES);
	kept.expires_ms = 0;
	lock_release(&g);
}
