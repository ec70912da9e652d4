/*
 * The only file that defines libc's names. No logic: each export is its hook. The names are given
 * to the assembler, so that no declaration, macro or transparent union of libc's headers stands in
 * the way.
 */
#include "real.h"

#define EXPORT __attribute__((visibility("default"), used))

/* ISO C wants no "return" of what a function without a value returns. */
#pragma GCC diagnostic ignored "-Wpedantic"

#define HOOK(type, name, params, args)            \
	type export_##name params __asm__(#name); \
	EXPORT type export_##name params          \
	{                                         \
		return hook_##name args;          \
	}
#define HOOK_YOUNG HOOK
#define HOOK_OWN   HOOK
#define HOOK_ALIAS(type, name, of, params, args)  \
	type export_##name params __asm__(#name); \
	EXPORT type export_##name params          \
	{                                         \
		return hook_##of args;            \
	}
#if defined(__x86_64__) || defined(__i386__)
#define JUMP "jmp "
#elif defined(__arm__) || defined(__aarch64__)
#define JUMP "b "
#elif defined(__riscv)
#define JUMP "tail "
#endif

#ifdef JUMP
#define HOOK_JUMP(type, name, params)                      \
	__asm__(".globl " #name "\n"                       \
	        ".type " #name ", %function\n" #name ":\n" \
	        "\t" JUMP "hook_" #name "\n"               \
	        ".size " #name ", . - " #name);
#else
#define HOOK_JUMP(type, name, params) _Static_assert(0, "this machine's jump is missing above");
#endif
#define REAL(type, name, params)
#include "hooks.def"
