#include "events.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum events_level events_level = EVENTS_NORMAL;
/* Of the threads one writes at a time: it looks for room first, and would block without. */
static pthread_mutex_t events_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t events_lost;

#define SELDOM_MS 60000

void events_init(enum events_level level)
{
	events_level = level;
}

bool events_enabled(enum events_level level)
{
	return level <= events_level;
}

/* The last octet stays free for the newline. */
static void put(struct event *e, const char *text, size_t len)
{
	if (len > sizeof(e->buf) - 1 - e->len)
		len = sizeof(e->buf) - 1 - e->len;
	memcpy(e->buf + e->len, text, len);
	e->len += len;
}

void event_begin(struct event *e, const char *name)
{
	e->len = 0;
	put(e, name, strlen(name));
}

static bool is_plain(unsigned char c)
{
	return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '=';
}

static void put_quoted(struct event *e, const char *value, size_t len)
{
	char esc[5];

	put(e, "\"", 1);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)value[i];

		if (c == '"' || c == '\\')
			snprintf(esc, sizeof(esc), "\\%c", c);
		else if (c < ' ' || c >= 0x7f)
			snprintf(esc, sizeof(esc), "\\x%02x", c);
		else
			snprintf(esc, sizeof(esc), "%c", c);
		put(e, esc, strlen(esc));
	}
	put(e, "\"", 1);
}

static bool all_plain(const char *value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!is_plain((unsigned char)value[i]))
			return false;
	return len > 0;
}

static void put_key(struct event *e, const char *key)
{
	put(e, " ", 1);
	put(e, key, strlen(key));
	put(e, "=", 1);
}

void event_octets(struct event *e, const char *key, const char *value, size_t len)
{
	put_key(e, key);
	if (all_plain(value, len))
		put(e, value, len);
	else
		put_quoted(e, value, len);
}

void event_value(struct event *e, const char *key, const char *value)
{
	put_key(e, key);
	put(e, value, strlen(value));
}

void event_text(struct event *e, const char *key, const char *value)
{
	event_octets(e, key, value, strlen(value));
}

void event_number(struct event *e, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	event_text(e, key, text);
}

char *event_endpoint_text(const struct endpoint *ep, char buf[EVENT_ENDPOINT_MAX])
{
	char raw[ENDPOINT_NAME_MAX + sizeof(":65535")];
	struct event e;
	int len;

	if (ep->kind != ENDPOINT_NAME)
		return endpoint_format(ep, buf, EVENT_ENDPOINT_MAX);
	e.len = 0;
	len = snprintf(raw, sizeof(raw), "%s:%u", ep->name, ep->port);
	if (all_plain(raw, (size_t)len) && !strchr(ep->name, ':'))
		put(&e, raw, (size_t)len);
	else
		put_quoted(&e, raw, (size_t)len);
	memcpy(buf, e.buf, e.len);
	buf[e.len] = '\0';
	return buf;
}

void event_endpoint(struct event *e, const char *key, const struct endpoint *ep)
{
	char text[EVENT_ENDPOINT_MAX];

	event_value(e, key, event_endpoint_text(ep, text));
}

void event_address(struct event *e, const char *key, const union address *a)
{
	struct endpoint ep;

	address_to_endpoint(a, &ep);
	event_endpoint(e, key, &ep);
}

static void write_line(struct event *e)
{
	struct pollfd out = { .fd = STDERR_FILENO, .events = POLLOUT };

	/* A pipe that polls writable has room for PIPE_BUF octets: the write won't block. */
	if (poll(&out, 1, 0) != 1 || !(out.revents & POLLOUT)) {
		events_lost++;
		return;
	}
	if (events_lost > 0)
		event_number(e, "lost", events_lost);
	e->buf[e->len++] = '\n';
	if (write(STDERR_FILENO, e->buf, e->len) < 0)
		events_lost++;
	else
		events_lost = 0;
}

void event_end(struct event *e)
{
	pthread_mutex_lock(&events_lock);
	write_line(e);
	pthread_mutex_unlock(&events_lock);
}

void event_warn(const char *what, const char *reason)
{
	struct event e;

	event_begin(&e, "warning");
	event_text(&e, "what", what);
	if (reason)
		event_text(&e, "reason", reason);
	event_end(&e);
}

bool events_due(int64_t *next_ms, int64_t now_ms)
{
	if (now_ms < *next_ms)
		return false;
	*next_ms = now_ms + SELDOM_MS;
	return true;
}
