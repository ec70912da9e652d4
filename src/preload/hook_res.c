/*
 * The res_query() family. libc asks by calls of its own, which nobody can catch, so its entry
 * points are answered here: the question becomes a message, and respond() says what is to come of
 * it. What goes direct is libc's, search list and all. Elsewhere no search domain is appended: a
 * name goes to the proxy as it was asked.
 */
#include "answer.h"
#include "ask.h"
#include "real.h"
#include "respond.h"
#include "reverse.h"

#include <base/clock.h>
#include <dlfcn.h>
#include <errno.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define ANSWER_ROOM   2048 /* LOCAL_MAX addresses and the question, or two names */
#define QUESTION_ROOM (DNS_HEADER_LEN + DNS_WIRE_MAX + 4)

#define ASK_LIBC (-2) /* besides what libc's own return */

/* Third octet of a header: the answer was cut (RFC 1035 section 4.1.1). */
#define TC 0x02

/* A name in two halves, as res_querydomain() takes it; @domain may be NULL. */
struct query {
	const char *name, *domain;
	int class, type;
};

/*
 * libc's own by its name with two underscores. Until glibc 2.34 it has no other, and is in a
 * library that a program may open late, and for itself alone.
 */
static void *find(const char *name)
{
	void *at = real->dlsym(RTLD_NEXT, name + strlen("__")), *lib;

	if (!at)
		at = real->dlsym(RTLD_NEXT, name);
	if (!at) {
		lib = real->dlopen("libresolv.so.2", RTLD_LAZY | RTLD_NOLOAD);
		at = lib ? real->dlsym(lib, name) : NULL;
	}
	return at;
}

/* As libc: the length of the whole, of which a short buffer gets the beginning. */
static int deliver(const uint8_t *from, size_t n, uint8_t *answer, size_t len)
{
	memcpy(answer, from, n < len ? n : len);
	if (n > len)
		answer[2] |= TC;
	return (int)n;
}

static int fail(int err)
{
	errno = -err;
	return -1;
}

static int send_through(const uint8_t *msg, size_t msg_len, uint8_t *answer, size_t len,
                        const struct response *r)
{
	uint8_t *buf = malloc(ASK_BUF_MAX);
	int n;

	if (!buf)
		return fail(-ENOMEM);
	n = ask_name_servers(msg, msg_len, buf, ASK_BUF_MAX);
	if (n > 0) {
		respond_note(&r->question, buf + 2, (size_t)n);
		n = deliver(buf + 2, (size_t)n, answer, len);
	} else {
		fail(n);
	}
	free(buf);
	return n < 0 ? -1 : n;
}

/* Returns the length of the answer, -1 with errno, or ASK_LIBC. */
static int send_message(const uint8_t *msg, size_t msg_len, uint8_t *answer, int len,
                        struct response *r)
{
	char name[REVERSE_NAME_MAX];
	uint8_t buf[ANSWER_ROOM];
	int saved = errno, n = 0;
	bool known;

	if (len < DNS_HEADER_LEN)
		return fail(-EINVAL);
	switch (respond(msg, msg_len, false, buf, sizeof(buf), r)) {
	case RESPOND_ANSWER:
		n = deliver(buf, r->len, answer, (size_t)len);
		break;
	case RESPOND_NOTHING:
		return fail(-EINVAL);
	case RESPOND_DIRECT:
		n = ASK_LIBC;
		break;
	case RESPOND_TUNNEL:
		n = send_through(msg, msg_len, answer, (size_t)len, r);
		break;
	case RESPOND_PTR:
		known = reverse_ask(&r->address, name);
		n = deliver(buf, respond_ptr(msg, r, false, known ? name : NULL, buf, sizeof(buf)),
		            answer, (size_t)len);
		break;
	}
	if (n != -1)
		errno = saved;
	return n;
}

static void set_h_errno(struct __res_state *state, int value)
{
	state->res_h_errno = value;
	h_errno = value;
}

/* A whole answer as res_query() judges it. 0: it has what was asked for. */
static int judge(const uint8_t *answer)
{
	switch (dns_rcode(answer)) {
	case DNS_NOERROR:
		return dns_answer_count(answer) > 0 ? 0 : NO_DATA;
	case DNS_NXDOMAIN:
		return HOST_NOT_FOUND;
	case DNS_SERVFAIL:
		return TRY_AGAIN;
	case DNS_FORMERR:
	case DNS_NOTIMP:
	case DNS_REFUSED:
	case DNS_BADVERS:
		break;
	}
	return NO_RECOVERY;
}

static uint16_t random_id(void)
{
	int saved = errno;
	uint16_t id;

	if (getrandom(&id, sizeof(id), GRND_NONBLOCK) != sizeof(id))
		id = (uint16_t)(clock_us() & 0xffff);
	errno = saved;
	return id;
}

/* Returns its length, or 0 where no message can say it. */
static size_t put_query(uint8_t buf[QUESTION_ROOM], const struct query *q)
{
	size_t n = strlen(q->name), d = q->domain ? strlen(q->domain) + 1 : 0, len;
	char text[DNS_WIRE_MAX + 1]; /* with a trailing dot */
	struct dns_name name;

	if (n > sizeof(text) || d > sizeof(text) - n)
		return 0;
	memcpy(text, q->name, n);
	if (q->domain) {
		text[n] = '.';
		memcpy(text + n + 1, q->domain, d - 1);
	}
	if (!dns_name_set(&name, text, n + d))
		return 0;
	len = dns_put_question(buf, QUESTION_ROOM, random_id(), &name, (uint16_t)q->type, 0);
	if (len > 0) { /* the class stands last */
		buf[len - 2] = (uint8_t)(q->class >> 8 & 0xff);
		buf[len - 1] = (uint8_t)(q->class & 0xff);
	}
	return len;
}

