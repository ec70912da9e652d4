/* Questions by TCP to a loopback port: many on one connection, answered in order (RFC 7766). */
#ifndef PRELOAD_PORT_TCP_H
#define PRELOAD_PORT_TCP_H

#include "asker.h"

void port_tcp_ready(struct worker_watch *watch, uint32_t events);
void port_tcp_answer(const struct asker *a, const uint8_t *answer, size_t len);

size_t port_tcp_connections(void);

/* By the helper: all connections end. */
void port_tcp_fail(void);

/* Under the lock, where there is no connection: the memory is given back. */
void port_tcp_close(void);

/* In a forked child: they are its parent's. */
void port_tcp_in_child(void);

#endif
