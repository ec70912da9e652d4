/*
 * Placeholder addresses: a slot number is the low bits of an address in an IPv4 and in an IPv6
 * range, so that address -> name is an array load. The ranges are SOCKSIFY_POOL's; by default
 * 198.18.0.0/15 (reserved for benchmarks, RFC 2544) and a ULA /64 (RFC 4193).
 */
#ifndef NAMES_POOL_H
#define NAMES_POOL_H

#include <base/endpoint.h>
#include <config/prefix.h>
#include <stdint.h>

#define POOL_SLOTS_MAX (1u << 20) /* whatever the ranges hold */
#define POOL_ID_LEN    22

/*
 * Take other ranges than the default ones. To be called before anything else of this room, while no
 * other thread is in it; a range of the wrong kind leaves that family as it is.
 */
void pool_init(const struct prefix *ipv4, const struct prefix *ipv6);

/*
 * What both ranges and the table have room for: a power of two. Slot 0, the network's own address,
 * is never given, so a range of one address has none.
 */
uint32_t pool_slots(void);

/* Octets that differ where the ranges do. */
void pool_id(uint8_t id[POOL_ID_LEN]);

/* @slot from 1 to pool_slots() - 1. Port 0. */
void pool_ipv4(uint32_t slot, struct endpoint *ep);
void pool_ipv6(uint32_t slot, struct endpoint *ep);

/* Is this a placeholder's address (v4-mapped counts), and whose. 0 is "no, or slot 0". */
uint32_t pool_slot(const struct endpoint *ep);
bool pool_contains(const struct endpoint *ep); /* in either range at all, slot given or not */

#endif
