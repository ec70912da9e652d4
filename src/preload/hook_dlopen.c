/*
 * dlopen() without RTLD_DEEPBIND. With it a library, and all that it needs, finds libc's functions
 * before any preload's: PHP loads its extensions so, and its curl went past the proxy. dlmopen()
 * opens a namespace without any preload: only the program's own is to be had.
 */
#include "audit.h"
#include "jump.h"
#include "real.h"

#include <base/log.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

_Static_assert(RTLD_DEEPBIND == 8, "the flag below");

#define NO_NAMESPACE LONG_MAX

JUMP_TARGET uintptr_t dlopen_target(void);
JUMP_TARGET uintptr_t dlmopen_target(Lmid_t space);

/* dlerror() then says "FILE (...): invalid target namespace in dlmopen()": libc keeps a copy. */
static void *refuse(Lmid_t space, const char *file, int flags)
{
	static atomic_bool told;
	char label[PATH_MAX];

	(void)space, (void)flags;
	if (!atomic_exchange(&told, true))
		log_warn("%s[%d]: dlmopen(\"%s\") refused: it would go past the proxy in a "
		         "namespace of its own",
		         program_invocation_short_name, (int)getpid(), file ? file : "");
	audit_note(DEED_REFUSED, file ? file : "the program once more",
	           "dlmopen() would take it past the proxy, to a namespace of its own");
	snprintf(label, sizeof(label), "%s (libsocksify allows only LM_ID_BASE)",
	         file ? file : "the program");
	return real->dlmopen(NO_NAMESPACE, label, RTLD_LAZY);
}

uintptr_t dlopen_target(void)
{
	return (uintptr_t)real->dlopen;
}

uintptr_t dlmopen_target(Lmid_t space)
{
	return space == LM_ID_BASE ? (uintptr_t)real->dlmopen : (uintptr_t)refuse;
}

#ifdef JUMP_HOOK
JUMP_HOOK(dlopen, JUMP_CLEAR_2ND(8));
JUMP_HOOK(dlmopen, JUMP_CLEAR_3RD(8));
#else
/* Elsewhere libc takes this library for the caller: a RUNPATH of the caller's is not looked at. */
void *hook_dlopen(const char *file, int flags)
{
	return real->dlopen(file, flags & ~RTLD_DEEPBIND);
}

void *hook_dlmopen(long space, const char *file, int flags)
{
	void *(*target)(long space, const char *file, int flags);

	*(uintptr_t *)&target = dlmopen_target(space);
	return target(space, file, flags & ~RTLD_DEEPBIND);
}
#endif
