/*
 * Placeholder addresses: a slot number is the low bits of an address in 198.18.0.0/15 (reserved for
 * benchmarks, RFC 2544) and in a ULA /64 (RFC 4193), so that address -> name is an array load.
 */
#ifndef NAMES_POOL_H
#define NAMES_POOL_H

#include <base/endpoint.h>
#include <stdint.h>

#define POOL_SLOTS (1u << 17) /* 198.18.0.0/15; slot 0, the network's own address, is never given */

/* @slot from 1 to POOL_SLOTS - 1. Port 0. */
void pool_ipv4(uint32_t slot, struct endpoint *ep);
void pool_ipv6(uint32_t slot, struct endpoint *ep);

/* Is this a placeholder's address (v4-mapped counts), and whose. 0 is "no, or slot 0". */
uint32_t pool_slot(const struct endpoint *ep);
bool pool_contains(const struct endpoint *ep); /* in either range at all, slot given or not */

#endif
