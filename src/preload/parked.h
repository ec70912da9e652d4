/* One parked socket, and the numbers that the program has for it. All under the lock. */
#ifndef PRELOAD_PARKED_H
#define PRELOAD_PARKED_H

#include "helper.h"
#include "options.h"
#include "path.h"

#define PARKED_FDS_MAX 8 /* numbers of one socket that are followed */

struct parked {
	struct worker_job
		job; /* first; its dial's fd is the socket that will take the place, or -1 */
	struct helper *helper;
	uint64_t cookie; /* of the socket that waits */
	int fds[PARKED_FDS_MAX];
	size_t n_fds;            /* none: the program has given it up, and the job is cancelled */
	struct path_socket sock; /* what the program's is */
	struct options_lifted lifted; /* from the one that waits, for the one that is dialled */
	struct sockaddr_in6 bound;    /* where bind() has put it; AF_INET too */
	bool is_bound;
	bool dressed;    /* the one that is dialled has the options that it is to have */
	bool unresolved; /* the proxy's name is to be asked for, before there is a second socket */
	bool was_set;    /* the program has set options since */
	struct endpoint dst;
	struct parked *next_free;
	struct endpoint hops[DIAL_HOPS_MAX]; /* last: the page is seldom touched */
};

/* Zeroed but for the hops, holding the helper; NULL where there is no helper or no memory. */
struct parked *parked_new(int *err);
void parked_free(struct parked *p);

/* @fd is one of its numbers now. */
void parked_link(struct parked *p, int fd);

/* Its numbers are the program's alone again; give_up: and the job is cancelled. */
void parked_unlink(struct parked *p);
void parked_give_up(struct parked *p);

/*
 * @fd is none of its numbers any more. Without any, the job is cancelled, and the socket shut down.
 *
 * @file  a number that the socket still has, if only for the moment; or -1
 */
void parked_drop(struct parked *p, int fd, int file);

/*
 * Drop the numbers that stand for another file by now. False where none is left.
 */
bool parked_revise(struct parked *p);

/* What waits under that number, revised; or NULL. */
struct parked *parked_find(int fd);

/* @fd, numbered out of the program's way, is the one that is dialled for it. */
void parked_claim_dialled(struct parked *p, int fd);
void parked_close_dialled(struct parked *p);

/* Is there one that will leave a descriptor when it ends? */
bool parked_is_any_dialled(void);

/* @fd, which waited, has the options again that were lifted from it, as they are by now. */
void parked_give_back_lifted(struct parked *p, int fd);

#endif