/* As send_message(), h_errno as well. */
static int query(struct __res_state *state, const struct query *q, uint8_t *answer, int len,
                 struct response *r)
{
	uint8_t msg[QUESTION_ROOM];
	size_t msg_len = put_query(msg, q);
	int n, herr;

	if (msg_len == 0) {
		set_h_errno(state, NO_RECOVERY);
		return -1;
	}
	n = send_message(msg, msg_len, answer, len, r);
	if (n == ASK_LIBC)
		return n;
	herr = n < 0 ? TRY_AGAIN : judge(answer);
	if (herr == 0)
		return n;
	set_h_errno(state, herr);
	return -1;
}

/* What a name server said to a question that was let go. */
static int show(const struct response *r, const uint8_t *answer, int len, int n)
{
	int saved = errno;

	if (n > 0)
		respond_note(&r->question, answer, (size_t)(n < len ? n : len));
	errno = saved;
	return n;
}

/* A program that has this function's name has the library; unless somebody made a stub of it. */
static int lack(void)
{
	return fail(-ENOSYS);
}

int hook_res_query(const char *name, int class, int type, uint8_t *answer, int len)
{
	int (*own)(const char *, int, int, uint8_t *, int);
	const struct query q = { name, NULL, class, type };
	struct response r;
	int n = query(&_res, &q, answer, len, &r);

	if (n != ASK_LIBC)
		return n;
	*(void **)&own = find("__res_query");
	return own ? show(&r, answer, len, own(name, class, type, answer, len)) : lack();
}

int hook_res_search(const char *name, int class, int type, uint8_t *answer, int len)
{
	int (*own)(const char *, int, int, uint8_t *, int);
	const struct query q = { name, NULL, class, type };
	struct response r;
	int n = query(&_res, &q, answer, len, &r);

	if (n != ASK_LIBC)
		return n;
	*(void **)&own = find("__res_search");
	return own ? show(&r, answer, len, own(name, class, type, answer, len)) : lack();
}

int hook_res_querydomain(const char *name, const char *domain, int class, int type, uint8_t *answer,
                         int len)
{
	int (*own)(const char *, const char *, int, int, uint8_t *, int);
	const struct query q = { name, domain, class, type };
	struct response r;
	int n = query(&_res, &q, answer, len, &r);

	if (n != ASK_LIBC)
		return n;
	*(void **)&own = find("__res_querydomain");
	return own ? show(&r, answer, len, own(name, domain, class, type, answer, len)) : lack();
}

int hook_res_send(const uint8_t *msg, int msg_len, uint8_t *answer, int len)
{
	int (*own)(const uint8_t *, int, uint8_t *, int);
	struct response r;
	int n = send_message(msg, msg_len > 0 ? (size_t)msg_len : 0, answer, len, &r);

	if (n != ASK_LIBC)
		return n;
	*(void **)&own = find("__res_send");
	return own ? show(&r, answer, len, own(msg, msg_len, answer, len)) : lack();
}

int hook_res_nquery(struct __res_state *state, const char *name, int class, int type,
                    uint8_t *answer, int len)
{
	int (*own)(struct __res_state *, const char *, int, int, uint8_t *, int);
	const struct query q = { name, NULL, class, type };
	struct response r;
	int n = query(state, &q, answer, len, &r);

	if (n != ASK_LIBC)
		return n;
	*(void **)&own = find("__res_nquery");
	return own ? show(&r, answer, len, own(state, name, class, type, answer, len)) : lack();
}

int hook_res_nsearch(struct __res_state *state, const char *name, int class, int type,
                     uint8_t *answer, int len)
{
	int (*own)(struct __res_state *, const char *, int, int, uint8_t *, int);
	const struct query q = { name, NULL, class, type };
	struct response r;
	int n = query(state, &q, answer, len, &r);

	if (n != ASK_LIBC)
		return n;
	*(void **)&own = find("__res_nsearch");
	return own ? show(&r, answer, len, own(state, name, class, type, answer, len)) : lack();
}

int hook_res_nquerydomain(struct __res_state *state, const char *name, const char *domain,
                          int class, int type, uint8_t *answer, int len)
{
	int (*own)(struct __res_state *, const char *, const char *, int, int, uint8_t *, int);
	const struct query q = { name, domain, class, type };
	struct response r;
	int n = query(state, &q, answer, len, &r);

	if (n != ASK_LIBC)
		return n;
	*(void **)&own = find("__res_nquerydomain");
	return own ? show(&r, answer, len, own(state, name, domain, class, type, answer, len))
	           : lack();
}

int hook_res_nsend(struct __res_state *state, const uint8_t *msg, int msg_len, uint8_t *answer,
                   int len)
{
	int (*own)(struct __res_state *, const uint8_t *, int, uint8_t *, int);
	struct response r;
	int n = send_message(msg, msg_len > 0 ? (size_t)msg_len : 0, answer, len, &r);

	if (n != ASK_LIBC)
		return n;
	*(void **)&own = find("__res_nsend");
	return own ? show(&r, answer, len, own(state, msg, msg_len, answer, len)) : lack();
}
