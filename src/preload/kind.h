/*
 * Kinds of sockets: which may be made and used, and which could take packets past the proxy. What
 * a socket is counts, and not how the program came by it.
 */
#ifndef PRELOAD_KIND_H
#define PRELOAD_KIND_H

enum kind {
	KIND_ADMITTED,   /* can't leave this machine, or every destination of it is judged */
	KIND_IMPOSSIBLE, /* of socket()'s arguments: no kernel that we know makes one */
	KIND_REFUSED,
};

/*
 * By socket()'s arguments, flags and all, or by SO_DOMAIN, SO_TYPE and SO_PROTOCOL. No system call.
 */
enum kind kind_judge(int family, int type, int protocol);

/*
 * Tell of a refusal, once for each kind, and return its errno: -EACCES.
 *
 * @family  AF_UNSPEC: the socket can't be asked what it is
 */
int kind_refuse(int family, int type, int protocol);

#endif
