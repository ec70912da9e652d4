/*
 * The constructor: look up libc, read the environment. It allocates nothing, opens nothing, starts
 * nothing.
 */
#include "child.h"
#include "guard.h"
#include "real.h"
#include "session.h"

#include <errno.h>

__attribute__((constructor)) static void start(void)
{
	int saved = errno;

	real_complete();
	session_config();
	child_init();
	child_env_init();
	guard_init();
	errno = saved;
}
