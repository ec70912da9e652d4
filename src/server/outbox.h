/*
 * Datagrams on their way out, many with one system call; and those of one size to one address as a
 * single message that the kernel cuts up (UDP_SEGMENT), which costs it a fraction. What can't
 * be sent is dropped and counted, as UDP would.
 */
#ifndef SERVER_OUTBOX_H
#define SERVER_OUTBOX_H

#include "address.h"

#include <stddef.h>
#include <stdint.h>

#define OUTBOX_HEADER_MAX 22 /* of SOCKS, with an address and no name */

struct outbox;

struct outbox_count {
	uint64_t datagrams, octets, dropped;
};

/* Where they leave. */
struct outlet {
	int fd;
	/* Octets: longer datagrams are not joined. Lowered where the kernel says so. */
	uint32_t joint_max;
	struct outbox_count *count; /* octets: of data alone */
};

#define OUTLET_JOINT_MAX 65535 /* to begin with */

/* NULL where memory is short. */
struct outbox *outbox_new(void);
void outbox_free(struct outbox *o); /* NULL is fine */

/*
 * Add a datagram; the order is kept. Another outlet than the last one's, or want of room, sends
 * what there is.
 *
 * @to      NULL: the socket is connected
 * @header  copied, up to OUTBOX_HEADER_MAX octets
 * @data    borrowed until outbox_flush()
 */
void outbox_add(struct outbox *o, struct outlet *via, const union address *to,
                const uint8_t *header, size_t header_len, const uint8_t *data, size_t len);

void outbox_flush(struct outbox *o);

#endif
