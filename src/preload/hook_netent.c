/*
 * The getnetent() family from networks(5) alone, as glibc's "files" shows it: other sources would
 * be asked over the network, the DNS for one with a PTR question.
 */
#include "answer.h"
#include "kept.h"
#include "pack.h"
#include "real.h"

#include <config/networks.h>
#include <errno.h>
#include <stdatomic.h>

static const char path[] = "/etc/networks";

/* The file is read at each call: it is small, and rarely asked for. */
static struct networks *load(void)
{
	int saved = errno;
	struct networks *all = networks_load(path);

	errno = saved;
	return all;
}

/* As glibc's: 0 with *res NULL is "not found"; never errno itself on success. */
static int put(const struct network *found, struct netent *ret, char *buf, size_t len,
               struct netent **res, int *herr)
{
	struct pack p;

	*res = NULL;
	*herr = HOST_NOT_FOUND;
	if (!found)
		return 0;
	pack_init(&p, buf, len);
	pack_list_begin(&p);
	for (const char *name = found->names; (name = networks_next_name(name));)
		pack_list_add(&p, name);
	ret->n_aliases = pack_list_end(&p);
	ret->n_name = pack_text(&p, found->names);
	if (p.full) {
		*herr = NETDB_INTERNAL;
		errno = ERANGE;
		return ERANGE;
	}
	ret->n_addrtype = AF_INET;
	ret->n_net = found->number;
	*herr = NETDB_SUCCESS;
	*res = ret;
	return 0;
}

int hook_getnetbyname_r(const char *name, struct netent *ret, char *buf, size_t len,
                        struct netent **res, int *herr)
{
	struct networks *all;
	int err;

	if (answer_is_libcs())
		return real->getnetbyname_r(name, ret, buf, len, res, herr);
	all = load();
	err = put(all ? networks_find(all, name) : NULL, ret, buf, len, res, herr);
	networks_free(all);
	return err;
}

int hook_getnetbyaddr_r(uint32_t net, int family, struct netent *ret, char *buf, size_t len,
                        struct netent **res, int *herr)
{
	bool known = family == AF_INET || family == AF_UNSPEC;
	struct networks *all;
	int err;

	if (answer_is_libcs())
		return real->getnetbyaddr_r(net, family, ret, buf, len, res, herr);
	all = known ? load() : NULL;
	err = put(all ? networks_find_number(all, net) : NULL, ret, buf, len, res, herr);
	networks_free(all);
	return err;
}

/* How many networks the walk has shown: one walk for the whole process. */
static atomic_size_t walked;

/* ENOENT at the end; after ERANGE the network is still the next one. */
int hook_getnetent_r(struct netent *ret, char *buf, size_t len, struct netent **res, int *herr)
{
	size_t at = atomic_load(&walked);
	struct networks *all;
	int err;

	if (answer_is_libcs())
		return real->getnetent_r(ret, buf, len, res, herr);
	all = load();
	do {
		err = put(all ? networks_at(all, at) : NULL, ret, buf, len, res, herr);
	} while (*res && !atomic_compare_exchange_weak(&walked, &at, at + 1));
	networks_free(all);
	if (!*res)
		h_errno = *herr;
	return *res || err != 0 ? err : ENOENT;
}

/* What the forms without _r ask for. */
struct asked {
	enum { BY_NAME, BY_NUMBER, NEXT } by;
	const char *name;
	uint32_t net;
	int family;
	struct netent *ret, *res;
	int herr;
};

static int fill(void *arg, char *buf, size_t len)
{
	struct asked *a = arg;

	switch (a->by) {
	case BY_NAME:
		return hook_getnetbyname_r(a->name, a->ret, buf, len, &a->res, &a->herr);
	case BY_NUMBER:
		return hook_getnetbyaddr_r(a->net, a->family, a->ret, buf, len, &a->res, &a->herr);
	case NEXT:
		return hook_getnetent_r(a->ret, buf, len, &a->res, &a->herr);
	}
	return 0;
}

static struct netent *in_kept(struct kept *kept, struct asked *a)
{
	int saved = errno, before = h_errno, err;

	a->herr = NETDB_INTERNAL;
	err = kept_fill(kept, fill, a);
	errno = err == ENOMEM ? ENOMEM : saved;
	h_errno = a->res ? before : a->herr;
	return a->res;
}

struct netent *hook_getnetbyname(const char *name)
{
	static struct kept kept;
	static struct netent ret;
	struct asked asked = { .by = BY_NAME, .name = name, .ret = &ret };

	return answer_is_libcs() ? real->getnetbyname(name) : in_kept(&kept, &asked);
}

struct netent *hook_getnetbyaddr(uint32_t net, int family)
{
	static struct kept kept;
	static struct netent ret;
	struct asked asked = { .by = BY_NUMBER, .net = net, .family = family, .ret = &ret };

	return answer_is_libcs() ? real->getnetbyaddr(net, family) : in_kept(&kept, &asked);
}

struct netent *hook_getnetent(void)
{
	static struct kept kept;
	static struct netent ret;
	struct asked asked = { .by = NEXT, .ret = &ret };

	return answer_is_libcs() ? real->getnetent() : in_kept(&kept, &asked);
}

void hook_setnetent(int stay_open)
{
	if (answer_is_libcs())
		real->setnetent(stay_open);
	else
		atomic_store(&walked, 0);
}

void hook_endnetent(void)
{
	if (answer_is_libcs())
		real->endnetent();
	else
		atomic_store(&walked, 0);
}
