#include "libc.h"

#include <base/symbols.h>
#include <check.h>

uintptr_t libc_find(const char *name)
{
	const struct link_map *libc = symbols_libc();
	void *at;

	ck_assert_ptr_nonnull(libc);
	at = symbols_find(libc, name);
	ck_assert_ptr_nonnull(at);
	return (uintptr_t)at;
}
