#include "page.h"

#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

static _Atomic(struct page *) page;
static struct page fallback; /* right but for forks while something in it is true */

static struct page *map(size_t size)
{
	struct page *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
	                      0);

	if (p == MAP_FAILED)
		return &fallback;
	if (madvise(p, size, MADV_WIPEONFORK) == 0)
		return p;
	munmap(p, size);
	return &fallback;
}

struct page *page_get(void)
{
	struct page *p = atomic_load_explicit(&page, memory_order_acquire), *none = NULL;
	size_t size;

	if (p)
		return p;
	size = (size_t)sysconf(_SC_PAGESIZE);
	p = map(size);
	if (atomic_compare_exchange_strong(&page, &none, p))
		return p;
	if (p != &fallback)
		munmap(p, size);
	return none;
}
