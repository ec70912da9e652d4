#include "library.h"
#include "beside.h"

#include <errno.h>
#include <string.h>

int library_find(char *buf, size_t cap)
{
	static const struct beside library = {
		SOCKSIFY_LIBDIR_FROM_BINDIR "/libsocksify.so",
		"../preload/libsocksify.so",
		SOCKSIFY_LIBDIR "/libsocksify.so",
	};
	int err = beside_find(&library, buf, cap);

	return err == 0 && strpbrk(buf, " :\t\n") ? -EINVAL : err;
}
