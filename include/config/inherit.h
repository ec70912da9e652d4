/*
 * The variables that programs which this one starts must find, kept aside: some programs write over
 * the memory of their environment (nginx, setproctitle), others start their children without one.
 */
#ifndef CONFIG_INHERIT_H
#define CONFIG_INHERIT_H

#include <config/config.h>
#include <config/keys.h>

struct inherit {
	const char *text[KEY_COUNT]; /* "NAME=value"; NULL where the variable is not kept */
	bool proxy_is_all_proxy;     /* SOCKSIFY_PROXY's value was ALL_PROXY's */
	bool rules_are_plain;        /* SOCKSIFY_NO_PROXY's was NO_PROXY's */
};

/*
 * Keep each SOCKSIFY_ variable that is set and not empty. The proxy and the rules are kept under
 * our own names wherever they came from, so that other programs find no ALL_PROXY where none was
 * left to them; paths as @cfg has them, absolute. What is malformed stays so.
 *
 * @cfg     read with this very @lookup
 * @buf     where the texts go, for as long as @in is used
 *
 * Returns how many octets are enough; where @cap is less, nothing is kept. Allocates nothing.
 */
size_t inherit_init(struct inherit *in, const struct config *cfg, char *(*lookup)(const char *name),
                    char *buf, size_t cap);

/*
 * Which of them does this environment lack? A variable that it has, if with another value, or an
 * empty one, is its writer's will. So are an ALL_PROXY and a NO_PROXY, where ours came from those.
 * User and password go along only to the proxy, and as the user, that they were meant for.
 *
 * @envp  NULL is an empty one
 *
 * Returns how many of @out are written. Async-signal-safe.
 */
size_t inherit_missing(const struct inherit *in, char *const envp[], const char *out[KEY_COUNT]);

#endif
