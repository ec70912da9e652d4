#include "environment.h"

#include "session.h"

#include <config/inherit.h>
#include <names/table.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#define NAMES_VARIABLE "SOCKSIFY_NAMES="

_Static_assert(KEY_COUNT <= ENVIRONMENT_MAX, "there is room for every variable");

static char entry[sizeof(NAMES_VARIABLE) + PATH_MAX];
static struct inherit kept;

/*
 * setenv() would allocate, and this runs in the constructor, before an allocator of the program's
 * own may be ready. A larger vector in memory of ours serves: libc copies it when it wants to
 * change it.
 */
static void environment_set(char *text, size_t name_len)
{
	size_t n = 0, i, size;
	char **vector;

	while (environ && environ[n])
		n++;
	size = (n + 2) * sizeof(*vector);
	vector = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (vector == MAP_FAILED)
		return;
	if (n > 0)
		memcpy(vector, environ, n * sizeof(*vector));
	for (i = 0; i < n; i++)
		if (strncmp(vector[i], text, name_len) == 0)
			break;
	vector[i] = text;
	environ = vector; /* what follows is zero */
}

void environment_session(struct config *cfg)
{
	uint64_t nonce;

	/* What is malformed here must be as malformed for the programs that this one starts. */
	if (cfg->broken || (cfg->names_path[0] && !table_is_foreign(cfg->names_path)))
		return;
	if (getrandom(&nonce, sizeof(nonce), GRND_NONBLOCK) != sizeof(nonce))
		return;
	if (table_new_path(cfg->names_path, sizeof(cfg->names_path),
	                   secure_getenv("XDG_RUNTIME_DIR"), nonce) < 0) {
		cfg->names_path[0] = '\0';
		return;
	}
	memcpy(entry, NAMES_VARIABLE, sizeof(NAMES_VARIABLE) - 1);
	strcpy(entry + sizeof(NAMES_VARIABLE) - 1, cfg->names_path);
	environment_set(entry, sizeof(NAMES_VARIABLE) - 1);
}

void environment_keep(const struct config *cfg)
{
	size_t size = inherit_init(&kept, cfg, secure_getenv, NULL, 0);
	char *room;

	if (size == 0)
		return;
	room = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED)
		return;
	inherit_init(&kept, cfg, secure_getenv, room, size);
	mprotect(room, size, PROT_READ);
}

size_t environment_missing(char *const envp[], const char *out[ENVIRONMENT_MAX])
{
	session_config();
	return inherit_missing(&kept, envp, out);
}
