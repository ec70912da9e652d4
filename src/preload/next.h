/* What stands behind this library in the order of the program's objects, found without dlsym(). */
#ifndef PRELOAD_NEXT_H
#define PRELOAD_NEXT_H

#include <link.h>
#include <stdbool.h>

/*
 * As dlsym(RTLD_NEXT, @name) in this library, for a function: its default version in the first
 * object behind this one that has it, another preload's or libc's. Asks nobody, allocates nothing,
 * locks nothing, leaves errno; dlsym() itself can't be asked, since it is this library's here.
 *
 * Returns NULL where no object has it.
 */
void *next_find(const char *name);

/* Does this library stand behind @map, so that RTLD_NEXT of that one may be of this? */
bool next_is_behind(const struct link_map *map);

/* libc's, or what another library put before it. Never NULL: at worst they find nothing. */
void *(*next_dlsym_at(void))(void *handle, const char *name);
void *(*next_dlvsym_at(void))(void *handle, const char *name, const char *version);

#endif
