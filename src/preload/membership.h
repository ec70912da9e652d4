/*
 * Multicast groups: who joins one sends a report to the network (IGMP, MLD), and whoever is near
 * learns of it.
 */
#ifndef PRELOAD_MEMBERSHIP_H
#define PRELOAD_MEMBERSHIP_H

#include <sys/socket.h>

/*
 * May the program set this option? Of those that are no joins it may all.
 *
 * Returns 0, also where the kernel will judge; or -EACCES, told once for each group: neither a rule
 * sends it direct nor is it joined on loopback.
 */
int membership_judge(int fd, int level, int name, const void *val, socklen_t len);

#endif
