/* --with-server: the bundled server, for the life of one program. */
#ifndef WRAPPER_SERVER_H
#define WRAPPER_SERVER_H

#include <stddef.h>

#define SERVER_URL_MAX 128

/* What the URL will be like, to be judged before there is one. */
#define SERVER_URL_LIKE "socks5h://socksify:@127.0.0.1:1"

/*
 * Start socksifyd on a free port of loopback, for this user alone, and wait until it is ready. It
 * ends when this very process has ended, whatever it becomes by exec until then. The process gets
 * no child, no descriptor that outlives exec, and no signal.
 *
 * @url   SERVER_URL_MAX octets, for the proxy's URL, which has a password in it
 * @argv  of main(): overwritten in the server's watcher, not here
 *
 * Returns 0, or a negative errno after telling of the error on stderr.
 */
int server_start(char *url, size_t cap, char **argv);

#endif
