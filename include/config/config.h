/*
 * The configuration, read once from the environment into memory of its own, so that a program which
 * wipes or rewrites its environment changes nothing. config/keys.def lists every variable.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <base/log.h>
#include <config/prefix.h>
#include <config/rules.h>
#include <config/url.h>
#include <limits.h>

#define CONFIG_TIMEOUT_DEFAULT_MS 30000
#define CONFIG_COMPLAINT_MAX      512

/* Programs that the library can't get into: run with a closed network, not at all, or openly. */
enum exec_policy { EXEC_CLOSED, EXEC_REFUSE, EXEC_ALLOW };

/* Questions to resolv.conf's name servers: answered in place, or sent to them through the proxy. */
enum dns_policy { DNS_POLICY_ANSWER, DNS_POLICY_TUNNEL };

struct config {
	struct proxy proxy;
	bool loopback_too; /* SOCKSIFY_LOOPBACK=proxy: loopback, 0.0.0.0 and :: go there as well */
	enum exec_policy exec;
	enum dns_policy dns;
	bool io_uring; /* SOCKSIFY_IO_URING=allow: rings, which go past the proxy */
	struct prefix pool_ipv4, pool_ipv6; /* where placeholders are taken from */
	bool broken;    /* a value is malformed: every connect is refused, ->complaint says why */
	int timeout_ms; /* for one connect through the proxy */
	enum log_level log;
	char complaint
		[CONFIG_COMPLAINT_MAX];     /* one line, without a password; "" when all is well */
	char warning[CONFIG_COMPLAINT_MAX]; /* something odd but harmless; "" when not */
	/*
	 * Large, and last: only what is set is written, so that a program which is merely
	 * started touches none of it.
	 */
	char log_file[PATH_MAX];   /* "" is stderr */
	char names_path[PATH_MAX]; /* "" where the session has no table yet */
	char audit_path[PATH_MAX]; /* "" where the session is not audited */
	/* "" or, absolute, whose first line is the password: see config_read_password() */
	char password_file[PATH_MAX];
	struct rules no_proxy;
};

/*
 * Fill @cfg from the environment. Allocates nothing, opens nothing; may run before main().
 *
 * @lookup        getenv(3) or a test's own
 * @log_default   level where SOCKSIFY_LOG is not set
 *
 * The proxy: SOCKSIFY_PROXY, else ALL_PROXY, else all_proxy (a scheme that is not SOCKS there is
 * one warning and counts as unset), else socks5h://127.0.0.1:1080. Empty variables count as unset.
 * User and password of the URL come before those of the variables; a password without any user is
 * malformed, but with SOCKS4, which has no passwords and takes none of the variables'.
 */
void config_read(struct config *cfg, char *(*lookup)(const char *name), enum log_level log_default);

/*
 * Read ->password_file into ->proxy, where there is one and the proxy takes a password. Opens the
 * file, and closes it: the library calls it before its first connect, the wrapper at once.
 *
 * The password is the first line, without its LF or CRLF. A pipe, /dev/fd/63 of <(...), is refused:
 * every program of the session reads the file for itself.
 *
 * Returns 0, or -errno where it can't be read (-EINVAL: empty, over 255 octets, a NUL in it, or no
 * regular file) with ->complaint telling of it and ->broken set. A file that others may read is
 * told in ->warning, and taken.
 */
int config_read_password(struct config *cfg);

#endif
