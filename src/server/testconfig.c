#include "testconfig.h"

#include "hostsfile.h"
#include "policy.h"
#include "privileges.h"
#include "ruleset.h"
#include "usersfile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool is_rules_good(const struct options *o)
{
	struct ruleset *rules = NULL;
	bool good = policy_check_rules(&rules, o, NULL) == 0;

	ruleset_free(rules);
	return good;
}

static bool is_users_good(const struct options *o)
{
	struct users *users = NULL;
	bool good = !o->users || usersfile_load(&users, NULL, o->users) == 0;

	users_free(users);
	return good;
}

static bool is_hosts_good(const struct options *o)
{
	struct hostsfile hosts = { .path = o->hosts };
	int err = o->hosts ? hostsfile_read(&hosts) : 0;

	if (err < 0)
		fprintf(stderr, "socksifyd: --hosts \"%s\": %s\n", o->hosts,
		        err == -EINVAL ? "not a regular file" : strerror(-err));
	hostsfile_fini(&hosts);
	return err == 0;
}

/* Whoever tests need not be root, who takes that user on. */
static bool is_user_good(const struct options *o)
{
	struct privileges p;

	return geteuid() != 0 || privileges_plan(&p, o->user) == 0;
}

int testconfig_run(const struct options *o, bool good)
{
	/* Each has its say. */
	good = is_user_good(o) && good;
	good = is_users_good(o) && good;
	good = is_rules_good(o) && good;
	good = is_hosts_good(o) && good;
	if (!good)
		return OPTIONS_BAD;
	puts("socksifyd: the configuration is good");
	return 0;
}
