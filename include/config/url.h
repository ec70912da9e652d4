/* The proxy's URL: SCHEME://[USER[:PASSWORD]@]HOST[:PORT], percent-decoded, as curl reads it. */
#ifndef CONFIG_URL_H
#define CONFIG_URL_H

#include <base/endpoint.h>
#include <socks/client.h>

#define URL_MAX            2048 /* octets that are looked at; longer is malformed */
#define PROXY_DEFAULT_PORT 1080
#define PROXY_LABEL_MAX    (16 + ENDPOINT_TEXT_MAX)

struct proxy {
	enum socks_protocol protocol;
	bool names_go_along;  /* socks4a, socks5h: names are the proxy's to resolve */
	struct endpoint addr; /* an address, or a name that libc resolves */
	uint8_t user_len, password_len;
	bool has_password; /* "user:@" has an empty one, "user@" none */
	char user[SOCKS5_CRED_MAX + 1];
	char password[SOCKS5_CRED_MAX + 1];
	char label[PROXY_LABEL_MAX]; /* "socks5h://192.0.2.1:1080", for logs: never a password */
};

/* What was wrong with a text, for one line to a person. */
struct complaint {
	size_t at;           /* octet of the text where it breaks */
	const char *problem; /* static: "the port is not a number" */
	const char *expects; /* static: "a port from 1 to 65535" */
};

/*
 * Returns 0, or -EINVAL with @why filled and @out undefined. No scheme means socks5h, no port 1080;
 * a user without a password is fine; white space around it and a path, query or fragment after it
 * are ignored.
 * User and password are at most 255 octets each. SOCKS4 takes a user (its user id) and no password.
 */
int url_parse(const char *text, struct proxy *out, struct complaint *why);

/* Is this text a URL of another scheme (http://…): ALL_PROXY holds such things legitimately. */
bool url_is_foreign(const char *text);

/*
 * The text for a log: octets that are not printable ASCII escaped, what may be a password replaced
 * by "***" (in a malformed text, too: all between the first ":" after "://" and the last "@", or
 * without an "@" a port that is no number). Returns @buf.
 */
char *url_redact(const char *text, char *buf, size_t cap);

/* The same, from the octet @at on, which is at most the text's length. */
char *url_redact_from(const char *text, size_t at, char *buf, size_t cap);

#endif
