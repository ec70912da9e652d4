/* A scripted SOCKS5 proxy; what it does stands in under.h. */
#ifndef TEST_PROXY_H
#define TEST_PROXY_H

#include <netinet/in.h>

/* A stream socket that listens, a datagram socket that is bound: at @host, or on loopback. */
int proxy_listen(int family, const char *host, int *port);
int proxy_control(const char *host, int *port);

void proxy_serve(int listener, int control); /* does not return */

#endif
