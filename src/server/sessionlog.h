/* What the log says of sessions. */
#ifndef SERVER_SESSIONLOG_H
#define SERVER_SESSIONLOG_H

#include "events.h"
#include "session.h"

/* "open": the tunnel stands, and its other end is there. */
void session_log_open(const struct session *s, const union address *at);

/* "failed": it has not come to a tunnel. @reply is the code that the client gets, -1: none. */
void session_log_failed(const struct session *s, const char *stage, int reply, const char *reason);

/*
 * What every line of a session has: its event's name, id, client, user and target; and the version,
 * while it is not granted yet.
 */
void session_log_begin(struct event *e, const char *name, const struct session *s);
/* And the time that it has lived. */
void session_log_end(struct event *e, const struct session *s);

#endif
