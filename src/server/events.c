#include "events.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum events_level events_level = EVENTS_NORMAL;
static uint64_t events_lost;

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

void event_octets(struct event *e, const char *key, const char *value, size_t len)
{
	bool plain = len > 0;

	for (size_t i = 0; i < len && plain; i++)
		plain = is_plain((unsigned char)value[i]);
	put(e, " ", 1);
	put(e, key, strlen(key));
	put(e, "=", 1);
	if (plain)
		put(e, value, len);
	else
		put_quoted(e, value, len);
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

void event_endpoint(struct event *e, const char *key, const struct endpoint *ep)
{
	event_text(e, key, ENDPOINT_TEXT(ep));
}

void event_address(struct event *e, const char *key, const union address *a)
{
	struct endpoint ep;

	address_to_endpoint(a, &ep);
	event_endpoint(e, key, &ep);
}

void event_end(struct event *e)
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

void event_warn(const char *what, const char *reason)
{
	struct event e;

	event_begin(&e, "warning");
	event_text(&e, "what", what);
	if (reason)
		event_text(&e, "reason", reason);
	event_end(&e);
}
