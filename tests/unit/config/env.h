/* A configuration that is read from the environment of a test's row. */
#ifndef ENV_H
#define ENV_H

#include <config/config.h>
#include <unit.h>

static struct config cfg;

/* "NAME=value" up to NULL. */
static const char *const *environment;
static unsigned asked;

static char *lookup(const char *name)
{
	size_t len = strlen(name);

	asked++;
	for (const char *const *e = environment; *e; e++)
		if (strncmp(*e, name, len) == 0 && (*e)[len] == '=')
			return (char *)(uintptr_t)*e + len + 1;
	return NULL;
}

static void read_env(const char *const *env)
{
	environment = env;
	asked = 0;
	memset(&cfg, 0xaa, sizeof(cfg));
	config_read(&cfg, lookup, LOG_LEVEL_WARN);
}

#endif
