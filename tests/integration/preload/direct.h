/*
 * What the proxy does for a name, without a proxy: listeners of the kernel's own, so that a test's
 * expectations can be held against it. A name that is held has a listener whose queue is full;
 * connects to it are in SYN_SENT until its release, and for as long as the kernel takes to try
 * again.
 */
#ifndef TEST_DIRECT_H
#define TEST_DIRECT_H

#include "tally.h"

/* The port for @t's name. @take is given each connection. */
int direct_listen(struct tally *t, void (*take)(int fd, struct tally *t));
void direct_release(struct tally *t);

#endif
