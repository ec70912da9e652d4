/*
 * How it works: the library is installed as PREFIX/LIB/libsocksify.so, where LIB is what our own
 * loader puts for $LIB if it was installed in the usual way. For another class PREFIX/LIB'/ with
 * the LIB' of that class's loader must hold a library of that class. Loaders of second classes are
 * looked for only at the names that the ABIs fix, which mostly is one open(2) that fails.
 */
#include <launch/entry.h>

#include "elf.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOKEN "$LIB"

struct loader {
	const char *path;
	uint8_t class;
	uint16_t machine;
};

/* The class that a kernel of this machine runs besides ours, and its loader's name. */
static const struct loader seconds[] = {
#if defined(__x86_64__) && defined(__LP64__)
	{ "/lib/ld-linux.so.2", ELFCLASS32, EM_386 },
#elif defined(__i386__)
	{ "/lib64/ld-linux-x86-64.so.2", ELFCLASS64, EM_X86_64 },
#elif defined(__aarch64__)
	{ "/lib/ld-linux-armhf.so.3", ELFCLASS32, EM_ARM },
#elif defined(__arm__)
	{ "/lib/ld-linux-aarch64.so.1", ELFCLASS64, EM_AARCH64 },
#endif
	{ NULL, 0, 0 },
};

int entry_dst_lib(const char *loader, char *buf, size_t cap)
{
	char link[32], path[2 * TARGET_NAME_MAX], *from = path + 1, *slash;
	ssize_t n;
	int fd = open(loader, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return (int)n;
	if ((size_t)n == sizeof(path) - 1)
		return -ENAMETOOLONG;
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (path[0] != '/' || slash == path)
		return -ENOENT;
	*slash = '\0';
	if (strncmp(path, "/usr/", 5) == 0)
		from = path + 5;
	/* glibc's that is somewhere else altogether: the last part of its --libdir. */
	else if (strncmp(path, "/lib", 4) != 0)
		from = strrchr(path, '/') + 1;
	if (strlen(from) >= cap)
		return -ENAMETOOLONG;
	memmove(buf, from, strlen(from) + 1);
	return 0;
}

/*
 * Where @lib is PREFIX/LIB/NAME for this loader: PREFIX's length, and @name. The text decides, and
 * then the file: a link in the way may make two folders of one.
 */
static bool is_expanded_by(const char *loader, const char *lib, size_t *prefix, const char **name)
{
	char dst[TARGET_NAME_MAX];
	const char *slash = strrchr(lib, '/');
	size_t len, folder = slash ? (size_t)(slash - lib) : 0;

	if (folder == 0 || entry_dst_lib(loader, dst, sizeof(dst)) < 0)
		return false;
	len = strlen(dst);
	if (len + 1 > folder || lib[folder - len - 1] != '/' ||
	    memcmp(lib + folder - len, dst, len) != 0)
		return false;
	*prefix = folder - len - 1;
	*name = slash + 1;
	return true;
}

/* Is there a library of this class where @loader puts PREFIX/$LIB/NAME. */
static bool is_served(const char *loader, uint8_t class, uint16_t machine, const char *lib,
                      size_t prefix, const char *name)
{
	char dst[TARGET_NAME_MAX], path[PATH_MAX];
	int n;

	if (entry_dst_lib(loader, dst, sizeof(dst)) < 0)
		return false;
	n = snprintf(path, sizeof(path), "%.*s/%s/%s", (int)prefix, lib, dst, name);
	return n > 0 && (size_t)n < sizeof(path) && elf_is_for(path, class, machine);
}

/* The loader of a second class, where this machine has one. */
static const struct loader *find_second(void)
{
	for (const struct loader *l = seconds; l->path; l++)
		if (access(l->path, F_OK) == 0)
			return l;
	return NULL;
}

/* For our own class: does $LIB give @loader the library, and another loader another library. */
static bool is_for_both(const char *own, const char *loader, const char *lib, size_t *prefix,
                        const char **name)
{
	const struct loader *second = find_second();

	return second && is_expanded_by(own, lib, prefix, name) &&
	       (strcmp(own, loader) == 0 || is_expanded_by(loader, lib, prefix, name)) &&
	       is_served(second->path, second->class, second->machine, lib, *prefix, *name);
}

/* A loader that is run as a command has none: its target's class is its own. */
static const char *loader_of(const struct target *target)
{
	if (target->loader[0])
		return target->loader;
	return target->is_native ? elf_own_loader() : NULL;
}

int entry_for(char *buf, size_t cap, const char *lib, const struct target *target)
{
	const char *own = elf_own_loader(), *name;
	const char *loader = loader_of(target);
	bool with_token = false;
	int saved = errno, n;
	size_t prefix;

	if (own && loader && target->is_native)
		with_token = is_for_both(own, loader, lib, &prefix, &name);
	else if (own && loader)
		with_token = is_expanded_by(own, lib, &prefix, &name) &&
		             is_served(loader, target->class, target->machine, lib, prefix, name);
	errno = saved;
	if (!with_token && !target->is_native)
		return -ENOENT;
	if (with_token)
		n = snprintf(buf, cap, "%.*s/" TOKEN "/%s", (int)prefix, lib, name);
	else
		n = snprintf(buf, cap, "%s", lib);
	return n > 0 && (size_t)n < cap ? 0 : -ENAMETOOLONG;
}

/* The length of the name that stands for $LIB here: "$LIB" or "${LIB}". */
static size_t token_len(const char *at, size_t len)
{
	if (len >= 6 && memcmp(at, "${LIB}", 6) == 0)
		return 6;
	if (len >= 4 && memcmp(at, TOKEN, 4) == 0 && (len == 4 || at[4] == '/'))
		return 4;
	return 0;
}

/* ->class and ->machine of what is not known to be ELF are our own. */
static bool is_for_target(const char *path, const struct target *target)
{
	return target->is_elf ? elf_is_for(path, target->class, target->machine)
	                      : access(path, R_OK) == 0;
}

bool entry_serves(const char *entry, size_t len, const struct target *target)
{
	const char *loader = loader_of(target);
	char dst[TARGET_NAME_MAX] = "", path[PATH_MAX];
	int saved = errno;
	size_t n = 0;
	bool serves;

	if (len == 0 || entry[0] != '/')
		return false;
	while (len > 0 && n < sizeof(path)) {
		size_t token = *entry == '$' ? token_len(entry, len) : 0;

		if (token > 0) {
			if (!dst[0] && (!loader || entry_dst_lib(loader, dst, sizeof(dst)) < 0))
				break;
			n += (size_t)snprintf(path + n, sizeof(path) - n, "%s", dst);
		} else if (*entry == '$') {
			break;
		} else {
			path[n++] = *entry;
			token = 1;
		}
		entry += token;
		len -= token;
	}
	serves = len == 0 && n < sizeof(path);
	if (serves) {
		path[n] = '\0';
		serves = is_for_target(path, target);
	}
	errno = saved;
	return serves;
}
