/* Libraries that are loaded in ways that go round a preloaded one, and libc's own handle. */
#include "doors.h"

#include <dlfcn.h>
#include <errno.h>
#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *plugin(void)
{
	static char path[4300];
	char copy[4096];

	snprintf(copy, sizeof(copy), "%s", door_self);
	snprintf(path, sizeof(path), "%s/libdoorplugin.so", dirname(copy));
	return path;
}

/* libdoorplugin.so: connects by itself, and fetches. */
static int run_plugin(void *lib)
{
	int (*run)(const char *, const char *) = NULL;
	void *found;

	if (!lib) {
		printf("%s\n", dlerror());
		return -EACCES;
	}
	found = dlsym(lib, "door_plugin");
	memcpy(&run, &found, sizeof(run));
	return run ? (run(WEB4, door_request) == 0 ? DOOR_THROUGH : -EIO) : -ENOSYS;
}

static int open_plainly(char **args)
{
	(void)args;
	return run_plugin(dlopen(plugin(), RTLD_NOW));
}

static int open_deeply(char **args)
{
	(void)args;
	return run_plugin(dlopen(plugin(), RTLD_NOW | RTLD_DEEPBIND));
}

static int open_apart(char **args)
{
	(void)args;
	return run_plugin(dlmopen(LM_ID_NEWLM, plugin(), RTLD_NOW));
}

static int connect_found(void *found)
{
	int (*call)(int, const struct sockaddr *, socklen_t) = NULL;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_storage web;
	socklen_t len = door_address(&web, WEB4, 80);

	if (!found)
		return -ENOSYS;
	memcpy(&call, &found, sizeof(call));
	return door_fetch(fd, call(fd, (struct sockaddr *)&web, len));
}

static int by_handle(char **args)
{
	(void)args;
	return connect_found(dlsym(dlopen("libc.so.6", RTLD_NOW), "connect"));
}

static int by_handle_and_version(char **args)
{
	void *lib = dlopen("libc.so.6", RTLD_NOW);

	(void)args;
#ifdef __x86_64__
	return connect_found(dlvsym(lib, "connect", "GLIBC_2.2.5"));
#else
	return connect_found(dlsym(lib, "connect"));
#endif
}

static int by_default(char **args)
{
	(void)args;
	return connect_found(dlsym(RTLD_DEFAULT, "connect"));
}

static int by_next(char **args)
{
	(void)args;
	return connect_found(dlsym(RTLD_NEXT, "connect"));
}

/* "doors dlopen" again, with an audit library. */
static int audited(char **args)
{
	char audit[4200], word[] = "dlopen", *words[] = { door_self, word, NULL };
	char *envp[] = { audit, NULL };
	pid_t pid = fork();

	(void)args;
	if (pid == 0) {
		snprintf(audit, sizeof(audit), "LD_AUDIT=%s", plugin());
		execve(door_self, words, envp);
		_exit(1);
	}
	return door_of_child(pid);
}

/* The same by the loader as a command, whose program has no network then. */
static int audited_by_loader(char **args)
{
	char option[] = "--audit", lib[4200], program[] = "/bin/true";
	char *words[] = { NULL, option, lib, program, NULL }, *none[] = { NULL };
	pid_t pid;

	(void)args;
	words[0] = (char *)(uintptr_t)door_loader();
	if (!words[0])
		return door_lacks("no loader is named");
	pid = fork();
	if (pid == 0) {
		snprintf(lib, sizeof(lib), "%s", plugin());
		execve(words[0], words, none);
		_exit(1);
	}
	return door_of_child(pid);
}

const struct door doors_loading[] = {
	{ "dlopen", open_plainly, ALL_SEND, DOOR_THROUGH, NULL },
	{ "dlopen-deepbind", open_deeply, ALL_SEND, DOOR_THROUGH, NULL },
	{ "dlmopen", open_apart, ALL_SEND, -EACCES, NULL },
	{ "dlsym-of-libc", by_handle, ALL_SEND, DOOR_ANY_ERROR, NULL },
	{ "dlvsym-of-libc", by_handle_and_version, ALL_SEND, DOOR_ANY_ERROR, NULL },
	{ "dlsym-default", by_default, ALL_SEND, DOOR_THROUGH, NULL },
	{ "dlsym-next", by_next, ALL_SEND, DOOR_THROUGH, NULL },
	{ "audit-library", audited, ALL_SEND, DOOR_THROUGH, NULL },
	{ "audit-library-by-loader", audited_by_loader, ALL_SEND, DOOR_THROUGH, NULL },
	{ NULL, NULL, SENDS_NOTHING, 0, NULL },
};
