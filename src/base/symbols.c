/*
 * How it works: an object's dynamic section says where its tables are, and they are asked as the
 * loader asks them.
 */
#include <base/symbols.h>
#include <gnu/lib-names.h>
#include <stdbool.h>
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

void *symbols_find(const struct link_map *map, const char *name)
{
	struct object o;
	uint32_t i;

	if (!object_read(&o, map))
		return NULL;
	i = o.gnu_hash ? find_by_gnu_hash(&o, name) : find_by_count(&o, name);
	return i ? (void *)(o.base + o.symbols[i].st_value) : NULL;
}

const struct link_map *symbols_libc(void)
{
	const struct link_map *map = _r_debug.r_map;
	const char *name;

	for (; map; map = map->l_next) {
		name = map->l_name;
		for (const char *s = name; *s; s++)
			if (*s == '/')
				name = s + 1;
		if (is_same(name, LIBC_SO))
			return map;
	}
	return NULL;
}
