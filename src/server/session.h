/* One client, from accept to close. */
#ifndef SERVER_SESSION_H
#define SERVER_SESSION_H

#include "relay.h"
#include "reset.h"
#include "worker.h"

struct handshake;

/* session.c has the table that goes with it. */
enum session_state {
	SESSION_HANDSHAKE, /* the client says what it wants */
	SESSION_CONNECT,   /* the name and the connection are sought */
	SESSION_RELAY,     /* the tunnel stands */
	SESSION_RESETTING, /* a side was reset; what came before goes out, then the other is too */
	SESSION_LINGER,    /* the last word was said; input is discarded so that it arrives */
};

struct session {
	struct worker *worker;
	struct session *prev, *next; /* of the worker's list */
	struct watch client, target;
	struct timer deadline;
	struct handshake *hs; /* NULL once the reply is out */
	struct relay relay;
	uint64_t id;
	int64_t start_ms;
	char *where; /* the target as the client named it, as the log has it; NULL before it did */
	union address from;
	enum session_state st;
	union {
		struct reset reset; /* SESSION_RESETTING */
		uint32_t discarded; /* SESSION_LINGER: octets */
	} end;
};

/* Take over an accepted socket. Where memory is short it is closed. */
void session_start(struct worker *w, int fd, const union address *from);

/* Log the end with its reason, close all that is open, free it. */
void session_end(struct session *s, const char *result);

/* End it by force: no side of a tunnel may take it for a good end. */
void session_abort(struct session *s, const char *result);

/* The server ends: a client that has not come to its request is not waited for. May end it. */
void session_drain(struct session *s);

/*
 * The request came. Returns 0, or a negative errno where the client's end can't be watched any
 * more.
 */
int session_connect(struct session *s);

/* For handshake.c, too. Each may end the session: nothing may touch it afterwards. */

/* More input or room is waited for. */
void session_wait(struct session *s);
/* ->target stands and the good reply is queued in the handshake's machine. */
void session_tunnel(struct session *s);
/*
 * The last word, if any, is queued in the handshake's machine: send it and close without losing it.
 */
void session_refuse(struct session *s);

#endif
