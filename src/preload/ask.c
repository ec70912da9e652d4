#include "ask.h"

#include "guard.h"
#include "real.h"
#include "session.h"
#include "tell.h"

#include <base/clock.h>
#include <base/errtext.h>
#include <base/log.h>
#include <dns/message.h>
#include <errno.h>
#include <names/nameservers.h>
#include <pthread.h>
#include <string.h>
#include <tunnel/exchange.h>
#include <unistd.h>

#define SERVERS_MAX 3 /* as libc: lines after the third are not looked at */
#define PATIENCE_MS 10000

/* What is the same for all servers. */
struct ask {
	const uint8_t *msg;
	size_t len;
	uint8_t *buf;
	size_t cap;
	struct endpoint hops[DIAL_HOPS_MAX];
	size_t n_hops;
};

/* Over @fd, which the proxy has connected to the server. */
static int ask_over(const struct ask *a, struct waiter *w, int fd, int64_t deadline_ms)
{
	struct exchange x;
	int r;

	memcpy(a->buf + 2, a->msg, a->len);
	exchange_init(&x, &real_sys, a->buf, a->cap, a->len);
	while ((r = exchange_step(&x, fd)) == -EINPROGRESS) {
		r = w->wait(w, fd, exchange_events(&x), deadline_ms);
		if (r < 0)
			break;
	}
	return r;
}

static int ask_one(const struct ask *a, const struct endpoint *server)
{
	int timeout_ms = session_config()->timeout_ms, err, fd;
	struct waiter waiter;
	struct dial d = { .sys = &real_sys,
		          .waiter = &waiter,
		          .proxy = &session_config()->proxy,
		          .hops = a->hops,
		          .n_hops = a->n_hops,
		          .deadline_ms = clock_ms() +
		                         (timeout_ms < PATIENCE_MS ? timeout_ms : PATIENCE_MS) };

	fd = sys_raise(&real_sys,
	               real->socket(dial_family(&d), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
	               guard_floor());
	if (fd < 0)
		return fd;
	waiter_init(&waiter, &real_sys);
	err = dial_connect(&d, fd, server);
	tell_dial(server, &d, err);
	if (err < 0) {
		if (!d.report.reached)
			session_hops_stale();
		goto out;
	}
	err = ask_over(a, &waiter, fd, d.deadline_ms);
	if (err < 0)
		log_warn("%s[%d]: no answer of the name server %s through %s: %s",
		         program_invocation_short_name, (int)getpid(), ENDPOINT_TEXT(server),
		         d.proxy->label, err_text(err));
out:
	real->close(fd);
	return err;
}

/* The server says no more than that it can't tell: another one may. */
static bool is_useless(const uint8_t *answer)
{
	enum dns_rcode rcode = dns_rcode(answer);

	return rcode == DNS_SERVFAIL || rcode == DNS_NOTIMP || rcode == DNS_REFUSED;
}

static int ask_all(struct ask *a)
{
	struct endpoint servers[SERVERS_MAX];
	size_t n = nameservers_list(servers, SERVERS_MAX);
	int err = session_login(), n_hops;

	if (err < 0)
		return err;
	n_hops = session_hops(a->hops, true);
	if (n_hops <= 0)
		return -EHOSTUNREACH;
	a->n_hops = (size_t)n_hops;
	err = -ECONNREFUSED;
	for (size_t i = 0; i < n; i++) {
		err = ask_one(a, &servers[i]);
		if (err > 0 && !is_useless(a->buf + 2))
			break;
	}
	return err;
}

int ask_name_servers(const uint8_t *msg, size_t len, uint8_t *buf, size_t cap)
{
	struct ask a = { .msg = msg, .len = len, .buf = buf, .cap = cap };
	int cancel_state, err;

	if (len > DNS_MESSAGE_MAX || 2 + len > cap)
		return -EMSGSIZE;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
	err = ask_all(&a);
	pthread_setcancelstate(cancel_state, NULL);
	return err;
}
