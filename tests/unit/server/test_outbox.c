#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inbox.h>
#include <outbox.h>
#include <unistd.h>

/* Two sockets on loopback, what is sent by the first arriving at the second. */
struct line {
	struct outlet via;
	int to;
	union address at;
	struct outbox_count count;
};

static int loopback_socket(union address *at)
{
	socklen_t len = sizeof(*at);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), room = 1 << 20;

	memset(at, 0, sizeof(*at));
	at->in.sin_family = AF_INET;
	at->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_ge(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	ck_assert_int_eq(bind(fd, &at->sa, sizeof(at->in)), 0);
	ck_assert_int_eq(getsockname(fd, &at->sa, &len), 0);
	return fd;
}

static void line_init(struct line *l)
{
	union address own;

	*l = (struct line){ .via = { .joint_max = OUTLET_JOINT_MAX } };
	l->via.count = &l->count;
	l->via.fd = loopback_socket(&own);
	l->to = loopback_socket(&l->at);
}

static void line_fini(struct line *l)
{
	close(l->via.fd);
	close(l->to);
}

static uint8_t octets[70000];

static const struct {
	size_t header_len;
	size_t sizes[8]; /* again and again; SIZE_MAX ends them */
	unsigned n;
	bool joined; /* the receiver takes them joined */
	uint32_t joint_max;
} rows[] = {
	{ 0, { 100, SIZE_MAX }, 1, false, OUTLET_JOINT_MAX },
	{ 0, { 100, SIZE_MAX }, 300, false, OUTLET_JOINT_MAX },
	{ 0, { 100, SIZE_MAX }, 300, true, OUTLET_JOINT_MAX },
	{ 10, { 100, SIZE_MAX }, 300, true, OUTLET_JOINT_MAX },
	{ 22, { 1472, SIZE_MAX }, 100, true, OUTLET_JOINT_MAX },
	{ 10, { 100, 100, 99, SIZE_MAX }, 300, true, OUTLET_JOINT_MAX },
	{ 10, { 0, SIZE_MAX }, 100, true, OUTLET_JOINT_MAX },
	{ 0, { 0, SIZE_MAX }, 100, true, OUTLET_JOINT_MAX },
	{ 0, { 0, 1, 0, 2, 3, 3, 0, SIZE_MAX }, 100, true, OUTLET_JOINT_MAX },
	{ 10, { 9000, 20000, 20000, 1, SIZE_MAX }, 16, true, OUTLET_JOINT_MAX },
	{ 10, { 100, SIZE_MAX }, 100, true, 0 },
};

START_TEST(what_is_sent_arrives_one_by_one_and_in_order)
{
	struct outbox *out = outbox_new();
	struct inbox *in = inbox_new();
	struct inbox_datagram d;
	uint8_t header[OUTBOX_HEADER_MAX];
	size_t len, h = rows[_i].header_len;
	uint64_t truncated = 0;
	unsigned got = 0, k = 0;
	struct line l;

	line_init(&l);
	l.via.joint_max = rows[_i].joint_max;
	if (rows[_i].joined)
		inbox_prepare(l.to);
	for (unsigned n = 0; n < rows[_i].n; n++, k++) {
		if (rows[_i].sizes[k] == SIZE_MAX)
			k = 0;
		memset(header, (int)(n & 0xff), sizeof(header));
		outbox_add(out, &l.via, &l.at, header, h, octets + n, rows[_i].sizes[k]);
	}
	outbox_flush(out);
	ck_assert_uint_eq(l.count.datagrams, rows[_i].n);
	ck_assert_uint_eq(l.count.dropped, 0);
	k = 0;
	while (inbox_receive(in, l.to) > 0)
		while (inbox_next(in, &d, &truncated)) {
			if (rows[_i].sizes[k] == SIZE_MAX)
				k = 0;
			len = rows[_i].sizes[k++];
			ck_assert_uint_eq(d.len, h + len);
			for (size_t i = 0; i < h; i++)
				ck_assert_uint_eq(d.data[i], got & 0xff);
			ck_assert(memcmp(d.data + h, octets + got, len) == 0);
			ck_assert_uint_eq(l.count.octets >= len, 1);
			got++;
		}
	ck_assert_uint_eq(got, rows[_i].n);
	ck_assert_uint_eq(truncated, 0);
	inbox_free(in);
	outbox_free(out);
	line_fini(&l);
}
END_TEST

START_TEST(one_that_is_too_long_is_dropped_and_no_other)
{
	struct outbox *out = outbox_new();
	char buf[16];
	struct line l;

	line_init(&l);
	outbox_add(out, &l.via, &l.at, NULL, 0, octets, 1);
	outbox_add(out, &l.via, &l.at, NULL, 0, octets, 65508);
	outbox_add(out, &l.via, &l.at, octets, 10, octets, 65535);
	outbox_add(out, &l.via, &l.at, NULL, 0, octets, 2);
	outbox_flush(out);
	ck_assert_uint_eq(l.count.datagrams, 2);
	ck_assert_uint_eq(l.count.octets, 3);
	ck_assert_uint_eq(l.count.dropped, 2);
	ck_assert_int_eq(recv(l.to, buf, sizeof(buf), MSG_DONTWAIT), 1);
	ck_assert_int_eq(recv(l.to, buf, sizeof(buf), MSG_DONTWAIT), 2);
	outbox_free(out);
	line_fini(&l);
}
END_TEST

START_TEST(a_refusal_of_earlier_ones_costs_no_later_one)
{
	struct outbox *out = outbox_new();
	union address at;
	struct line l;
	char buf[16];
	int again;

	line_init(&l);
	at = l.at;
	ck_assert_int_eq(connect(l.via.fd, &at.sa, sizeof(at.in)), 0);
	close(l.to);
	outbox_add(out, &l.via, NULL, NULL, 0, octets, 1);
	outbox_flush(out);
	again = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(again, &at.sa, sizeof(at.in)), 0);
	outbox_add(out, &l.via, NULL, NULL, 0, octets, 2);
	outbox_flush(out);
	ck_assert_int_eq(recv(again, buf, sizeof(buf), MSG_DONTWAIT), 2);
	ck_assert_uint_eq(l.count.dropped, 0);
	l.to = again;
	outbox_free(out);
	line_fini(&l);
}
END_TEST

UNIT_MAIN("server outbox", { what_is_sent_arrives_one_by_one_and_in_order, ROWS(rows) },
          { one_that_is_too_long_is_dropped_and_no_other, 0 },
          { a_refusal_of_earlier_ones_costs_no_later_one, 0 })
