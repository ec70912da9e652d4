/*
 * A page that the kernel wipes in the child of any fork (MADV_WIPEONFORK), also after _Fork() and a
 * raw clone(): what must not be true there any more lies in it, and no handler has to run.
 */
#ifndef PRELOAD_PAGE_H
#define PRELOAD_PAGE_H

#include <stdatomic.h>

struct page {
	atomic_uint held[2]; /* lock.c's words */
	atomic_int owner; /* guard.c's: the process whose descriptors of ours these are; 0: none */
	atomic_int running; /* helper.c's: its thread is there */
};

/* Never NULL: where there is no such page it is one that forks copy. */
struct page *page_get(void);

#endif
