/* libc as it is behind the hooks, and the hooks themselves: both made from hooks.def. */
#ifndef PRELOAD_REAL_H
#define PRELOAD_REAL_H

#include <base/sys.h>
#include <netdb.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct io_uring;
struct io_uring_params;
struct __res_state; /* of <resolv.h>, which on old systems gives libc's functions other names */

struct real {
#define HOOK(type, name, params, args)           type(*name) params;
#define HOOK_YOUNG(type, name, params, args)     type(*name) params;
#define HOOK_OWN(type, name, params, args)       /* needs nothing of libc's */
#define HOOK_ALIAS(type, name, of, params, args) /* served by hook_<of>() */
#define HOOK_JUMP(type, name, params)            type(*name) params;
#define REAL(type, name, params)                 type(*name) params;
#include "hooks.def"
#undef HOOK
#undef HOOK_YOUNG
#undef HOOK_OWN
#undef HOOK_ALIAS
#undef HOOK_JUMP
#undef REAL
};

/*
 * Never NULL, and no member is NULL: a function that this libc lacks fails with ENOSYS. Resolved in
 * the constructor, or before it at a first call from another library's constructor.
 */
const struct real *real_get(void);

/* By the constructor: those that not every libc has, too. Before that they fail with ENOSYS. */
void real_complete(void);
#define real real_get()

/* The table that tunnel/ works on: the functions behind the hooks. */
extern const struct sys real_sys;

#define HOOK(type, name, params, args)       type hook_##name params;
#define HOOK_YOUNG(type, name, params, args) type hook_##name params;
#define HOOK_OWN(type, name, params, args)   type hook_##name params;
#define HOOK_ALIAS(type, name, of, params, args)
#define HOOK_JUMP(type, name, params) type hook_##name params;
#define REAL(type, name, params)
#include "hooks.def"
#undef HOOK
#undef HOOK_YOUNG
#undef HOOK_OWN
#undef HOOK_ALIAS
#undef HOOK_JUMP
#undef REAL

#endif
