/*
 * socksify: put the library and its configuration into the environment, and become PROGRAM. No
 * parent stays, and PROGRAM has no child that it doesn't know.
 */
#include "library.h"
#include "options.h"

#include <base/errtext.h>
#include <config/config.h>
#include <errno.h>
#include <launch/environ.h>
#include <names/table.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define COLLECT_AGE_S 600 /* unused tables are looked for every ten minutes at most */

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "socksify: %s: %s\n", what, why);
	return EXIT_SOCKSIFY;
}

/*
 * The configuration is judged here, where a person sees it, before the library meets it in silence.
 */
static int check_config(void)
{
	static struct config cfg;
	const char *lower = getenv("all_proxy");

	config_read(&cfg, getenv, LOG_LEVEL_WARN);
	if (cfg.broken) {
		fprintf(stderr, "socksify: %s\n", cfg.complaint);
		return EXIT_SOCKSIFY;
	}
	/*
	 * A foreign ALL_PROXY is told here, once: with the proxy spelt out no program of the
	 * session tells it again. The label has no credentials, and needs none: it is the default's
	 * where all_proxy is not it.
	 */
	if (cfg.warning[0]) {
		if (cfg.log >= LOG_LEVEL_WARN)
			fprintf(stderr, "socksify: %s\n", cfg.warning);
		if (!lower || !lower[0] || url_is_foreign(lower))
			lower = cfg.proxy.label;
		if (setenv("SOCKSIFY_PROXY", lower, 1) < 0)
			return fail("SOCKSIFY_PROXY", err_text(errno));
	}
	/* Absolute by now: a program of the session may change its folder and start another. */
	if (cfg.log_file[0] && setenv("SOCKSIFY_LOG_FILE", cfg.log_file, 1) < 0)
		return fail("SOCKSIFY_LOG_FILE", err_text(errno));
	return 0;
}

static int set_preload(void)
{
	char lib[PATH_MAX];
	const char *old = getenv("LD_PRELOAD");
	size_t need = 0;
	char *value;
	int err = library_find(lib, sizeof(lib));

	if (err == -EINVAL)
		return fail(lib, "LD_PRELOAD can't carry a path with a space or a colon; install "
		                 "to another prefix");
	if (err < 0)
		return fail(lib, "the library is not there; is the installation complete?");
	environ_preload(NULL, 0, old, lib, &need);
	value = malloc(need);
	if (!value)
		return fail("LD_PRELOAD", err_text(ENOMEM));
	err = environ_preload(value, need, old, lib, NULL);
	if (err == 0 && setenv("LD_PRELOAD", value, 1) < 0)
		err = -errno;
	free(value);
	return err < 0 ? fail("LD_PRELOAD", err_text(err)) : 0;
}

/* A session has one table of names; a wrapper inside a session of the same user stays in it. */
static int set_session(void)
{
	const char *runtime_dir = getenv("XDG_RUNTIME_DIR");
	const char *present = getenv("SOCKSIFY_NAMES");
	char path[PATH_MAX];
	uint64_t nonce;
	int err;

	if (present && present[0] && !table_is_foreign(present))
		return 0;
	if (getrandom(&nonce, sizeof(nonce), 0) != sizeof(nonce))
		return fail("random octets", err_text(errno));
	err = table_new_path(path, sizeof(path), runtime_dir, nonce);
	if (err == 0 && setenv("SOCKSIFY_NAMES", path, 1) < 0)
		err = -errno;
	table_collect(runtime_dir, COLLECT_AGE_S);
	return err < 0 ? fail("SOCKSIFY_NAMES", err_text(err)) : 0;
}

static int run(char **program)
{
	int err;

	execvp(program[0], program);
	err = errno;
	fprintf(stderr, "socksify: %s: %s\n", program[0],
	        err == ENOENT ? "no such program" : err_text(err));
	return err == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}

int main(int argc, char **argv)
{
	struct options o;
	int status = options_parse(argc, argv, &o);

	if (status >= 0)
		return status;
	if (o.proxy && setenv("SOCKSIFY_PROXY", o.proxy, 1) < 0)
		return fail("SOCKSIFY_PROXY", err_text(errno));
	if (setenv("SOCKSIFY_LOG", "warn", 0) < 0)
		return fail("SOCKSIFY_LOG", err_text(errno));
	status = check_config();
	if (status == 0)
		status = set_preload();
	if (status == 0)
		status = set_session();
	return status ? status : run(o.program);
}
