/*
 * What a reply means: reply codes <-> errno, one table, used by the server to answer and by the
 * client to tell its program, so that the two ends cannot disagree.
 */
#ifndef SOCKS_REPLY_H
#define SOCKS_REPLY_H

#include <stdint.h>

/* RFC 1928 section 6, and Tor's extended errors (tor proposal 304). */
enum socks5_rep {
	SOCKS5_SUCCEEDED = 0x00,
	SOCKS5_GENERAL_FAILURE = 0x01,
	SOCKS5_NOT_ALLOWED = 0x02,
	SOCKS5_NET_UNREACHABLE = 0x03,
	SOCKS5_HOST_UNREACHABLE = 0x04,
	SOCKS5_REFUSED = 0x05,
	SOCKS5_TTL_EXPIRED = 0x06,
	SOCKS5_BAD_COMMAND = 0x07,
	SOCKS5_BAD_ADDRESS_TYPE = 0x08,
	SOCKS5_TOR_FIRST = 0xf0,
	SOCKS5_TOR_LAST = 0xf7,
};

/* SOCKS4's CD in a reply. */
enum socks4_code {
	SOCKS4_GRANTED = 0x5a,
	SOCKS4_REJECTED = 0x5b,
	SOCKS4_NO_IDENTD = 0x5c,
	SOCKS4_IDENT_DIFFERS = 0x5d,
};

/* @err is 0 or an errno of either sign. An errno that is not in the table is a general failure. */
uint8_t reply_socks5_from_errno(int err);
uint8_t reply_socks4_from_errno(int err);

/*
 * 0, or a negative errno that is always one connect(2) can give. Unknown codes count as the general
 * failure.
 */
int reply_socks5_to_errno(uint8_t rep);
int reply_socks4_to_errno(uint8_t code);

/* "connection refused by the destination", for logs. Never NULL. */
const char *reply_socks5_text(uint8_t rep);
const char *reply_socks4_text(uint8_t code);

#endif
