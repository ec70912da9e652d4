/* One client, from accept to close. */
#ifndef SERVER_SESSION_H
#define SERVER_SESSION_H

#include "events.h"
#include "lastword.h"
#include "policy.h"
#include "relay.h"
#include "reset.h"
#include "seats.h"
#include "worker.h"

struct handshake;

/* session.c has the table that goes with it. */
enum session_state {
	SESSION_HANDSHAKE, /* the client says what it wants */
	SESSION_REQUEST,   /* it is being carried out: a name, a connection are sought */
	SESSION_SERVED,    /* granted, but no tunnel: see struct service */
	SESSION_RELAY,     /* the tunnel stands */
	SESSION_RESETTING, /* a side was reset; what came before goes out, then the other is too */
	SESSION_LINGER,    /* the last word was said; input is discarded so that it arrives */
};

struct session;

/*
 * What a granted request is that is no tunnel, or not yet: BIND that waits for its peer, an
 * association. The session watches the client; all else is the service's own.
 */
struct service {
	const char *name; /* the stage, as the log has it */
	/* What to ask of epoll for the client, beside the errors. */
	uint32_t (*mask)(const struct session *s);
	void (*ready)(struct session *s, uint32_t events); /* of the client; may end the session */
	void (*due)(struct session *s);                    /* the deadline came; may end it */
	void (*stop)(struct session *s); /* close and stop all that it has; may be called twice */
	void (*free)(struct session *s); /* after ->stop(): give ->serving back */
	/* What its last line says beside the result; may be NULL. */
	void (*log)(struct event *e, const struct session *s);
	bool all_said; /* there is no second reply: the handshake's memory is given back */
};

struct session {
	struct worker *worker;
	struct session *prev, *next; /* of the worker's lists: fresh in SESSION_HANDSHAKE */
	struct watch client, target;
	struct timer deadline;
	struct handshake *hs; /* NULL once the reply is out */
	struct relay relay;
	uint64_t id;
	int64_t start_ms;
	char *where; /* the target as the client named it, as the log has it; NULL before it did */
	char *user; /* any octets, as the client says; NULL before it did, or where there is none */
	const struct service *service; /* NULL where there is none */
	void *serving;                 /* the service's own */
	struct seat seat;
	union address from;
	uint8_t user_len;
	uint8_t version, cmd; /* of the request; 0 before it came */
	enum session_state st;
	union {
		int64_t active_ms;        /* SESSION_RELAY: when something last went through */
		struct reset reset;       /* SESSION_RESETTING */
		struct lastword lastword; /* SESSION_LINGER */
	} end;
};

/* For policy_judge(): borrowed. */
static inline struct policy_who session_who(const struct session *s)
{
	return (struct policy_who){ .from = &s->from, .user = s->user, .user_len = s->user_len };
}

/* Take over an accepted socket and its seat. Where memory is short it is closed. */
void session_start(struct worker *w, int fd, const union address *from, struct seat *seat);

/* Log the end with its reason, close all that is open, free it. */
void session_end(struct session *s, const char *result);

/* End it by force: no side of a tunnel may take it for a good end. */
void session_abort(struct session *s, const char *result);

/* For handshake.c and request_*.c. All but the first may end the session. */

/*
 * The request came: SESSION_REQUEST. Returns 0, or a negative errno where the client's end can't
 * be watched any more.
 */
int session_request(struct session *s);
/* More input or room is waited for. */
void session_wait(struct session *s);
/* ->target stands and the good reply is queued in the handshake's machine. */
void session_tunnel(struct session *s);
/*
 * The good reply is queued in the handshake's machine, which stays for the next one,
 * where the service may have one.
 *
 * @serving  becomes the session's, for ->free()
 * @ms       until ->due(); 0: never
 */
void session_serve(struct session *s, const struct service *service, void *serving, int64_t ms);
/*
 * The last word, if any, is queued in the handshake's machine: send it and close without losing it.
 */
void session_refuse(struct session *s);

#endif
