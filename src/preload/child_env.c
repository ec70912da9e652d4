/* The environment of a program that this one starts. */
#include "child.h"

#include "environment.h"

#include <launch/entry.h>
#include <launch/environ.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PRELOAD "LD_PRELOAD="
#define AUDIT   "LD_AUDIT="
#define BARE    "libsocksify.so"

/* Longer values of LD_PRELOAD are made anew even where they are right. */
#define COMPARED_MAX 512

/* The root folder in which the loader found the library by its name alone; ->st_ino 0: it didn't.*/
static struct stat bare_root;

void child_env_init(void)
{
	const char *preload = getenv("LD_PRELOAD"), *at = preload;
	size_t len = sizeof(BARE) - 1;

	/* In a folder of the loader's own, and not of a variable's that may be another one's. */
	if (getenv("LD_LIBRARY_PATH"))
		return;
	for (; at && *at; at += strcspn(at, " :"), at += strspn(at, " :"))
		if (strncmp(at, BARE, len) == 0 && strchr(" :", at[len])) {
			if (stat("/", &bare_root) < 0)
				bare_root.st_ino = 0;
			return;
		}
}

static bool serves(const char *entry, size_t len, const void *arg)
{
	const struct child *c = arg;
	struct stat root;

	if (memchr(entry, '/', len))
		return entry_serves(entry, len, &c->target);
	return bare_root.st_ino != 0 && c->target.is_native && stat("/", &root) == 0 &&
	       root.st_dev == bare_root.st_dev && root.st_ino == bare_root.st_ino;
}

/* The variable as the loader reads it: of several of this name it takes the last. */
static size_t find_preload(char *const envp[], size_t *n)
{
	size_t at = SIZE_MAX;

	for (*n = 0; envp && envp[*n]; ++*n)
		if (strncmp(envp[*n], PRELOAD, sizeof(PRELOAD) - 1) == 0)
			at = *n;
	return at;
}

/* Audit libraries have a libc of their own, which no preloaded library gets into. */
static bool is_audit(const char *variable)
{
	return strncmp(variable, AUDIT, sizeof(AUDIT) - 1) == 0 && variable[sizeof(AUDIT) - 1];
}

static size_t count_audits(char *const envp[])
{
	size_t n = 0;

	for (; envp && *envp; envp++)
		n += is_audit(*envp);
	return n;
}

/* Another libc's loader fails for the library, and another class's complains of it. */
static bool is_hindered(const struct child *c)
{
	return c->way == CHILD_OPEN && (c->target.why == TARGET_WHY_LOADER || c->target.is_idle);
}

/* The value of LD_PRELOAD; returns how many octets it takes, with its NUL, or 0: it stays. */
static size_t make_value(const struct child *c, const char *old, char *buf, size_t cap)
{
	size_t need = 0;

	if (is_hindered(c)) {
		if (!old)
			return 0;
		need = strlen(old) + 1;
		if (need <= cap) {
			memcpy(buf, old, need);
			environ_unpreload(buf);
		}
		return need;
	}
	if (c->entry[0])
		environ_preload(buf, cap, old, c->entry, serves, c, &need);
	return need;
}

bool child_env_serves(const struct child *c, char *const envp[])
{
	const char *missing[ENVIRONMENT_MAX], *old;
	char value[COMPARED_MAX];
	size_t n, at = find_preload(envp, &n), need;

	if (environment_missing(envp, missing) > 0 || count_audits(envp) > 0)
		return false;
	old = at < n ? envp[at] + sizeof(PRELOAD) - 1 : NULL;
	need = make_value(c, old, value, sizeof(value));
	return need == 0 || (old && need <= sizeof(value) && strcmp(old, value) == 0);
}

size_t child_env_len(const struct child *c, char *const envp[], size_t *text)
{
	const char *missing[ENVIRONMENT_MAX];
	size_t n, at = find_preload(envp, &n);
	const char *old = at < n ? envp[at] + sizeof(PRELOAD) - 1 : NULL;
	size_t need = make_value(c, old, NULL, 0);

	*text = need > 0 ? sizeof(PRELOAD) - 1 + need : 0;
	return n - count_audits(envp) + (need > 0 && !old) + environment_missing(envp, missing) + 1;
}

void child_env(const struct child *c, char *const envp[], char **out, char *text)
{
	const char *missing[ENVIRONMENT_MAX];
	size_t n, at = find_preload(envp, &n), n_missing = environment_missing(envp, missing);
	const char *old = at < n ? envp[at] + sizeof(PRELOAD) - 1 : NULL;
	size_t need = make_value(c, old, NULL, 0);

	if (count_audits(envp) > 0)
		child_tell_audit();
	if (need > 0) {
		memcpy(text, PRELOAD, sizeof(PRELOAD) - 1);
		make_value(c, old, text + sizeof(PRELOAD) - 1, need);
	}
	for (size_t i = 0; i < n; i++) {
		if (is_audit(envp[i]))
			continue;
		if (i != at || need == 0)
			*out++ = envp[i];
		else if (text[sizeof(PRELOAD) - 1])
			*out++ = text;
	}
	if (need > 0 && !old)
		*out++ = text;
	for (size_t i = 0; i < n_missing; i++)
		*out++ = (char *)(uintptr_t)missing[i];
	*out = NULL;
}
