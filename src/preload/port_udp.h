/* Questions by UDP to a loopback port. */
#ifndef PRELOAD_PORT_UDP_H
#define PRELOAD_PORT_UDP_H

#include "asker.h"

/* Of 65,535 octets of IPv4, without its header and UDP's. */
#define PORT_UDP_MAX 65507

void port_udp_ready(struct worker_watch *watch, uint32_t events);
void port_udp_answer(const struct asker *a, const uint8_t *answer, size_t len);

#endif
