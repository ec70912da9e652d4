/*
 * socksify: put the library and its configuration into the environment, and become PROGRAM. No
 * parent stays, but for --audit, and PROGRAM has no child that it doesn't know.
 */
#include "audit.h"
#include "dns_check.h"
#include "library.h"
#include "options.h"
#include "proxy_check.h"
#include "server.h"
#include "settings.h"
#include "shell.h"
#include "target.h"

#include <base/deed.h>
#include <base/errtext.h>
#include <errno.h>
#include <launch/entry.h>
#include <names/table.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COLLECT_AGE_S 600 /* unused tables are looked for every ten minutes at most */

static int find_library(char *lib, size_t cap)
{
	const char *why = "the library is not there; is the installation complete?";
	int err = library_find(lib, cap);

	if (err == 0)
		return 0;
	if (err == -EINVAL)
		why = "LD_PRELOAD can't carry a path with a space or a colon; install to another "
		      "prefix";
	fprintf(stderr, "socksify: %s: %s\n", lib, why);
	return EXIT_SOCKSIFY;
}

/*
 * For programs that nobody knows yet. Where libraries of two classes are installed the path alone
 * would make those of the second class go unproxied after a complaint.
 */
static int preload_for_any(struct settings *s, const char *lib)
{
	const struct target any = { .kind = TARGET_DYNAMIC, .is_native = true };
	char entry[PATH_MAX];

	return settings_preload(s, entry_for(entry, sizeof(entry), lib, &any) < 0 ? lib : entry);
}

static int print_env(struct settings *s, const char *lib, bool for_fish)
{
	int status = preload_for_any(s, lib);

	if (status != 0)
		return status;
	shell_print(stdout, s, for_fish);
	if (fflush(stdout) == 0)
		return 0;
	fprintf(stderr, "socksify: standard output: %s\n", err_text(errno));
	return EXIT_SOCKSIFY;
}

/* In the file of the audit that this is part of, of its own or of a session around it. */
static void note(const struct settings *s, const struct target_plan *plan)
{
	static const enum deed_kind kinds[] = {
		[TARGET_CLOSED] = DEED_CLOSED,
		[TARGET_OPEN] = DEED_OPEN,
		[TARGET_REFUSED] = DEED_NOT_RUN,
	};
	const char *path = s->value[KEY_AUDIT] ? s->value[KEY_AUDIT] : s->cfg.audit_path;
	const struct deed deed = {
		.kind = kinds[plan->way],
		.pid = (unsigned long)getpid(),
		.program = "socksify",
		.subject = plan->path,
		.why = plan->reason,
	};

	if (path[0] && plan->reason[0])
		deed_append(path, &deed);
}

/* What can go wrong without a server is over before there is one. */
static int run(struct settings *s, const struct options *o, const char *lib, char **argv)
{
	static struct target_plan plan;
	static char url[SERVER_URL_MAX];
	int status;

	/* By the library, as a rule. */
	if (o->argv0)
		target_take_descriptor(o->program[0]);
	target_prepare(o->program, &s->cfg, lib, &plan);
	if (plan.way != TARGET_PRELOADED)
		note(s, &plan);
	if (plan.way == TARGET_REFUSED) {
		fprintf(stderr, "socksify: %s\n", plan.line);
		return plan.status;
	}
	/* What the library can't get into may start something that it can. */
	status = plan.way == TARGET_PRELOADED ? settings_preload(s, plan.entry)
	                                      : preload_for_any(s, lib);
	if (status != 0)
		return status;
	if (o->with_server) {
		if (server_start(url, sizeof(url), argv) < 0)
			return EXIT_SOCKSIFY;
		s->value[KEY_PROXY] = url;
	}
	status = settings_export(s);
	if (status != 0)
		return status;
	if (s->value[KEY_NAMES])
		table_collect(getenv("XDG_RUNTIME_DIR"), COLLECT_AGE_S);
	if (plan.line[0] || getenv("LD_AUDIT"))
		log_init("socksify", s->cfg.log, s->cfg.log_file[0] ? s->cfg.log_file : NULL);
	if (o->argv0)
		o->program[0] = o->argv0;
	return target_run(&plan, o->program);
}

/* In a child of this process, which stays to tell. */
static int run_audited(struct settings *s, const struct options *o, const char *lib, char **argv)
{
	static struct audit audit;
	int status = audit_fork(&audit, o->program[0], s->cfg.log_file);

	if (status >= 0)
		return status;
	s->value[KEY_AUDIT] = audit.path;
	status = run(s, o, lib, argv);
	audit_not_run(&audit);
	return status;
}

static int do_as_told(const struct options *o, char **argv)
{
	static struct settings settings;
	char lib[PATH_MAX];
	int status;

	if (o->mode == MODE_CLOSED)
		return target_run_closed(o->program, o->argv0,
		                         o->key_value[KEY_LOG] &&
		                                 strcmp(o->key_value[KEY_LOG], "error") == 0);
	status = settings_init(&settings, o, o->with_server ? SERVER_URL_LIKE : NULL);
	if (status == 0)
		status = settings_judge(&settings);
	if (status == 0 && o->mode == MODE_CHECK)
		return proxy_check_run(&settings.cfg, settings.proxy_origin, o->destination);
	if (status == 0 && o->mode == MODE_DNS_CHECK)
		return dns_check_run(&settings.cfg, settings.proxy_origin, o->program);
	if (status == 0)
		status = find_library(lib, sizeof(lib));
	if (status == 0 && o->mode == MODE_PRINT_ENV)
		status = print_env(&settings, lib, o->for_fish);
	else if (status == 0 && o->audit)
		status = run_audited(&settings, o, lib, argv);
	else if (status == 0)
		status = run(&settings, o, lib, argv);
	settings_fini(&settings);
	return status;
}

int main(int argc, char **argv)
{
	struct options o;
	int status = options_parse(argc, argv, &o);

	if (status >= 0)
		return status;
	status = do_as_told(&o, argv);
	options_fini(&o);
	return status;
}
