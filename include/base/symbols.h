/*
 * Functions of an object that is loaded, found without dlsym(): past all objects before it, and
 * before anything is initialized. Nothing here calls libc, allocates or locks, and it is not built
 * with a sanitizer's checks.
 */
#ifndef BASE_SYMBOLS_H
#define BASE_SYMBOLS_H

#include <link.h>

/*
 * The address of the function @name in @map itself, in its default version, as dlsym() would find
 * it there; NULL if it has none. Not for what is chosen at start for the machine (STT_GNU_IFUNC).
 *
 * @map  of an object that stays loaded during the call
 */
void *symbols_find(const struct link_map *map, const char *name);

/* libc itself, in the order of objects of the program; NULL if there is none. */
const struct link_map *symbols_libc(void);

#endif
