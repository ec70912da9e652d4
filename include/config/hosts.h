/*
 * A hosts(5) file as an immutable snapshot: the library reads /etc/hosts with it, the server
 * --hosts FILE. Being immutable it needs no lock: readers keep the pointer that they have, a
 * changed file is loaded anew beside it.
 */
#ifndef CONFIG_HOSTS_H
#define CONFIG_HOSTS_H

#include <base/endpoint.h>
#include <stdbool.h>

struct hosts;

/*
 * Read and index a file. Lines that are not "ADDRESS NAME..." are skipped; the first of them is
 * told in @bad_line (0: none), since a server wants to complain and libc does not. No descriptor
 * stays open.
 *
 * Returns NULL with errno set where the file can't be read or memory is short.
 */
struct hosts *hosts_load(const char *path, unsigned *bad_line);
void hosts_free(struct hosts *h);

/* Is the file at the path still the one that was read (device, inode, size, times). */
bool hosts_is_current(const struct hosts *h);

/* Is the name listed at all, in any family. ASCII case and one trailing dot do not count. */
bool hosts_knows(const struct hosts *h, const char *name, size_t len);

/*
 * Addresses of a name in the file's order, duplicates dropped, ports 0.
 * @family  AF_INET, AF_INET6 or AF_UNSPEC. Returns how many were written, at most @max.
 */
size_t hosts_find(const struct hosts *h, const char *name, size_t len, int family,
                  struct endpoint *out, size_t max);

#endif
