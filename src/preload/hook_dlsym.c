/*
 * dlsym() and dlvsym() of libc's own objects: ctypes.CDLL("libc.so.6").connect, Ruby's Fiddle, JNA
 * and their like find the hooks there, and not the functions that these stand for.
 *
 * All other look-ups, RTLD_NEXT and RTLD_DEFAULT of dlsym() among them, go on as they are: a
 * library's private function that is called like one of libc's is found as ever. They are many, and
 * some are made by allocators and sanitizers before any constructor ran; so a name is told from
 * ours in a few nanoseconds, and then libc's own is jumped to.
 */
#include "jump.h"
#include "next.h"
#include "real.h"

#include <base/symbols.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>

#undef real /* this file says "struct real" */

/* These may be called before anything is initialized. */
JUMP_TARGET uintptr_t dlsym_target(void *handle, const char *name);
JUMP_TARGET uintptr_t dlvsym_target(void *handle, const char *name, const char *version,
                                    const void *caller);

#define NO_MEMBER SIZE_MAX

typedef void any_function(void);

struct row {
	const char *name;
	any_function *hook;
	size_t member; /* of struct real, what the hook forwards to; or NO_MEMBER */
};

static const struct row rows[] = {
#define ROW(name, of, at)                        { #name, (any_function *)hook_##of, at },
#define HOOK(type, name, params, args)           ROW(name, name, offsetof(struct real, name))
#define HOOK_YOUNG(type, name, params, args)     ROW(name, name, offsetof(struct real, name))
#define HOOK_OWN(type, name, params, args)       ROW(name, name, NO_MEMBER)
#define HOOK_ALIAS(type, name, of, params, args) ROW(name, of, NO_MEMBER)
#define HOOK_JUMP(type, name, params)            ROW(name, name, offsetof(struct real, name))
#define REAL(type, name, params)
#include "hooks.def"
#undef HOOK
#undef HOOK_YOUNG
#undef HOOK_OWN
#undef HOOK_ALIAS
#undef HOOK_JUMP
#undef REAL
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

/*
 * A bit for each name's hash: of names that aren't ours one in thirty gets past it. Threads that
 * fill it at once set the same bits.
 */
#define FILTER_BITS  4096
#define NAME_MAX_LEN 32

_Static_assert(N_ROWS < FILTER_BITS / 16, "the filter is too small");

static _Atomic(uint32_t) filter[FILTER_BITS / 32];
static atomic_bool filled;

/* Of one that is longer than all ours, of its beginning. */
static uint32_t hash_of(const char *name)
{
	uint32_t h = 2166136261;

	for (size_t i = 0; name[i] && i < NAME_MAX_LEN; i++)
		h = (h ^ (unsigned char)name[i]) * 16777619;
	return (h ^ h >> 15) % FILTER_BITS;
}

static bool is_same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static const struct row *find(const char *name)
{
	const uint32_t h = hash_of(name);

	if (!atomic_load_explicit(&filled, memory_order_acquire)) {
		for (size_t i = 0; i < N_ROWS; i++) {
			const uint32_t bit = hash_of(rows[i].name);

			atomic_fetch_or(&filter[bit / 32], UINT32_C(1) << bit % 32);
		}
		atomic_store_explicit(&filled, true, memory_order_release);
	}
	if (!(atomic_load_explicit(&filter[h / 32], memory_order_relaxed) & UINT32_C(1) << h % 32))
		return NULL;
	for (size_t i = 0; i < N_ROWS; i++)
		if (is_same(rows[i].name, name))
			return &rows[i];
	return NULL;
}

/* Before glibc 2.34 the functions that are hooked are spread over these. */
static bool is_in_libc(const void *at)
{
	static const char *const objects[] = { "libc.so.6", "libpthread.so.0", "libresolv.so.2",
		                               "libanl.so.1", "libdl.so.2" };
	const char *name;
	Dl_info where;

	if (!dladdr(at, &where))
		return false;
	name = where.dli_fname;
	for (const char *s = name; *s; s++)
		if (*s == '/')
			name = s + 1;
	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
		if (is_same(objects[i], name))
			return true;
	return false;
}

/* dladdr() takes 10 us in libc: it is for the odd ones. */
static bool is_libcs(const char *name, const void *at)
{
	const struct link_map *map = symbols_libc();

	return at && ((map && symbols_find(map, name) == at) || is_in_libc(at));
}

/*
 * Another preload that stands behind this one, and finds libc's function so, is called by the hook:
 * it would call itself.
 */
static bool is_called_by_hook(const struct row *row, const void *caller)
{
	Dl_info by, next;
	void *forward;

	if (row->member == NO_MEMBER)
		return false;
	forward = *(void *const *)((const char *)real_get() + row->member);
	if (is_libcs(row->name, forward))
		return false;
	return dladdr(forward, &next) && dladdr(caller, &by) && next.dli_fbase == by.dli_fbase;
}

/* @found: by libc itself. */
static void *choose(const char *name, void *found, const void *caller)
{
	const struct row *row = find(name);
	const int saved = errno;

	if (found && row && is_libcs(name, found) && !is_called_by_hook(row, caller))
		found = (void *)(uintptr_t)row->hook;
	errno = saved;
	return found;
}

static void *stand_in(void *handle, const char *name)
{
	return choose(name, next_dlsym_at()(handle, name), __builtin_return_address(0));
}

static void *stand_in_of(void *handle, const char *name, const char *version)
{
	return choose(name, next_dlvsym_at()(handle, name, version), __builtin_return_address(0));
}

static bool is_pseudo(const void *handle)
{
	return handle == RTLD_DEFAULT || handle == RTLD_NEXT;
}

/*
 * By a version libc finds nothing in objects without versions, such as this one: a program would
 * get libc's function, and another preload that wraps dlsym() itself (as overlays of games do)
 * would go past this one.
 */
static bool is_overlooked(void *handle, const char *name, const char *version, const void *caller)
{
	const int saved = errno;
	struct link_map *map;
	Dl_info by;
	bool is;

	if (handle == RTLD_NEXT &&
	    !(dladdr1(caller, &by, (void **)&map, RTLD_DL_LINKMAP) && next_is_behind(map)))
		return false;
	is = is_libcs(name, next_dlvsym_at()(handle, name, version));
	errno = saved;
	return is;
}

uintptr_t dlsym_target(void *handle, const char *name)
{
	if (name && !is_pseudo(handle) && find(name))
		return (uintptr_t)stand_in;
	return (uintptr_t)next_dlsym_at();
}

uintptr_t dlvsym_target(void *handle, const char *name, const char *version, const void *caller)
{
	if (name && find(name) &&
	    (!is_pseudo(handle) || is_overlooked(handle, name, version, caller)))
		return (uintptr_t)stand_in_of;
	return (uintptr_t)next_dlvsym_at();
}

#ifdef JUMP_HOOK
JUMP_HOOK(dlsym, "");
JUMP_HOOK(dlvsym, "");
#else
/* Elsewhere a compiler that optimizes makes jumps of these. */
void *hook_dlsym(void *handle, const char *name)
{
	void *(*target)(void *handle, const char *name);

	*(uintptr_t *)&target = dlsym_target(handle, name);
	return target(handle, name);
}

void *hook_dlvsym(void *handle, const char *name, const char *version)
{
	void *(*target)(void *handle, const char *name, const char *version);

	*(uintptr_t *)&target = dlvsym_target(handle, name, version, __builtin_return_address(0));
	return target(handle, name, version);
}
#endif
