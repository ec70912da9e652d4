/*
 * Addresses of names that a rule sends past the proxy, shared by a session's processes through its
 * table: what libc resolved, connect() sees as an address only. A set that grows as it is used;
 * once it is full the oldest are forgotten, and go to the proxy then.
 *
 * Lock-free; allocates nothing; SIGKILL in the midst of a note loses the place of one for good.
 */
#ifndef NAMES_DIRECT_H
#define NAMES_DIRECT_H

#include <base/endpoint.h>
#include <names/table.h>

#define DIRECT_KNOWN 4096 /* addresses that are known at least, of all processes of a session */

/*
 * @ep  an address; a v4-mapped one is IPv4, the scope does not count. With a port it is noted for
 *      that one alone, with port 0 for all
 *
 * Noting one again makes it the newest. Returns 0, -EINVAL for a name, or -ENOSPC where a full
 * tmpfs left no room for any.
 */
int direct_note(struct table *t, const struct endpoint *ep);

/* Was @ep noted for its port, or for all. */
bool direct_find(const struct table *t, const struct endpoint *ep);

#endif
