/*
 * many-libuv HOST PORT COUNT: so many look-ups and connects from one loop of libuv, then a page
 * over each.
 */
#include "many.h"

#include <netdb.h>
#include <sys/socket.h>
#include <uv.h>

struct flow {
	uv_tcp_t tcp;
	uv_connect_t connect;
	uv_getaddrinfo_t lookup;
	uv_write_t write;
	char request[MANY_TEXT], chunk[MANY_TEXT];
	struct many_one one;
};

static struct flow *flows;
static uv_timer_t ticker;

static void on_tick(uv_timer_t *timer)
{
	(void)timer;
	many_tick();
}

static void complain(const struct flow *flow, int err)
{
	fprintf(stderr, "%d: %s\n", flow->one.number, uv_strerror(err));
	exit(1);
}

static void on_room(uv_handle_t *tcp, size_t hint, uv_buf_t *buf)
{
	struct flow *flow = tcp->data;

	(void)hint;
	*buf = uv_buf_init(flow->chunk, sizeof(flow->chunk));
}

static void on_read(uv_stream_t *tcp, ssize_t len, const uv_buf_t *buf)
{
	struct flow *flow = tcp->data;

	if (len > 0) {
		many_take(&flow->one, buf->base, (size_t)len);
	} else if (len < 0) {
		if (len != UV_EOF)
			complain(flow, (int)len);
		uv_close((uv_handle_t *)tcp, NULL);
		if (many_end(&flow->one))
			uv_close((uv_handle_t *)&ticker, NULL);
	}
}

/* Pages are asked for when all are connected, so that they are not in the connects' time. */
static void ask_all(void)
{
	for (int i = 0; i < many.count; i++) {
		struct flow *flow = &flows[i];
		size_t len = many_request(&flow->one, flow->request);
		uv_buf_t buf = uv_buf_init(flow->request, (unsigned)len);

		uv_read_start((uv_stream_t *)&flow->tcp, on_room, on_read);
		uv_write(&flow->write, (uv_stream_t *)&flow->tcp, &buf, 1, NULL);
	}
}

static void on_connect(uv_connect_t *connect, int err)
{
	if (err != 0)
		complain(connect->data, err);
	many_connected();
	if (many.connected == many.count)
		ask_all();
}

static void on_lookup(uv_getaddrinfo_t *lookup, int err, struct addrinfo *list)
{
	struct flow *flow = lookup->data;

	if (err == 0)
		err = uv_tcp_connect(&flow->connect, &flow->tcp, list->ai_addr, on_connect);
	if (err != 0)
		complain(flow, err);
	uv_freeaddrinfo(list);
}

int main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
	uv_loop_t *loop = uv_default_loop();

	many_begin(argc, argv);
	flows = calloc((size_t)many.count, sizeof(*flows));
	if (flows == NULL)
		return 1;
	uv_timer_init(loop, &ticker);
	uv_timer_start(&ticker, on_tick, MANY_TICK_MS, MANY_TICK_MS);
	for (int i = 0; i < many.count; i++) {
		struct flow *flow = &flows[i];

		flow->one.number = i;
		flow->tcp.data = flow->connect.data = flow->lookup.data = flow;
		uv_tcp_init(loop, &flow->tcp);
		if (uv_getaddrinfo(loop, &flow->lookup, on_lookup, many.host, many.port, &hints) <
		    0)
			return 1;
	}
	uv_run(loop, UV_RUN_DEFAULT);
	many_tell();
	uv_loop_close(loop);
	free(flows);
	return 0;
}
