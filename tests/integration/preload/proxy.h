/* A scripted SOCKS5 proxy; what it does stands in under.h. */
#ifndef TEST_PROXY_H
#define TEST_PROXY_H

int proxy_listen(int family, int *port);
void proxy_serve(int listener); /* does not return */

#endif
