/*
 * The only file that defines libc's names. No logic: each export is its hook. The names are given
 * to the assembler, so that no declaration, macro or transparent union of libc's headers stands in
 * the way.
 */
#include "real.h"

#define EXPORT __attribute__((visibility("default"), used))

#define HOOK(type, name, params, args)            \
	type export_##name params __asm__(#name); \
	EXPORT type export_##name params          \
	{                                         \
		return hook_##name args;          \
	}
#define HOOK_ALIAS(type, name, of, params, args)  \
	type export_##name params __asm__(#name); \
	EXPORT type export_##name params          \
	{                                         \
		return hook_##of args;            \
	}
#define REAL(type, name, params)
#include "hooks.def"
