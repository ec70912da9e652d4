/*
 * many-libevent HOST PORT COUNT: so many connects from one loop of libevent, then a page
 * over each.
 */
#include "many.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <sys/socket.h>

static struct event_base *base;

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	many_tick();
}

static void on_read(struct bufferevent *bev, void *arg)
{
	char octets[MANY_TEXT];
	size_t len;

	while ((len = bufferevent_read(bev, octets, sizeof(octets))) > 0)
		many_take(arg, octets, len);
}

/* Pages are asked for when all are connected, so that they are not in the connects' time. */
static void ask_all(struct bufferevent **bevs, const struct many_one *ones)
{
	char text[MANY_TEXT];

	for (int i = 0; i < many.count; i++)
		bufferevent_write(bevs[i], text, many_request(&ones[i], text));
}

static struct bufferevent **bevs;
static struct many_one *ones;

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct many_one *one = arg;

	if (what & BEV_EVENT_CONNECTED) {
		many_connected();
		if (many.connected == many.count)
			ask_all(bevs, ones);
		return;
	}
	if (what & BEV_EVENT_ERROR)
		fprintf(stderr, "%d: %s\n", one->number,
		        evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
	on_read(bev, arg);
	if (many_end(one))
		event_base_loopbreak(base);
}

int main(int argc, char **argv)
{
	struct timeval every = { .tv_usec = MANY_TICK_MS * 1000 };
	struct event *ticker;

	many_begin(argc, argv);
	base = event_base_new();
	bevs = calloc((size_t)many.count, sizeof(struct bufferevent *));
	ones = calloc((size_t)many.count, sizeof(*ones));
	if (base == NULL || bevs == NULL || ones == NULL)
		return 1;
	ticker = event_new(base, -1, EV_PERSIST, on_tick, NULL);
	event_add(ticker, &every);
	for (int i = 0; i < many.count; i++) {
		ones[i].number = i;
		bevs[i] = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
		bufferevent_setcb(bevs[i], on_read, NULL, on_event, &ones[i]);
		bufferevent_enable(bevs[i], EV_READ | EV_WRITE);
		if (bufferevent_socket_connect_hostname(bevs[i], NULL, AF_INET, many.host,
		                                        atoi(many.port)) < 0)
			return 1;
	}
	event_base_dispatch(base);
	many_tell();
	for (int i = 0; i < many.count; i++)
		bufferevent_free(bevs[i]);
	event_free(ticker);
	event_base_free(base);
	free(bevs);
	free(ones);
	return 0;
}
