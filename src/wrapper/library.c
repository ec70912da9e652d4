#include "library.h"

#include <errno.h>
#include <launch/beside.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

int library_find(char *buf, size_t cap)
{
	static const struct beside library = {
		SOCKSIFY_LIBDIR_FROM_BINDIR "/libsocksify.so",
		"../preload/libsocksify.so",
		SOCKSIFY_LIBDIR "/libsocksify.so",
	};
	char folder[PATH_MAX];
	bool is_known = beside_folder("/proc/self/exe", folder, sizeof(folder)) == 0;
	int err = beside_find(&library, is_known ? folder : NULL, buf, cap);

	return err == 0 && strpbrk(buf, " :\t\n") ? -EINVAL : err;
}
