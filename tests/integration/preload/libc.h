/* libc's own function, past the library under test. */
#ifndef TEST_LIBC_H
#define TEST_LIBC_H

/* Addresses are passed as a union that ISO C does not know; gcc says so of such pointers. */
#pragma GCC diagnostic ignored "-Wpedantic"

#include <check.h>
#include <dlfcn.h>
#include <stdint.h>

static inline uintptr_t libc_find(const char *name)
{
	void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD), *at;

	ck_assert_ptr_nonnull(libc);
	at = dlsym(libc, name);
	ck_assert_ptr_nonnull(at);
	dlclose(libc);
	return (uintptr_t)at;
}

#define LIBC(name) ((__typeof__(&(name)))libc_find(#name))

#endif
