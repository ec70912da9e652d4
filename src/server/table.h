/*
 * uthash as this room uses it: want of memory is no exit(), but sets ->lost in the element that was
 * to be added.
 */
#ifndef SERVER_TABLE_H
#define SERVER_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* FNV-1a; uthash's own default falls through its cases in a way that clang warns of. */
static inline unsigned table_hash(const void *at, size_t len)
{
	const uint8_t *octets = at;
	unsigned h = 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ octets[i]) * 16777619u;
	return h ^ h >> 15;
}

#define HASH_NONFATAL_OOM         1
#define HASH_FUNCTION(at, len, h) ((h) = table_hash(at, len))
#define uthash_nonfatal_oom(e)    ((e)->lost = true)
#include <uthash.h>

#endif
