/*
 * dlopen() without RTLD_DEEPBIND. With it a library, and all that it needs, finds libc's functions
 * before any preload's: PHP loads its extensions so, and its curl went past the proxy.
 *
 * libc takes the RUNPATH and the namespace of the caller, which it knows by the return address. So
 * this must be a jump, and a compiler makes a call of it where it does not optimize.
 */
#include "real.h"

#include <dlfcn.h>
#include <stdint.h>

_Static_assert(RTLD_DEEPBIND == 8, "the flag below");

/* Called by the assembler. */
__attribute__((used, visibility("hidden"))) uintptr_t dlopen_target(void);

uintptr_t dlopen_target(void)
{
	return (uintptr_t)real->dlopen;
}

#define FUNCTION(body)                                   \
	__asm__(".text\n"                                \
	        ".hidden hook_dlopen\n"                  \
	        ".globl hook_dlopen\n"                   \
	        ".type hook_dlopen, %function\n"         \
	        "hook_dlopen:\n"                         \
	        ".cfi_startproc\n" body ".cfi_endproc\n" \
	        ".size hook_dlopen, . - hook_dlopen")

/* clang-format off */
#if defined(__x86_64__)
FUNCTION("	endbr64\n"
	 "	pushq	%rdi\n"
	 "	.cfi_adjust_cfa_offset 8\n"
	 "	pushq	%rsi\n"
	 "	.cfi_adjust_cfa_offset 8\n"
	 "	subq	$8, %rsp\n"
	 "	.cfi_adjust_cfa_offset 8\n"
	 "	call	dlopen_target\n"
	 "	addq	$8, %rsp\n"
	 "	.cfi_adjust_cfa_offset -8\n"
	 "	popq	%rsi\n"
	 "	.cfi_adjust_cfa_offset -8\n"
	 "	popq	%rdi\n"
	 "	.cfi_adjust_cfa_offset -8\n"
	 "	andl	$~8, %esi\n"
	 "	jmp	*%rax\n");
#elif defined(__i386__)
/* The arguments on the stack are the called function's own to change. */
FUNCTION("	endbr32\n"
	 "	subl	$12, %esp\n"
	 "	.cfi_adjust_cfa_offset 12\n"
	 "	call	dlopen_target\n"
	 "	addl	$12, %esp\n"
	 "	.cfi_adjust_cfa_offset -12\n"
	 "	andl	$~8, 8(%esp)\n"
	 "	jmp	*%eax\n");
#elif defined(__aarch64__)
FUNCTION("	hint	34\n" /* bti c */
	 "	stp	x29, x30, [sp, -32]!\n"
	 "	.cfi_adjust_cfa_offset 32\n"
	 "	.cfi_rel_offset x30, 8\n"
	 "	stp	x0, x1, [sp, 16]\n"
	 "	bl	dlopen_target\n"
	 "	mov	x16, x0\n"
	 "	ldp	x0, x1, [sp, 16]\n"
	 "	ldp	x29, x30, [sp], 32\n"
	 "	.cfi_adjust_cfa_offset -32\n"
	 "	.cfi_restore x30\n"
	 "	and	w1, w1, #0xfffffff7\n"
	 "	br	x16\n");
#else
/* Elsewhere libc takes this library for the caller: a RUNPATH of the caller's is not looked at. */
void *hook_dlopen(const char *file, int flags)
{
	return real->dlopen(file, flags & ~RTLD_DEEPBIND);
}
#endif
/* clang-format on */
