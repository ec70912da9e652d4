/*
 * The callers' buffers of libc's _r calls, filled from their start. Each call fails, and goes on
 * failing, where there is no room, so that only the last step needs to be looked at.
 */
#ifndef PRELOAD_PACK_H
#define PRELOAD_PACK_H

#include <base/endpoint.h>
#include <config/hosts.h>
#include <netdb.h>

struct pack {
	char *at, *end;
	char **list; /* the one under way, last one first, at the end of the room */
	size_t listed;
	bool full;
};

void pack_init(struct pack *p, char *buf, size_t len);

/* One structure, or NULL. */
void *pack_take(struct pack *p, size_t size, size_t align);

/* A copy of a text, or NULL. */
char *pack_text(struct pack *p, const char *text);

/* A list of copies, one at a time: begin, add..., end, which gives it with a NULL at its end. */
void pack_list_begin(struct pack *p);
void pack_list_add(struct pack *p, const char *text);
char **pack_list_end(struct pack *p);

/* All of @ret but the aliases. Returns 0 or ERANGE, for those as well. */
int pack_host(struct pack *p, const char *name, int family, const struct endpoint *eps, size_t n,
              struct hostent *ret);

/* One line of the hosts file, as the address family that it was looked up for. 0 or ERANGE. */
int pack_line(const struct hosts_line *line, struct hostent *ret, char *buf, size_t len);

#endif
