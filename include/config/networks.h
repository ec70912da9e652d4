/* The networks(5) file as a snapshot. */
#ifndef CONFIG_NETWORKS_H
#define CONFIG_NETWORKS_H

#include <stddef.h>
#include <stdint.h>

struct networks;

struct network {
	/*
	 * As inet_network(3) reads the text with octets of 0 for those that are missing: in host
	 * order, 127 is 0x7f000000. INADDR_NONE where it is none, as in libc.
	 */
	uint32_t number;
	const char *names; /* as they are written, each with a NUL; see networks_next_name() */
};

/* Lines that are not "NAME NUMBER [ALIAS...]" are skipped. NULL with errno set where it can't. */
struct networks *networks_load(const char *path);
void networks_free(struct networks *n);

/* In the file's order; NULL after the last one. */
const struct network *networks_at(const struct networks *n, size_t i);

/* The first that has the name, its case not counted, or the number; or NULL. */
const struct network *networks_find(const struct networks *n, const char *name);
const struct network *networks_find_number(const struct networks *n, uint32_t number);

/* The alias after a name, or NULL. */
const char *networks_next_name(const char *name);

#endif
