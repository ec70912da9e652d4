/* A scripted SOCKS5 proxy; what it does stands in under.h. */
#ifndef TEST_PROXY_H
#define TEST_PROXY_H

#include <netinet/in.h>

/* The last octets of addresses that RESOLVE_PTR does not call "h<octet>.test". */
enum {
	PROXY_PTR_UNKNOWN = 101, /* reply 04 */
	PROXY_PTR_LACKS,         /* 07 */
	PROXY_PTR_GONE,          /* closes instead of answering */
	PROXY_PTR_GARBAGE,
	PROXY_PTR_SILENT,
	PROXY_PTR_ODD,     /* a name with a line's end in it */
	PROXY_PTR_OPTION,  /* that begins with "-" */
	PROXY_PTR_NUMBER,  /* that is an address in text */
	PROXY_PTR_ADDRESS, /* an address as BND */
	PROXY_PTR_LONG,    /* a label of 64 octets */
	PROXY_PTR_DOT,     /* "h<octet>.test." */
};

/* A stream socket that listens, a datagram socket that is bound: at @host, or on loopback. */
int proxy_listen(int family, const char *host, int *port);
int proxy_control(const char *host, int *port);

void proxy_serve(int listener, int control); /* does not return */

#endif
