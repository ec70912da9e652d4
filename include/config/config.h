/*
 * The configuration, read once from the environment into memory of its own, so that a program which
 * wipes or rewrites its environment changes nothing. config/keys.def lists every variable.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <base/log.h>
#include <config/url.h>
#include <limits.h>

#define CONFIG_TIMEOUT_DEFAULT_MS 30000
#define CONFIG_COMPLAINT_MAX      512

struct config {
	struct proxy proxy;
	bool broken;    /* a value is malformed: every connect is refused, ->complaint says why */
	int timeout_ms; /* for one connect through the proxy */
	enum log_level log;
	char log_file[PATH_MAX];   /* "" is stderr */
	char names_path[PATH_MAX]; /* "" where the session has no table yet */
	char complaint
		[CONFIG_COMPLAINT_MAX];     /* one line, without a password; "" when all is well */
	char warning[CONFIG_COMPLAINT_MAX]; /* something odd but harmless; "" when not */
};

/*
 * Fill @cfg from the environment. Allocates nothing, opens nothing; may run before main().
 *
 * @lookup        getenv(3) or a test's own
 * @log_default   level where SOCKSIFY_LOG is not set
 *
 * The proxy: SOCKSIFY_PROXY, else ALL_PROXY, else all_proxy (a scheme that is not SOCKS there is
 * one warning and counts as unset), else socks5h://127.0.0.1:1080. Empty variables count as unset.
 */
void config_read(struct config *cfg, char *(*lookup)(const char *name), enum log_level log_default);

#endif
