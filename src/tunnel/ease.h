/* Options of the program's that a handshake can't bear, out of the way for its duration. */
#ifndef TUNNEL_EASE_H
#define TUNNEL_EASE_H

#include <tunnel/dial.h>

void ease_begin(struct dial *d);
void ease_end(struct dial *d, int fd); /* harmless where it did not begin */

#endif
