/*
 * The loader's list of objects is walked from this library on, and each one's table of symbols is
 * asked as the loader would. What stands there up to libc was loaded with the program and stays, so
 * no lock is needed.
 *
 * Runs before any constructor, and within those of the sanitizers: nothing here calls libc, and
 * neither this file nor those that use it so early are built with a sanitizer's checks.
 */
#include "next.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define VERSION_HIDDEN 0x8000 /* in DT_VERSYM: not the version that a new program gets */

struct object {
	uintptr_t base;
	const ElfW(Sym) * symbols;
	const char *strings;
	const ElfW(Half) * versions;     /* or NULL */
	const uint32_t *gnu_hash, *hash; /* one of them at least */
};

/* Addresses in it are the loader's to relocate, which it does on most machines. */
static const void *at(const struct link_map *map, const ElfW(Dyn) * d)
{
	const uintptr_t p = d->d_un.d_ptr;

	return (const void *)(p < map->l_addr ? p + map->l_addr : p);
}

static bool object_read(struct object *o, const struct link_map *map)
{
	*o = (struct object){ .base = map->l_addr };
	for (const ElfW(Dyn) *d = map->l_ld; d && d->d_tag != DT_NULL; d++) {
		if (d->d_tag == DT_SYMTAB)
			o->symbols = at(map, d);
		else if (d->d_tag == DT_STRTAB)
			o->strings = at(map, d);
		else if (d->d_tag == DT_VERSYM)
			o->versions = at(map, d);
		else if (d->d_tag == DT_GNU_HASH)
			o->gnu_hash = at(map, d);
		else if (d->d_tag == DT_HASH)
			o->hash = at(map, d);
	}
	return o->symbols && o->strings && (o->gnu_hash || o->hash);
}

static bool is_same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static bool is_it(const struct object *o, uint32_t i, const char *name)
{
	const ElfW(Sym) *sym = &o->symbols[i];

	return sym->st_shndx != SHN_UNDEF && sym->st_value &&
	       ELF32_ST_TYPE(sym->st_info) == STT_FUNC &&
	       ELF32_ST_BIND(sym->st_info) != STB_LOCAL &&
	       !(o->versions && o->versions[i] & VERSION_HIDDEN) &&
	       is_same(o->strings + sym->st_name, name);
}

/* Buckets of chains; an odd hash ends a chain. Its bloom filter only saves time. */
static uint32_t find_by_gnu_hash(const struct object *o, const char *name)
{
	const uint32_t n_buckets = o->gnu_hash[0], first = o->gnu_hash[1];
	const uint32_t *buckets = o->gnu_hash + 4 +
	                          o->gnu_hash[2] * (sizeof(ElfW(Addr)) / sizeof(uint32_t));
	const uint32_t *chain = buckets + n_buckets;
	uint32_t hash = 5381, i;

	for (const char *s = name; *s; s++)
		hash = hash * 33 + (unsigned char)*s;
	i = n_buckets > 0 ? buckets[hash % n_buckets] : 0;
	if (i < first)
		return 0;
	for (;; i++) {
		if ((chain[i - first] | 1) == (hash | 1) && is_it(o, i, name))
			return i;
		if (chain[i - first] & 1)
			return 0;
	}
}

/* The old table tells how many symbols there are. */
static uint32_t find_by_count(const struct object *o, const char *name)
{
	for (uint32_t i = 1; i < o->hash[1]; i++)
		if (is_it(o, i, name))
			return i;
	return 0;
}

static void *find_from(const struct link_map *map, const char *name)
{
	struct object o;
	uint32_t i;

	for (; map; map = map->l_next) {
		if (map->l_ld == _DYNAMIC || !object_read(&o, map))
			continue;
		i = o.gnu_hash ? find_by_gnu_hash(&o, name) : find_by_count(&o, name);
		if (i)
			return (void *)(o.base + o.symbols[i].st_value);
	}
	return NULL;
}

void *next_find(const char *name)
{
	const struct link_map *own = _r_debug.r_map;
	void *found;

	while (own && own->l_ld != _DYNAMIC)
		own = own->l_next;
	found = find_from(own, name);
	/* Opened by a program that runs already, it stands last. */
	return found ? found : find_from(_r_debug.r_map, name);
}

bool next_is_behind(const struct link_map *map)
{
	const struct link_map *m = _r_debug.r_map;

	while (m && m != map && m->l_ld != _DYNAMIC)
		m = m->l_next;
	return m && m == map && m->l_ld != _DYNAMIC;
}

static void *find_nothing(void *handle, const char *name)
{
	(void)handle, (void)name;
	return NULL;
}

static void *find_nothing_of(void *handle, const char *name, const char *version)
{
	(void)handle, (void)name, (void)version;
	return NULL;
}

/* Threads that find it at once find the same. */
void *(*next_dlsym_at(void))(void *handle, const char *name)
{
	static _Atomic(uintptr_t) found;
	uintptr_t p = atomic_load_explicit(&found, memory_order_relaxed);

	if (!p) {
		p = (uintptr_t)next_find("dlsym");
		p = p ? p : (uintptr_t)find_nothing;
		atomic_store_explicit(&found, p, memory_order_relaxed);
	}
	return (void *(*)(void *, const char *))p;
}

void *(*next_dlvsym_at(void))(void *handle, const char *name, const char *version)
{
	static _Atomic(uintptr_t) found;
	uintptr_t p = atomic_load_explicit(&found, memory_order_relaxed);

	if (!p) {
		p = (uintptr_t)next_find("dlvsym");
		p = p ? p : (uintptr_t)find_nothing_of;
		atomic_store_explicit(&found, p, memory_order_relaxed);
	}
	return (void *(*)(void *, const char *, const char *))p;
}
