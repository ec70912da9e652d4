/*
 * How it works: the question goes out (->asked false), then messages come in, each into the
 * buffer's beginning, until one is the answer. ->len is that of the message at hand, its two octets
 * counted; of one that comes it is known, and not 0, only once these two are there.
 */
#include <tunnel/exchange.h>

#include <dns/message.h>
#include <errno.h>
#include <sys/socket.h>

#define PREFIX 2 /* octets of length before each message */

/* The third octet of a header: an answer, not a question (RFC 1035 section 4.1.1). */
#define QR 0x80

static uint16_t number_at(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

void exchange_init(struct exchange *x, const struct sys *sys, uint8_t *buf, size_t cap, size_t len)
{
	buf[0] = (uint8_t)(len >> 8);
	buf[1] = (uint8_t)(len & 0xff);
	*x = (struct exchange){ .sys = sys,
		                .buf = buf,
		                .cap = cap,
		                .len = PREFIX + len,
		                .id = number_at(buf + PREFIX) };
}

short exchange_events(const struct exchange *x)
{
	return x->asked ? POLLIN : POLLOUT;
}

/* One call, towards @end octets of the message at hand. Returns 0, -EINPROGRESS or an error. */
static int move(struct exchange *x, int fd, size_t end)
{
	uint8_t *at = x->buf + x->pos;
	size_t n = end - x->pos;
	ssize_t r;

	do
		r = x->asked ? x->sys->recv(fd, at, n, MSG_DONTWAIT)
		             : x->sys->send(fd, at, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (r < 0 && errno == EINTR);
	if (r > 0) {
		x->pos += (size_t)r;
		return 0;
	}
	if (r == 0 || errno == EPIPE)
		return -ECONNRESET;
	return errno == EAGAIN || errno == EWOULDBLOCK ? -EINPROGRESS : -errno;
}

static int send_question(struct exchange *x, int fd)
{
	int err = 0;

	while (err == 0 && x->pos < x->len)
		err = move(x, fd, x->len);
	if (err == 0) {
		x->asked = true;
		x->pos = x->len = 0;
	}
	return err;
}

/* The next message, whole. */
static int get_message(struct exchange *x, int fd)
{
	int err = 0;

	while (err == 0 && x->pos < PREFIX)
		err = move(x, fd, PREFIX);
	if (err < 0)
		return err;
	x->len = PREFIX + (size_t)number_at(x->buf);
	if (x->len < PREFIX + DNS_HEADER_LEN)
		return -EPROTO;
	if (x->len > x->cap)
		return -EMSGSIZE;
	while (err == 0 && x->pos < x->len)
		err = move(x, fd, x->len);
	return err;
}

static bool is_answer(const struct exchange *x)
{
	const uint8_t *msg = x->buf + PREFIX;

	return number_at(msg) == x->id && (msg[2] & QR);
}

int exchange_step(struct exchange *x, int fd)
{
	int err = x->asked ? 0 : send_question(x, fd);

	while (err == 0) {
		err = get_message(x, fd);
		if (err == 0 && is_answer(x))
			return (int)(x->len - PREFIX);
		if (err == 0)
			x->pos = x->len = 0;
	}
	return err;
}
