/*
 * A packet for 127.0.0.1 leaves the machine where its socket, or the call that sends it, chooses
 * the device or the path. Sockets that are pointed at a loopback port of ours may not choose.
 */
#ifndef PRELOAD_LEASH_H
#define PRELOAD_LEASH_H

#include "path.h"

/*
 * Take away from @fd, for good, what would choose for its packets.
 *
 * @dissolve  a datagram socket may lose its peer for it: connect() is about to give it another
 *
 * Returns 0, or -EACCES where that takes privileges: nothing may be sent then.
 */
int leash_put_on(int fd, const struct path_socket *sock, bool dissolve);

/* Would this option take it off again? */
bool leash_is_cut_by(int level, int name);

/* May the control data go along? */
bool leash_suits(const struct msghdr *msg);

#endif
