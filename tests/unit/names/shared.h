/* What tests of a table in a file say in short. */
#ifndef SHARED_H
#define SHARED_H

#include "folder.h"

#include <names/table.h>

static inline struct table *open_shared(void)
{
	int why = 99;
	struct table *t = table_open(table_path, &why);

	ck_assert_ptr_nonnull(t);
	ck_assert_int_eq(why, 0);
	return t;
}

static inline struct table *begin(void)
{
	folder_init();
	return open_shared();
}

static inline void end(struct table *t)
{
	table_close(t);
	folder_fini();
}

static inline uint32_t put(struct table *t, const char *name)
{
	uint32_t slot = 0;

	ck_assert_int_eq(table_put(t, name, strlen(name), &slot), 0);
	ck_assert_uint_gt(slot, 0);
	ck_assert_uint_lt(slot, POOL_SLOTS);
	return slot;
}

static inline uint32_t find(const struct table *t, const char *name)
{
	return table_find(t, name, strlen(name));
}

static inline void check_name(const struct table *t, uint32_t slot, const char *want)
{
	size_t len = 99999;
	const char *name = table_name(t, slot, &len);

	ck_assert_ptr_nonnull(name);
	ck_assert_str_eq(name, want);
	ck_assert_uint_eq(len, strlen(want));
}

#endif
