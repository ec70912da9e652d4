#include <errno.h>
#include <socks/reply.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Which way a row is read: where several errnos share a code, or several codes an errno, one is
 * both.
 */
enum way {
	BOTH,
	TO_CODE,  /* the server's: errno -> code */
	TO_ERRNO, /* the client's: code -> errno */
};

#define NONE (-1) /* the row says nothing for this version of the protocol */

struct row {
	enum way way;
	int err;
	int rep;  /* SOCKS5 */
	int code; /* SOCKS4 */
	const char *text;
};

static const struct row rows[] = {
	{ BOTH, 0, SOCKS5_SUCCEEDED, SOCKS4_GRANTED, "granted" },
	{ BOTH, EACCES, SOCKS5_NOT_ALLOWED, NONE, "not allowed by the proxy's rules" },
	{ TO_CODE, EPERM, SOCKS5_NOT_ALLOWED, NONE, NULL },
	{ BOTH, ENETUNREACH, SOCKS5_NET_UNREACHABLE, NONE,
	  "the proxy finds the network unreachable" },
	{ TO_CODE, ENETDOWN, SOCKS5_NET_UNREACHABLE, NONE, NULL },
	{ BOTH, EHOSTUNREACH, SOCKS5_HOST_UNREACHABLE, NONE,
	  "the proxy cannot reach the host, or does not know its name" },
	{ TO_CODE, EHOSTDOWN, SOCKS5_HOST_UNREACHABLE, NONE, NULL },
	{ BOTH, ECONNREFUSED, SOCKS5_REFUSED, NONE, "connection refused by the destination" },
	{ TO_CODE, ECONNRESET, SOCKS5_REFUSED, NONE, NULL },
	{ BOTH, ETIMEDOUT, SOCKS5_TTL_EXPIRED, NONE, "the destination did not answer the proxy" },
	{ BOTH, EAFNOSUPPORT, SOCKS5_BAD_ADDRESS_TYPE, NONE,
	  "the proxy does not support this type of address" },
	/*
	 * No connect(2) says EOPNOTSUPP of a stream. A command that is not to be had is one denied.
	 */
	{ TO_CODE, EOPNOTSUPP, SOCKS5_BAD_COMMAND, NONE, NULL },
	{ TO_ERRNO, EACCES, SOCKS5_BAD_COMMAND, NONE, "the proxy does not support this command" },
	/*
	 * A general failure does not say whose. Of what connect(2) has, "no route to host" promises
	 * least: ECONNREFUSED would claim that the host answered, EADDRNOTAVAIL that our own ports
	 * are used up. Many servers send it for a name that they can't resolve.
	 */
	{ TO_ERRNO, EHOSTUNREACH, SOCKS5_GENERAL_FAILURE, NONE, "general failure of the proxy" },
	{ TO_ERRNO, EHOSTUNREACH, 0xf0, NONE, "onion service: descriptor not found" },
	{ TO_ERRNO, EHOSTUNREACH, 0xf1, NONE, "onion service: descriptor invalid" },
	{ TO_ERRNO, EHOSTUNREACH, 0xf2, NONE, "onion service: introduction failed" },
	{ TO_ERRNO, EHOSTUNREACH, 0xf3, NONE, "onion service: rendezvous failed" },
	{ TO_ERRNO, EACCES, 0xf4, NONE, "onion service: client authorization missing" },
	{ TO_ERRNO, EACCES, 0xf5, NONE, "onion service: client authorization wrong" },
	{ TO_ERRNO, EHOSTUNREACH, 0xf6, NONE, "onion service: malformed address" },
	{ TO_ERRNO, ETIMEDOUT, 0xf7, NONE, "onion service: introduction timed out" },
	/* SOCKS4 has one code for all that can fail; refusal is what is meant most often. */
	{ BOTH, ECONNREFUSED, NONE, SOCKS4_REJECTED, "request rejected or failed" },
	{ TO_ERRNO, EACCES, NONE, SOCKS4_NO_IDENTD,
	  "rejected: the proxy finds no identd on this machine" },
	{ TO_ERRNO, EACCES, NONE, SOCKS4_IDENT_DIFFERS,
	  "rejected: identd on this machine names another user" },
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static const char unknown[] = "unknown reply code";

static const struct row *find_rep(uint8_t rep)
{
	for (size_t i = 0; i < N_ROWS; i++)
		if (rows[i].rep == rep && rows[i].way != TO_CODE)
			return &rows[i];
	return NULL;
}

static const struct row *find_code(uint8_t code)
{
	for (size_t i = 0; i < N_ROWS; i++)
		if (rows[i].code == code && rows[i].way != TO_CODE)
			return &rows[i];
	return NULL;
}

static bool is_for(const struct row *row, int err)
{
	/* Both signs; -@err would overflow for INT_MIN. */
	return row->way != TO_ERRNO && (row->err == err || -row->err == err);
}

uint8_t reply_socks5_from_errno(int err)
{
	for (size_t i = 0; i < N_ROWS; i++)
		if (rows[i].rep != NONE && is_for(&rows[i], err))
			return (uint8_t)rows[i].rep;
	return SOCKS5_GENERAL_FAILURE;
}

uint8_t reply_socks4_from_errno(int err)
{
	for (size_t i = 0; i < N_ROWS; i++)
		if (rows[i].code != NONE && is_for(&rows[i], err))
			return (uint8_t)rows[i].code;
	return SOCKS4_REJECTED;
}

int reply_socks5_to_errno(uint8_t rep)
{
	const struct row *row = find_rep(rep);

	return row ? -row->err : reply_socks5_to_errno(SOCKS5_GENERAL_FAILURE);
}

int reply_socks4_to_errno(uint8_t code)
{
	const struct row *row = find_code(code);

	return row ? -row->err : reply_socks4_to_errno(SOCKS4_REJECTED);
}

const char *reply_socks5_text(uint8_t rep)
{
	const struct row *row = find_rep(rep);

	return row ? row->text : unknown;
}

const char *reply_socks4_text(uint8_t code)
{
	const struct row *row = find_code(code);

	return row ? row->text : unknown;
}
