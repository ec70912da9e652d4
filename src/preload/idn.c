#include "idn.h"

#include "real.h"

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <stdatomic.h>
#include <string.h>

/* Both are libc's own choice: the ABI that these names stand for. */
#define IDN2_SONAME  "libidn2.so.0"
#define IDN2_VERSION "IDN2_0.0.0"
#define IDN2_MALLOC  (-100)

typedef int idn2_convert(const char *name, char **out, int flags);

/* Loaded once, and never unloaded; not having found it is not remembered, as in libc. */
static _Atomic(void *) library;

static idn2_convert *find(const char *function)
{
	void *handle = atomic_load_explicit(&library, memory_order_acquire), *none = NULL;
	idn2_convert *convert = NULL;

	if (!handle) {
		handle = real->dlopen(IDN2_SONAME, RTLD_NOW);
		if (!handle)
			return NULL;
		if (!atomic_compare_exchange_strong(&library, &none, handle)) {
			dlclose(handle); /* another thread was faster: it is the same one */
			handle = none;
		}
	}
	*(void **)&convert = dlvsym(handle, function, IDN2_VERSION);
	return convert;
}

static int convert(const char *function, const char *name, char **out)
{
	int saved = errno, err;
	idn2_convert *fn = find(function);

	errno = saved;
	if (!fn)
		return EAI_IDN_ENCODE;
	*out = NULL;
	/* What libidn2 allocates is freed by free(3). */
	err = fn(name, out, 0);
	if (err == 0)
		return 0;
	return err == IDN2_MALLOC ? EAI_MEMORY : EAI_IDN_ENCODE;
}

bool idn_is_ascii(const char *name)
{
	for (; *name; name++)
		if ((unsigned char)*name >= 0x80)
			return false;
	return true;
}

int idn_encode(const char *name, char **out)
{
	/* An escape within a name that is to be encoded: libc takes it for none. */
	if (strchr(name, '\\'))
		return EAI_IDN_ENCODE;
	return convert("idn2_lookup_ul", name, out);
}

int idn_decode(const char *name, char **out)
{
	return convert("idn2_to_unicode_lzlz", name, out);
}
