/* Another preload, which wraps dlsym() itself. */
#include "version.h"

#include <dlfcn.h>
#include <stdlib.h>

int wrapper_calls;

void *dlsym(void *handle, const char *name)
{
	static void *(*next)(void *handle, const char *name);
	void *found;

	if (!next)
		*(void **)&next = dlvsym(RTLD_NEXT, "dlsym", FIRST_VERSION);
	if (!next)
		abort();
	found = next(handle, name);
	wrapper_calls++;
	return found;
}
