/*
 * The log: one line an event to stderr, in one write(2): the event's name, then key=value. A value
 * that could be misread is in double quotes, with \" \\ and \xHH inside. A reader of stderr that
 * doesn't keep up loses lines, and is told how many; it never stops the server.
 */
#ifndef SERVER_EVENTS_H
#define SERVER_EVENTS_H

#include "address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum events_level {
	EVENTS_QUIET,   /* what the server itself does and suffers */
	EVENTS_NORMAL,  /* and each session */
	EVENTS_VERBOSE, /* and each step */
};

#define EVENT_MAX 4096 /* PIPE_BUF: a line is never mixed with another writer's */

struct event {
	size_t len;
	char buf[EVENT_MAX];
};

void events_init(enum events_level level);
bool events_enabled(enum events_level level);

void event_begin(struct event *e, const char *name);
void event_text(struct event *e, const char *key, const char *value);
void event_octets(struct event *e, const char *key, const char *value, size_t len);
void event_number(struct event *e, const char *key, uint64_t value);
/* A name goes in raw, and is quoted also where it holds a colon. */
void event_endpoint(struct event *e, const char *key, const struct endpoint *ep);
void event_address(struct event *e, const char *key, const union address *a);
void event_end(struct event *e);

/* The value alone, as event_endpoint() writes it, for event_value(). Returns @buf. */
#define EVENT_ENDPOINT_MAX (4 * ENDPOINT_NAME_MAX + 16)
char *event_endpoint_text(const struct endpoint *ep, char buf[EVENT_ENDPOINT_MAX]);
void event_value(struct event *e, const char *key, const char *value);

/* Is it time for a complaint that may be made once a minute only; @next_ms starts as 0. */
bool events_due(int64_t *next_ms, int64_t now_ms);

/* "warning what=... reason=..."; @reason may be NULL. */
void event_warn(const char *what, const char *reason);

#endif
