/*
 * How it works: environ gets a vector of ours. Other threads may read it at any time, and the
 * program may have kept a pointer to it, so one that was given out is not written to while it is
 * right: each is remembered, and given out again where the same one is wanted, as it is by a
 * program that clears its environment again and again. Only the oldest of several is made anew.
 */
#include "repair.h"

#include "lock.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define VECTORS    8
#define TEXT_CHUNK 16384

struct vector {
	char **at;
	size_t cap; /* elements */
};

/* A value of LD_PRELOAD: libc's own copies of the vectors go on pointing to it. */
struct text {
	struct text *next;
	char octets[];
};

static struct vector vectors[VECTORS];
static size_t oldest;
static struct text *texts;
static char *chunk;
static size_t chunk_left;

static void *map(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

/* The same octets for the same text, for good. */
static char *keep_text(const char *octets)
{
	size_t size = sizeof(struct text) + strlen(octets) + 1;
	struct text *t = texts;

	while (t && strcmp(t->octets, octets) != 0)
		t = t->next;
	if (t)
		return t->octets;
	size = (size + _Alignof(struct text) - 1) / _Alignof(struct text) * _Alignof(struct text);
	if (size > chunk_left) {
		size_t room = size > TEXT_CHUNK ? size : TEXT_CHUNK;
		char *fresh = map(room);

		if (!fresh)
			return NULL;
		chunk = fresh;
		chunk_left = room;
	}
	t = (struct text *)(void *)chunk;
	chunk += size;
	chunk_left -= size;
	strcpy(t->octets, octets);
	t->next = texts;
	texts = t;
	return t->octets;
}

static bool is_equal(const struct vector *v, char *const *wanted, size_t n)
{
	return v->cap >= n && memcmp(v->at, wanted, n * sizeof(*wanted)) == 0;
}

static bool reserve(struct vector *v, size_t n)
{
	size_t cap = 2 * n;
	char **at;

	if (v->cap >= n)
		return true;
	/* The former one may still be read. */
	at = map(cap * sizeof(*at));
	if (!at)
		return false;
	v->at = at;
	v->cap = cap;
	return true;
}

/* The vector to be given out for these @n elements, the NULL among them. */
static struct vector *find_vector(char *const *wanted, size_t n)
{
	struct vector *v;

	for (v = vectors; v < vectors + VECTORS; v++)
		if (v->at && is_equal(v, wanted, n))
			return v;
	/* The program itself has changed it since. */
	for (v = vectors; v < vectors + VECTORS; v++)
		if (v->at && v->at == environ)
			return v;
	v = &vectors[oldest];
	oldest = (oldest + 1) % VECTORS;
	return v;
}

static int give_out(char **wanted, size_t n, char *text, size_t text_len)
{
	struct vector *v;

	for (size_t i = 0; text_len > 0 && i < n; i++)
		if (wanted[i] == text && !(wanted[i] = keep_text(text)))
			return -ENOMEM;
	v = find_vector(wanted, n);
	if (!reserve(v, n))
		return -ENOMEM;
	if (!is_equal(v, wanted, n))
		memcpy(v->at, wanted, n * sizeof(*wanted));
	atomic_thread_fence(memory_order_release);
	environ = v->at;
	return 0;
}

int repair_environ(const struct child *c)
{
	size_t n, text_len, size;
	struct lock_guard g;
	char **wanted;
	int err = -ENOMEM;

	if (child_env_serves(c, environ))
		return 0;
	lock_take(&g, LOCK_TABLES);
	n = child_env_len(c, environ, &text_len);
	size = n * sizeof(*wanted) + text_len;
	wanted = map(size);
	if (wanted) {
		char *text = (char *)(wanted + n);
		size_t len = 1;

		child_env(c, environ, wanted, text);
		for (char **at = wanted; *at; at++)
			len++;
		err = give_out(wanted, len, text, text_len);
		munmap(wanted, size);
	}
	lock_release(&g);
	return err;
}
