#include "audit.h"

#include "session.h"

#include <base/errtext.h>
#include <base/log.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define TOLD_SLOTS 1024 /* things that are remembered; of more some are noted again */
#define TOLD_TRIES 8

bool audit_is_on(void)
{
	return session_config()->audit_path[0] != '\0';
}

/* FNV-1a. */
static uint32_t hash(uint32_t h, const void *octets, size_t len)
{
	const uint8_t *at = octets;

	for (; len > 0; len--)
		h = (h ^ *at++) * 16777619u;
	return h;
}

/* Of this process: a child of fork has all that its parent noted, and notes it anew. */
static uint32_t hash_of(const struct deed *r)
{
	uint32_t h = hash(2166136261u, &r->pid, sizeof(r->pid));

	h = hash(h, &r->kind, sizeof(r->kind));
	h = hash(h, r->subject, strlen(r->subject) + 1);
	h = hash(h, r->why, strlen(r->why));
	return h ? h : 1; /* 0 is an empty slot */
}

static bool is_new(uint32_t h)
{
	static _Atomic uint32_t told[TOLD_SLOTS];

	for (uint32_t i = 0; i < TOLD_TRIES; i++) {
		_Atomic uint32_t *slot = &told[(h + i) % TOLD_SLOTS];
		uint32_t was = 0;

		if (atomic_compare_exchange_strong_explicit(slot, &was, h, memory_order_relaxed,
		                                            memory_order_relaxed))
			return true;
		if (was == h)
			return false;
	}
	atomic_store_explicit(&told[h % TOLD_SLOTS], h, memory_order_relaxed);
	return true;
}

/* Else the summary would say that there was nothing. It is gone once the session has ended. */
static void tell_lost(int err)
{
	static atomic_flag told = ATOMIC_FLAG_INIT;

	if (err != -ENOENT && !atomic_flag_test_and_set(&told))
		log_warn("%s[%d]: what it does is not in the audit: %s",
		         program_invocation_short_name, (int)getpid(), err_text(err));
}

void audit_note(enum deed_kind kind, const char *subject, const char *why)
{
	struct deed r = { .kind = kind, .subject = subject, .why = why };
	int err;

	if (!audit_is_on())
		return;
	r.pid = (unsigned long)getpid();
	r.program = program_invocation_short_name;
	if (!is_new(hash_of(&r)))
		return;
	err = deed_append(session_config()->audit_path, &r);
	if (err < 0)
		tell_lost(err);
}

void audit_destination(enum deed_kind kind, const struct endpoint *dst, const char *why)
{
	char text[ENDPOINT_TEXT_MAX];

	if (audit_is_on())
		audit_note(kind, endpoint_format(dst, text, sizeof(text)), why);
}

static bool is_proxy(const struct path *p)
{
	for (size_t i = 0; i < p->n_hops; i++)
		if (endpoint_equal(&p->hops[i], &p->route.dst))
			return true;
	return false;
}

void audit_direct(const struct path *p)
{
	const struct endpoint *dst = &p->route.dst;
	char why[PATH_RULE_MAX];

	if (!audit_is_on() || is_proxy(p))
		return;
	if (endpoint_is_loopback(dst) || endpoint_is_unspecified(dst))
		audit_destination(DEED_LOOPBACK, dst, "");
	else
		audit_destination(DEED_DIRECT, dst, path_reason(p, why, sizeof(why)));
}
