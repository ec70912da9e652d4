/*
 * A hosts(5) file as an immutable snapshot: the library reads /etc/hosts with it, the server
 * --hosts FILE. Being immutable it needs no lock: readers keep the pointer that they have, a
 * changed file is loaded anew beside it.
 */
#ifndef CONFIG_HOSTS_H
#define CONFIG_HOSTS_H

#include <base/endpoint.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct hosts;

/*
 * Read and index a file. Lines that are not "ADDRESS NAME..." are skipped; the first of them is
 * told in @bad_line (0: none), since a server wants to complain and libc does not. No descriptor
 * stays open.
 *
 * Returns NULL with errno set where the file can't be read or memory is short.
 */
struct hosts *hosts_load(const char *path, unsigned *bad_line);
/* The same from a descriptor, which stays the caller's. */
struct hosts *hosts_load_fd(int fd, unsigned *bad_line);
void hosts_free(struct hosts *h);

/* Is the file at the path still the one that was read (device, inode, size, times). */
bool hosts_is_current(const struct hosts *h);
/* The same for a file of which stat(2) says this; one from a descriptor has no path. */
bool hosts_is_file(const struct hosts *h, const struct stat *now);

/* Is the name listed at all, in any family. ASCII case and one trailing dot do not count. */
bool hosts_knows(const struct hosts *h, const char *name, size_t len);

/*
 * Addresses of a name in the file's order, duplicates dropped, ports 0.
 * @family  AF_INET, AF_INET6 or AF_UNSPEC; see struct hosts_line. Returns how many were written, at
 *          most @max.
 */
size_t hosts_find(const struct hosts *h, const char *name, size_t len, int family,
                  struct endpoint *out, size_t max);

/*
 * One line, as libc's "files" shows it: to those who ask for AF_INET a v4-mapped address is an IPv4
 * one and ::1 is 127.0.0.1; AF_UNSPEC and AF_INET6 see an address as it is written.
 */
struct hosts_line {
	struct endpoint ep; /* without a port */
	/* Its names as they are written, the canonical one first; lives as long as the snapshot. */
	const char *names;
};

/* The next name of a line after @name, or NULL. */
const char *hosts_next_name(const char *name);

/*
 * The lines that have an address of @family, in the file's order. @at is 0 before the first one.
 * Returns false after the last one.
 */
bool hosts_next(const struct hosts *h, int family, uint32_t *at, struct hosts_line *out);

/* Those of them that list the name. An @at belongs to one name. */
bool hosts_next_of(const struct hosts *h, const char *name, size_t len, int family, uint32_t *at,
                   struct hosts_line *out);

/*
 * The first line that has the address, its port and scope not counted. IPv4 finds what AF_INET
 * shows; a v4-mapped address is IPv4.
 */
bool hosts_line_of(const struct hosts *h, const struct endpoint *ep, struct hosts_line *out);

/* The canonical name of that line, or NULL. */
const char *hosts_name_of(const struct hosts *h, const struct endpoint *ep);

#endif
