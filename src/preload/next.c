/*
 * The loader's list of objects is walked from this library on, whose _DYNAMIC is what the list
 * calls l_ld. What stands there up to libc was loaded with the program and stays, so no lock is
 * needed.
 *
 * Runs before any constructor, and within those of the sanitizers: like <base/symbols.h>, neither
 * this file nor those that use it so early are built with a sanitizer's checks.
 */
#include "next.h"

#include <base/symbols.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

static void *find_from(const struct link_map *map, const char *name)
{
	void *at = NULL;

	for (; map && !at; map = map->l_next)
		if (map->l_ld != _DYNAMIC)
			at = symbols_find(map, name);
	return at;
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
