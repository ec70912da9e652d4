/*
 * Hooks that jump. dlopen() and its like take the namespace, the RUNPATH and the place in the order
 * of objects of their caller, whom they know by the return address; so that one must stay, and a
 * compiler makes a call of a jump where it does not optimize.
 *
 *	JUMP_HOOK(name, change)
 *
 * makes hook_<name>(), of three arguments at most, which calls <name>_target() with them and, as
 * the fourth, the address that it will return to; and jumps to the address that this one gives it,
 * with the same arguments but for the @change: JUMP_CLEAR_2ND(bits), JUMP_CLEAR_3RD(bits) of an
 * int, or "". It is not defined for machines that nobody has written it for.
 */
#ifndef PRELOAD_JUMP_H
#define PRELOAD_JUMP_H

#define JUMP_FUNCTION(name, body)                                \
	__asm__(".text\n"                                        \
	        ".hidden hook_" #name "\n"                       \
	        ".globl hook_" #name "\n"                        \
	        ".type hook_" #name ", %function\n"              \
	        "hook_" #name ":\n"                              \
	        "	.cfi_startproc\n" body "	.cfi_endproc\n" \
	        ".size hook_" #name ", . - hook_" #name)

/* clang-format off */
#if defined(__x86_64__)
#define JUMP_CLEAR_2ND(bits) "	andl	$~" #bits ", %esi\n"
#define JUMP_CLEAR_3RD(bits) "	andl	$~" #bits ", %edx\n"
#define JUMP_HOOK(name, change) JUMP_FUNCTION(name, \
	"	endbr64\n" \
	"	pushq	%rdi\n" \
	"	.cfi_adjust_cfa_offset 8\n" \
	"	pushq	%rsi\n" \
	"	.cfi_adjust_cfa_offset 8\n" \
	"	pushq	%rdx\n" \
	"	.cfi_adjust_cfa_offset 8\n" \
	"	movq	24(%rsp), %rcx\n" \
	"	call	" #name "_target\n" \
	"	popq	%rdx\n" \
	"	.cfi_adjust_cfa_offset -8\n" \
	"	popq	%rsi\n" \
	"	.cfi_adjust_cfa_offset -8\n" \
	"	popq	%rdi\n" \
	"	.cfi_adjust_cfa_offset -8\n" \
	change \
	"	jmp	*%rax\n")
#elif defined(__i386__)
/* Arguments on the stack are the called function's own to change; when pushed each is at 28. */
#define JUMP_CLEAR_2ND(bits) "	andl	$~" #bits ", 8(%esp)\n"
#define JUMP_CLEAR_3RD(bits) "	andl	$~" #bits ", 12(%esp)\n"
#define JUMP_HOOK(name, change) JUMP_FUNCTION(name, \
	"	endbr32\n" \
	"	subl	$12, %esp\n" \
	"	.cfi_adjust_cfa_offset 12\n" \
	"	pushl	12(%esp)\n" \
	"	.cfi_adjust_cfa_offset 4\n" \
	"	pushl	28(%esp)\n" \
	"	.cfi_adjust_cfa_offset 4\n" \
	"	pushl	28(%esp)\n" \
	"	.cfi_adjust_cfa_offset 4\n" \
	"	pushl	28(%esp)\n" \
	"	.cfi_adjust_cfa_offset 4\n" \
	"	call	" #name "_target\n" \
	"	addl	$28, %esp\n" \
	"	.cfi_adjust_cfa_offset -28\n" \
	change \
	"	jmp	*%eax\n")
#elif defined(__aarch64__)
#define JUMP_CLEAR_2ND(bits) "	and	w1, w1, #~" #bits "\n"
#define JUMP_CLEAR_3RD(bits) "	and	w2, w2, #~" #bits "\n"
#define JUMP_HOOK(name, change) JUMP_FUNCTION(name, \
	"	hint	34\n" /* bti c */ \
	"	stp	x29, x30, [sp, -48]!\n" \
	"	.cfi_adjust_cfa_offset 48\n" \
	"	.cfi_rel_offset x29, 0\n" \
	"	.cfi_rel_offset x30, 8\n" \
	"	stp	x0, x1, [sp, 16]\n" \
	"	str	x2, [sp, 32]\n" \
	"	mov	x3, x30\n" \
	"	bl	" #name "_target\n" \
	"	mov	x16, x0\n" \
	"	ldr	x2, [sp, 32]\n" \
	"	ldp	x0, x1, [sp, 16]\n" \
	"	ldp	x29, x30, [sp], 48\n" \
	"	.cfi_adjust_cfa_offset -48\n" \
	"	.cfi_restore x30\n" \
	"	.cfi_restore x29\n" \
	change \
	"	br	x16\n")
#endif
/* clang-format on */

/* A function that the assembler calls. */
#define JUMP_TARGET __attribute__((used, visibility("hidden")))

#endif
