/* A hosts(5) file that is read again when it changes. */
#ifndef SERVER_HOSTSFILE_H
#define SERVER_HOSTSFILE_H

#include "address.h"

#include <stdbool.h>
#include <stddef.h>

struct hosts;
struct opener;

struct hostsfile {
	struct opener *opener; /* borrowed; see opener_open() */
	const char *path;      /* borrowed; NULL: none is wanted */
	struct hosts *hosts;   /* as it was read last; NULL: never */
	bool complained;       /* that it can't be read */
};

/* Read it now. 0, or a negative errno with the old contents kept: -EINVAL where it is no file. */
int hostsfile_read(struct hostsfile *f);
void hostsfile_fini(struct hostsfile *f);

/*
 * The same, for a server that goes on: what fails is logged, once. That there is none is no
 * fault.
 */
void hostsfile_reload(struct hostsfile *f);

/* The addresses of a name, with that port, at most @max. Returns how many. */
size_t hostsfile_find(struct hostsfile *f, const char *name, size_t len, uint16_t port,
                      union address *out, size_t max);

/* The name of an address, or NULL. Borrowed until the file is asked again. */
const char *hostsfile_name_of(struct hostsfile *f, const union address *a);

#endif
