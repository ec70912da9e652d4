/* Who asked, and is to be answered. All of this is the helper's. */
#ifndef PRELOAD_ASKER_H
#define PRELOAD_ASKER_H

#include "port.h"

#include <stdbool.h>
#include <sys/socket.h>

struct conn;

struct asker {
	struct port *port;
	struct conn *conn; /* NULL: by UDP, from ->addr */
	unsigned serial;   /* of conn: it may be another one by now */
	struct sockaddr_storage addr;
	socklen_t len;
};

/* The answer, or (@len is 0) that there will be none. */
void asker_answer(const struct asker *a, const uint8_t *answer, size_t len);

static inline bool asker_is_udp(const struct asker *a)
{
	return !a->conn;
}

#endif
