#include "verified.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CREDENTIAL_MAX 255

struct entry {
	bool used;
	uint8_t user_len, password_len;
	uint8_t misses;
	struct source_key from;
	int64_t until_ms;
	char user[CREDENTIAL_MAX + 1], password[CREDENTIAL_MAX + 1]; /* zeros behind */
};

struct verified {
	struct loop *loop;
	struct timer expiry; /* runs while there are any */
	struct entry *entries;
};

#define ENTRIES_SIZE (VERIFIED_MAX * sizeof(struct entry))

static void forget(struct entry *e)
{
	explicit_bzero(e, sizeof(*e));
}

static void expire(struct timer *t)
{
	struct verified *v = LOOP_OWNER(t, struct verified, expiry);
	int64_t next_ms = INT64_MAX;

	for (size_t i = 0; i < VERIFIED_MAX; i++) {
		struct entry *e = &v->entries[i];

		if (!e->used)
			continue;
		if (e->until_ms <= v->loop->now_ms)
			forget(e);
		else if (e->until_ms < next_ms)
			next_ms = e->until_ms;
	}
	if (next_ms != INT64_MAX)
		loop_start_timer(v->loop, &v->expiry, next_ms - v->loop->now_ms);
}

struct verified *verified_new(struct loop *loop)
{
	struct verified *v = calloc(1, sizeof(*v));
	void *at;

	if (!v)
		return NULL;
	at = mmap(NULL, ENTRIES_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED) {
		free(v);
		return NULL;
	}
	/* As far as RLIMIT_MEMLOCK and the kernel go; pages count only once they are touched. */
	(void)mlock2(at, ENTRIES_SIZE, MLOCK_ONFAULT);
	(void)madvise(at, ENTRIES_SIZE, MADV_DONTDUMP);
	v->loop = loop;
	v->expiry.due = expire;
	v->entries = at;
	return v;
}

void verified_free(struct verified *v)
{
	if (!v)
		return;
	verified_forget_all(v);
	munmap(v->entries, ENTRIES_SIZE);
	free(v);
}

void verified_forget_all(struct verified *v)
{
	/* Pages that were never touched stay so. */
	for (size_t i = 0; i < VERIFIED_MAX; i++)
		if (v->entries[i].used)
			forget(&v->entries[i]);
	loop_stop_timer(v->loop, &v->expiry);
}

static struct entry *find(struct verified *v, const struct source_key *from,
                          const struct credentials *c)
{
	for (size_t i = 0; i < VERIFIED_MAX; i++) {
		struct entry *e = &v->entries[i];

		if (e->used && e->user_len == c->user_len &&
		    memcmp(&e->from, from, sizeof(*from)) == 0 &&
		    memcmp(e->user, c->user, c->user_len) == 0)
			return e;
	}
	return NULL;
}

/* A free place, or that of the one with the least time left. */
static struct entry *get_place(struct verified *v)
{
	struct entry *oldest = &v->entries[0];

	for (size_t i = 0; i < VERIFIED_MAX; i++) {
		struct entry *e = &v->entries[i];

		if (!e->used)
			return e;
		if (e->until_ms < oldest->until_ms)
			oldest = e;
	}
	return oldest;
}

void verified_put(struct verified *v, const struct source_key *from, const struct credentials *c)
{
	struct entry *e = find(v, from, c);

	if (c->user_len > CREDENTIAL_MAX || c->password_len > CREDENTIAL_MAX)
		return;
	if (!e)
		e = get_place(v);
	forget(e);
	e->used = true;
	e->from = *from;
	e->user_len = (uint8_t)c->user_len;
	e->password_len = (uint8_t)c->password_len;
	memcpy(e->user, c->user, c->user_len);
	memcpy(e->password, c->password, c->password_len);
	e->until_ms = v->loop->now_ms + VERIFIED_MS;
	if (!v->expiry.running)
		loop_start_timer(v->loop, &v->expiry, VERIFIED_MS);
}

/* All octets of both are looked at, whatever they are. */
static bool is_same(const struct entry *e, const struct credentials *c)
{
	char theirs[CREDENTIAL_MAX + 1] = { 0 };
	unsigned differ = e->password_len ^ (unsigned)c->password_len;

	memcpy(theirs, c->password, c->password_len);
	for (size_t i = 0; i < sizeof(theirs); i++)
		differ |= (unsigned char)(theirs[i] ^ e->password[i]);
	explicit_bzero(theirs, sizeof(theirs));
	return differ == 0;
}

bool verified_holds(struct verified *v, const struct source_key *from, const struct credentials *c)
{
	struct entry *e;

	if (c->user_len > CREDENTIAL_MAX || c->password_len > CREDENTIAL_MAX)
		return false;
	e = find(v, from, c);
	if (!e || e->until_ms <= v->loop->now_ms)
		return false;
	if (is_same(e, c))
		return true;
	/*
	 * It answers at once, and so would let one guess as fast as connections can be made: hence
	 * only so many.
	 */
	if (++e->misses >= VERIFIED_MISSES_MAX)
		forget(e);
	return false;
}
