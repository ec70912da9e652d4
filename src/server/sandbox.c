#include "sandbox.h"

#include "events.h"
#include "filter.h"
#include "landlock.h"
#include "nss.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * What is opened later, by us, by c-ares or by libc: where names are asked, in /etc, and where
 * programs that write resolv.conf keep it, since it may become a link to another of them; the
 * source of c-ares' query ids; what malloc(3) and sysconf(3) want to know.
 */
static const char *const places[] = {
	"/etc",
	"/run/systemd/resolve",
	"/run/NetworkManager",
	"/run/resolvconf",
	"/run/connman",
	"/run/netconfig",
	"/mnt/wsl",
	"/dev/urandom",
	"/sys/devices/system/cpu",
	"/proc/sys/vm/overcommit_memory",
};

/* And by libc's modules for names. */
static const char *const nss_places[] = {
	"/run/systemd", "/run/nscd", "/var/db", "/var/lib/misc", "/proc/sys/kernel/hostname",
};

/* Where these are links that lead out of /etc, their folders. */
static const char *const files[] = {
	"/etc/resolv.conf", "/etc/hosts",    "/etc/nsswitch.conf",
	"/etc/host.conf",   "/etc/gai.conf", "/etc/services",
};

#define COUNT(a)   (sizeof(a) / sizeof((a)[0]))
#define PLACES_MAX (COUNT(places) + COUNT(nss_places) + COUNT(files) + 1)

struct list {
	size_t n;
	const char *paths[PLACES_MAX];
	size_t n_own;
	char *own[COUNT(files)];
};

static void add(struct list *l, const char *const *paths, size_t n)
{
	for (size_t i = 0; i < n; i++)
		l->paths[l->n++] = paths[i];
}

/* The folder, for what takes the file's place later; of the root folder the file alone. */
static void add_folder_of(struct list *l, const char *file)
{
	char *real = realpath(file, NULL), *slash = real ? strrchr(real, '/') : NULL;

	if (!slash) {
		free(real);
		return;
	}
	if (slash > real)
		*slash = '\0';
	l->own[l->n_own++] = real;
	l->paths[l->n++] = real;
}

static int restrict_files(bool nss)
{
	struct list l = { 0 };
	int version;

	add(&l, places, COUNT(places));
	if (nss)
		add(&l, nss_places, COUNT(nss_places));
	/* They read the program to name functions, and /proc. */
	if (FILTER_IS_WIDE)
		add(&l, (const char *const[]){ "/" }, 1);
	for (size_t i = 0; i < COUNT(files); i++)
		add_folder_of(&l, files[i]);
	version = landlock_enter(l.paths, l.n);
	while (l.n_own > 0)
		free(l.own[--l.n_own]);
	return version;
}

static const char *why_no_landlock(int err)
{
	return err == -ENOSYS       ? "this kernel has none"
	       : err == -EOPNOTSUPP ? "it was switched off when the kernel was started"
	                            : strerror(-err);
}

void sandbox_enter(struct sandbox *sb, const struct options *o)
{
	*sb = (struct sandbox){ .wanted = !o->no_sandbox, .landlock = -ENOSYS, .filter = -ENOSYS };
	if (!sb->wanted)
		return;
	if (o->resolver_system)
		nss_prepare();
	sb->landlock = restrict_files(o->resolver_system);
	sb->filter = filter_enter_server(o->resolver_system);
}

static void warn_of_what_is_missing(const struct sandbox *sb)
{
	if (sb->landlock < 0)
		event_warn("the sandbox is without landlock", why_no_landlock(sb->landlock));
	if (sb->filter < 0)
		event_warn("the sandbox is without a filter of system calls",
		           sb->filter == -EINVAL ? "this kernel has none" : strerror(-sb->filter));
}

void sandbox_tell(const struct sandbox *sb)
{
	struct event e;

	if (sb->wanted)
		warn_of_what_is_missing(sb);
	event_begin(&e, "sandbox");
	event_text(&e, "seccomp", sb->filter == 0 ? "yes" : "no");
	if (sb->landlock > 0)
		event_number(&e, "landlock", (uint64_t)sb->landlock);
	else
		event_text(&e, "landlock", "no");
	event_number(&e, "user", geteuid());
	event_end(&e);
}
