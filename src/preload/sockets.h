/*
 * What the library remembers of sockets, by SO_COOKIE: the same after dup and fork, new for a new
 * socket, so that no hook has to follow descriptor numbers.
 */
#ifndef PRELOAD_SOCKETS_H
#define PRELOAD_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum socket_state {
	SOCKET_IDLE, /* nothing is known, or nothing but that it was swapped */
	/* Parked, until another socket is connected to ->peer, and takes its place. */
	SOCKET_CONNECTING,
	/* Connected, or about to be, by another address than the program gave, which is ->peer. */
	SOCKET_CONNECTED,
	/* Its connect() failed in ->err, which is still to be told; the kernel has another word. */
	SOCKET_FAILED,
	/* Not connected: its connect() was interrupted, and nobody could go on with it. */
	SOCKET_GIVEN_UP,
	/* UDP: connected to what may not be sent to, which is ->peer; probe.h. */
	SOCKET_REFUSED,
};

struct socket_note {
	enum socket_state state;
	int shown_family; /* of a swapped socket: the family that the program made; else 0 */
	int err;          /* SOCKET_FAILED: negative */
	socklen_t peer_len;
	struct sockaddr_storage peer;
};

/*
 * Set ->peer to what the program asked for. False, and nothing done, where it is no whole address.
 */
bool sockets_set_peer(struct socket_note *note, const struct sockaddr *sa);

/* The socket's cookie, or 0 where @fd is none. */
uint64_t sockets_cookie(int fd);

/*
 * Remember; a connection also for programs that get the socket by exec, and so SOCKET_REFUSED where
 * @fd outlives an exec. Where memory is short the note is lost, and getpeername() shows the proxy.
 */
void sockets_note(int fd, const struct socket_note *note);

/* What is known of @fd; costs no system call while nothing is remembered. */
bool sockets_find(int fd, struct socket_note *out);

/*
 * @fd, of which nothing is known, is connected to where we connect sockets: was that another
 * program of the session, which then handed the socket over? What it noted is then known here too.
 */
bool sockets_inherit(int fd, struct socket_note *out);

/*
 * The socket with that cookie was SOCKET_CONNECTING; @fd takes its place, and is connected (@err is
 * 0), or failed in @err. Allocates nothing, as a rule.
 *
 * @shown_family  as in struct socket_note
 */
void sockets_move(uint64_t cookie, int fd, int shown_family, int err);

/* @fd is unconnected again. That it was swapped stays known. */
void sockets_forget(int fd);

#endif
