/* libc's own function, past the library under test, whose dlsym() would find its own. */
#ifndef TEST_LIBC_H
#define TEST_LIBC_H

/* Addresses are passed as a union that ISO C does not know; gcc says so of such pointers. */
#pragma GCC diagnostic ignored "-Wpedantic"

#include <stdint.h>

uintptr_t libc_find(const char *name);

#define LIBC(name) ((__typeof__(&(name)))libc_find(#name))

#endif
