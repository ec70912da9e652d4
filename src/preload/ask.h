/*
 * SOCKSIFY_DNS=tunnel for who waits for the answer: resolv.conf's name servers, asked over TCP
 * through the proxy.
 */
#ifndef PRELOAD_ASK_H
#define PRELOAD_ASK_H

#include <stddef.h>
#include <stdint.h>

#define ASK_BUF_MAX 65537 /* two octets of length, and the longest message */

/*
 * Ask one after the other until one answers with more than that it can't. Blocks: up to 10 s for
 * each, less where SOCKSIFY_TIMEOUT is. Handlers run meanwhile and don't end it; nor does a
 * cancellation.
 *
 * @msg  the question, at least a header
 * @buf  @cap octets for an answer, two in front of it counted
 *
 * Returns the length of the answer, which is at @buf + 2, or a negative errno, told in the log.
 */
int ask_name_servers(const uint8_t *msg, size_t len, uint8_t *buf, size_t cap);

#endif
