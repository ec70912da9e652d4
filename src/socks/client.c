/*
 * How it works: a stage is sent or received, never both at once. stages[] says for each what is to
 * be received once it is sent, how many octets that is at first, and who reads them; enter() is the
 * only one who moves. Glued, the first write holds everything, and the answers are received in
 * their order.
 */
#include <errno.h>
#include <socks/client.h>
#include <socks/reply.h>

static void got_method(struct socks_client *c);
static void got_status(struct socks_client *c);
static void got_reply(struct socks_client *c);

static const struct stage_info {
	const char *text;
	enum client_stage answer;            /* what is received after this was sent */
	size_t need;                         /* octets that its shortest form certainly has */
	void (*got)(struct socks_client *c); /* that many have come */
} stages[] = {
	[CLIENT_STAGE_GREETING] = { "method", CLIENT_STAGE_METHOD, 0, NULL },
	[CLIENT_STAGE_METHOD] = { "method", CLIENT_STAGE_METHOD, 2, got_method },
	[CLIENT_STAGE_CREDENTIALS] = { "credentials", CLIENT_STAGE_CREDENTIALS, 2, got_status },
	[CLIENT_STAGE_REQUEST] = { "request", CLIENT_STAGE_REPLY, 0, NULL },
	[CLIENT_STAGE_REPLY] = { "request", CLIENT_STAGE_REPLY, 4, got_reply },
	[CLIENT_STAGE_SECOND_REPLY] = { "second reply", CLIENT_STAGE_SECOND_REPLY, 4, got_reply },
	[CLIENT_STAGE_OVER] = { "over", CLIENT_STAGE_OVER, 0, NULL },
};

/* What connect(2) says for a cause, and the words for it. */
static const struct cause_info {
	int err;
	const char *text;
} causes[] = {
	[CLIENT_CAUSE_NONE] = { 0, "" },
	[CLIENT_CAUSE_REPLY] = { 0, "" }, /* the code's own */
	[CLIENT_CAUSE_NO_DESTINATION] = { -EINVAL, "no destination is given" },
	[CLIENT_CAUSE_IPV6] = { -EAFNOSUPPORT, "SOCKS4 knows no IPv6 addresses" },
	[CLIENT_CAUSE_UDP] = { -EAFNOSUPPORT, "SOCKS4 knows no UDP" },
	[CLIENT_CAUSE_NAME] = { -EAFNOSUPPORT, "SOCKS4 knows no names; SOCKS4a does" },
	[CLIENT_CAUSE_ZERO_NET] = { -EHOSTUNREACH,
	                            "SOCKS4a reads addresses of the form 0.0.0.x as a name" },
	[CLIENT_CAUSE_USER_TOO_LONG] = { -EINVAL, "the user is over 255 octets" },
	[CLIENT_CAUSE_USER_HAS_NUL] = { -EINVAL, "the user holds a NUL" },
	[CLIENT_CAUSE_PASSWORD_TOO_LONG] = { -EINVAL, "the password is over 255 octets" },
	[CLIENT_CAUSE_PASSWORD_ALONE] = { -EINVAL, "a password without a user" },
	[CLIENT_CAUSE_CLOSED] = { -ECONNREFUSED, "the proxy closed the connection" },
	[CLIENT_CAUSE_WANTS_PASSWORD] = { -EACCES,
	                                  "the proxy wants a user and password, and none is set" },
	[CLIENT_CAUSE_WANTS_GSSAPI] = { -EPROTO, "the proxy wants GSSAPI (Kerberos), which was not "
	                                         "offered" },
	[CLIENT_CAUSE_WANTS_OTHER] = { -EACCES,
	                               "the proxy takes neither a user and password nor their "
	                               "absence" },
	[CLIENT_CAUSE_WANTS_SOME] = { -EACCES, "the proxy wants credentials, and no user is set" },
	[CLIENT_CAUSE_ODD_METHOD] = { -EPROTO, "the proxy chose a method that was not offered" },
	[CLIENT_CAUSE_CREDENTIALS] = { -EACCES, "the proxy refuses this user and password" },
	[CLIENT_CAUSE_HTTP] = { -EPROTO, "the proxy speaks HTTP, not SOCKS" },
	[CLIENT_CAUSE_TLS] = { -EPROTO, "the proxy speaks TLS, not SOCKS" },
	[CLIENT_CAUSE_SSH] = { -EPROTO, "this is an SSH server, not a SOCKS proxy" },
	[CLIENT_CAUSE_SOCKS4] = { -EPROTO, "the proxy speaks SOCKS4 only" },
	[CLIENT_CAUSE_SOCKS5] = { -EPROTO, "the proxy speaks SOCKS5 only" },
	[CLIENT_CAUSE_NOISE] = { -EPROTO, "the proxy's answer is not SOCKS" },
};

static void enter(struct socks_client *c, enum client_stage stage, enum client_want want)
{
	c->stage = stage;
	c->want = want;
	c->len = 0;
	c->need = stages[stage].need;
	if (want != CLIENT_SEND) {
		/* It may have held a password. */
		explicit_bzero(c->out, sizeof(c->out));
		c->out_len = 0;
		c->out_pos = 0;
	}
}

static void fail(struct socks_client *c, enum client_cause cause)
{
	c->cause = cause;
	c->err = causes[cause].err;
	c->heard = c->len;
	enter(c, c->stage, CLIENT_FAILED);
}

static bool is_v5(const struct socks_client *c)
{
	return c->params.protocol == SOCKS_V5;
}

static bool has_credentials(const struct socks_client *c)
{
	return c->params.user_len > 0;
}

/*
 * A writer behind what waits already. The buffer holds the longest three messages, so it never
 * overruns.
 */
static struct writer out_begin(struct socks_client *c)
{
	return (struct writer){ .buf = c->out, .cap = sizeof(c->out), .pos = c->out_len };
}

static void queue_greeting(struct socks_client *c)
{
	struct socks5_greeting g = { .n_methods = 0 };
	struct writer w = out_begin(c);

	/* Glued, credentials follow at once, so the proxy must have no choice. */
	if (!(c->params.glue && has_credentials(c)))
		g.methods[g.n_methods++] = SOCKS5_METHOD_NONE;
	if (has_credentials(c))
		g.methods[g.n_methods++] = SOCKS5_METHOD_USERPASS;
	socks5_put_greeting(&w, &g);
	c->out_len = w.pos;
}

static void queue_credentials(struct socks_client *c)
{
	struct writer w = out_begin(c);
	struct socks5_userpass up = {
		.user_len = (uint8_t)c->params.user_len,
		.password_len = (uint8_t)c->params.password_len,
	};

	memcpy(up.user, c->params.user, up.user_len);
	if (up.password_len > 0)
		memcpy(up.password, c->params.password, up.password_len);
	socks5_put_userpass(&w, &up);
	c->out_len = w.pos;
	explicit_bzero(&up, sizeof(up));
}

static void queue_request(struct socks_client *c)
{
	struct writer w = out_begin(c);

	if (is_v5(c)) {
		const struct socks5_request rq = { .cmd = c->params.cmd, .dst = c->dst };

		socks5_put_request(&w, &rq);
	} else {
		struct socks4_request rq = { .cmd = c->params.cmd, .dst = c->dst };

		rq.user_len = (uint8_t)c->params.user_len;
		if (rq.user_len > 0)
			memcpy(rq.user, c->params.user, rq.user_len);
		socks4_put_request(&w, &rq);
	}
	c->out_len = w.pos;
}

static enum client_cause check_destination(const struct socks_client *c)
{
	static const uint8_t zero[4];

	if (c->dst.kind == ENDPOINT_NONE)
		return CLIENT_CAUSE_NO_DESTINATION;
	if (is_v5(c))
		return CLIENT_CAUSE_NONE;
	if (c->dst.kind == ENDPOINT_IPV6)
		return CLIENT_CAUSE_IPV6;
	if (c->params.cmd == SOCKS5_UDP_ASSOCIATE)
		return CLIENT_CAUSE_UDP;
	if (c->dst.kind == ENDPOINT_NAME)
		return c->params.protocol == SOCKS_V4 ? CLIENT_CAUSE_NAME : CLIENT_CAUSE_NONE;
	/* 0.0.0.0 itself is BIND's "anybody". */
	if (memcmp(c->dst.ip, zero, 3) == 0 && c->dst.ip[3] != 0)
		return CLIENT_CAUSE_ZERO_NET;
	return CLIENT_CAUSE_NONE;
}

static enum client_cause check_credentials(const struct client_params *p)
{
	if (p->user_len > SOCKS5_CRED_MAX)
		return CLIENT_CAUSE_USER_TOO_LONG;
	if (p->protocol != SOCKS_V5)
		return p->user_len > 0 && memchr(p->user, '\0', p->user_len)
		               ? CLIENT_CAUSE_USER_HAS_NUL
		               : CLIENT_CAUSE_NONE;
	if (p->password_len > SOCKS5_CRED_MAX)
		return CLIENT_CAUSE_PASSWORD_TOO_LONG;
	return p->password_len > 0 && p->user_len == 0 ? CLIENT_CAUSE_PASSWORD_ALONE
	                                               : CLIENT_CAUSE_NONE;
}

int client_init(struct socks_client *c, const struct client_params *params)
{
	enum client_cause cause;

	*c = (struct socks_client){ .params = *params, .err = -EINPROGRESS };
	if (params->dst)
		c->dst = *params->dst;
	endpoint_unmap(&c->dst);
	c->params.dst = NULL;

	enter(c, is_v5(c) ? CLIENT_STAGE_GREETING : CLIENT_STAGE_REQUEST, CLIENT_SEND);
	cause = check_destination(c);
	if (cause == CLIENT_CAUSE_NONE)
		cause = check_credentials(params);
	if (cause != CLIENT_CAUSE_NONE) {
		fail(c, cause);
		return c->err;
	}
	if (!is_v5(c)) {
		queue_request(c);
		return 0;
	}
	queue_greeting(c);
	if (params->glue) {
		if (has_credentials(c))
			queue_credentials(c);
		queue_request(c);
	}
	return 0;
}

enum client_want client_want(const struct socks_client *c, size_t *n)
{
	if (n)
		*n = 0;
	if (n && c->want == CLIENT_SEND)
		*n = c->out_len - c->out_pos;
	if (n && c->want == CLIENT_RECV)
		*n = c->need - c->len;
	return c->want;
}

const uint8_t *client_out(const struct socks_client *c, size_t *len)
{
	*len = c->out_len - c->out_pos;
	return c->out + c->out_pos;
}

static void receive(struct socks_client *c, enum client_stage stage)
{
	enter(c, stage, CLIENT_RECV);
	if (!is_v5(c))
		c->need = SOCKS4_REPLY_LEN;
}

void client_sent(struct socks_client *c, size_t n)
{
	size_t left = c->out_len - c->out_pos;

	c->out_pos += n < left ? n : left;
	if (c->want == CLIENT_SEND && c->out_pos == c->out_len)
		receive(c, stages[c->stage].answer);
}

static bool begins(const struct socks_client *c, uint8_t first, uint8_t second)
{
	return c->len >= 2 && c->in[0] == first && c->in[1] == second;
}

/* What an answer that is no SOCKS of ours looks like. */
static enum client_cause what_came(const struct socks_client *c)
{
	if (begins(c, 'H', 'T'))
		return CLIENT_CAUSE_HTTP;
	if (begins(c, 'S', 'S'))
		return CLIENT_CAUSE_SSH;
	/* An alert, or a handshake, of any TLS (RFC 8446 section 5.1). */
	if (begins(c, 0x15, 0x03) || begins(c, 0x16, 0x03))
		return CLIENT_CAUSE_TLS;
	if (is_v5(c) && (begins(c, 0, SOCKS4_GRANTED) || begins(c, 0, SOCKS4_REJECTED) ||
	                 begins(c, 0, SOCKS4_NO_IDENTD) || begins(c, 0, SOCKS4_IDENT_DIFFERS)))
		return CLIENT_CAUSE_SOCKS4;
	if (!is_v5(c) && c->len > 0 && c->in[0] == SOCKS5_VERSION)
		return CLIENT_CAUSE_SOCKS5;
	return CLIENT_CAUSE_NOISE;
}

/* The handshake's next message: sent now, or already sent with the first. */
static void go_on(struct socks_client *c, enum client_stage stage,
                  void (*queue)(struct socks_client *))
{
	if (c->params.glue) {
		receive(c, stages[stage].answer);
		return;
	}
	enter(c, stage, CLIENT_SEND);
	queue(c);
}

static void got_method(struct socks_client *c)
{
	uint8_t method;
	size_t used;

	if (socks5_get_method(c->in, c->len, &method, &used) != WIRE_OK)
		fail(c, what_came(c));
	else if (method == SOCKS5_METHOD_USERPASS && has_credentials(c))
		go_on(c, CLIENT_STAGE_CREDENTIALS, queue_credentials);
	else if (method == SOCKS5_METHOD_USERPASS)
		fail(c, CLIENT_CAUSE_WANTS_PASSWORD);
	else if (method == SOCKS5_METHOD_UNACCEPTABLE && has_credentials(c))
		fail(c, CLIENT_CAUSE_WANTS_OTHER);
	else if (method == SOCKS5_METHOD_UNACCEPTABLE)
		fail(c, CLIENT_CAUSE_WANTS_SOME);
	else if (method == SOCKS5_METHOD_GSSAPI)
		fail(c, CLIENT_CAUSE_WANTS_GSSAPI);
	else if (method != SOCKS5_METHOD_NONE || (c->params.glue && has_credentials(c)))
		fail(c, CLIENT_CAUSE_ODD_METHOD);
	else
		go_on(c, CLIENT_STAGE_REQUEST, queue_request);
}

static void got_status(struct socks_client *c)
{
	uint8_t status;
	size_t used;

	if (socks5_get_userpass_status(c->in, c->len, &status, &used) != WIRE_OK)
		fail(c, what_came(c));
	else if (status != 0)
		fail(c, CLIENT_CAUSE_CREDENTIALS);
	else
		go_on(c, CLIENT_STAGE_REQUEST, queue_request);
}

/* The reply's code is in. */
static void judge(struct socks_client *c, uint8_t code)
{
	int err = is_v5(c) ? reply_socks5_to_errno(code) : reply_socks4_to_errno(code);

	c->code = code;
	c->has_code = true;
	if (err < 0) {
		fail(c, CLIENT_CAUSE_REPLY);
		c->err = err;
	}
}

/*
 * Does what came of a reply say no already? Servers that fail in a hurry send a reply that is cut
 * short or holds an ATYP of 0; their code is worth more to the program than "not SOCKS".
 */
static bool says_no(const struct socks_client *c)
{
	if (c->stage != CLIENT_STAGE_REPLY && c->stage != CLIENT_STAGE_SECOND_REPLY)
		return false;
	if (c->len < 2)
		return false;
	if (is_v5(c))
		return c->in[0] == SOCKS5_VERSION && c->in[1] != SOCKS5_SUCCEEDED;
	return (c->in[0] == 0 || c->in[0] == SOCKS4_VERSION) && c->in[1] != SOCKS4_GRANTED;
}

static enum wire_res read_reply(struct socks_client *c, struct socks5_reply *rp, size_t *used)
{
	struct socks4_reply rp4;
	enum wire_res res;

	if (is_v5(c))
		return socks5_get_reply(c->in, c->len, rp, used);
	res = socks4_get_reply(c->in, c->len, &rp4, used);
	if (res == WIRE_OK)
		*rp = (struct socks5_reply){ .rep = rp4.code, .bnd = rp4.bnd };
	return res;
}

static void got_reply(struct socks_client *c)
{
	struct socks5_reply rp;
	size_t used;

	switch (read_reply(c, &rp, &used)) {
	case WIRE_SHORT:
		c->need = used;
		break;
	case WIRE_OK:
		judge(c, rp.rep);
		if (c->want == CLIENT_FAILED)
			break;
		c->bnd = rp.bnd;
		c->err = 0;
		enter(c, CLIENT_STAGE_OVER, CLIENT_DONE);
		break;
	case WIRE_BAD:
		if (says_no(c))
			judge(c, c->in[1]);
		else
			fail(c, what_came(c));
		break;
	}
}

/* Who hangs up in mid-answer may have said enough to know it by: a TLS alert has 7 octets. */
static enum client_cause why_closed(const struct socks_client *c)
{
	enum client_cause what = c->want == CLIENT_RECV ? what_came(c) : CLIENT_CAUSE_NOISE;

	return what == CLIENT_CAUSE_NOISE ? CLIENT_CAUSE_CLOSED : what;
}

void client_feed(struct socks_client *c, const uint8_t *buf, size_t n)
{
	size_t left = c->need - c->len;

	if (c->want != CLIENT_RECV && (c->want != CLIENT_SEND || n > 0))
		return;
	if (n == 0) {
		if (c->want == CLIENT_RECV && says_no(c))
			judge(c, c->in[1]);
		else
			fail(c, why_closed(c));
		return;
	}
	if (n > left)
		n = left;
	memcpy(c->in + c->len, buf, n);
	c->len += n;
	if (c->len == c->need)
		stages[c->stage].got(c);
}

void client_next_reply(struct socks_client *c)
{
	if (c->want != CLIENT_DONE)
		return;
	c->err = -EINPROGRESS;
	receive(c, CLIENT_STAGE_SECOND_REPLY);
}

int client_result(const struct socks_client *c)
{
	return c->err;
}

enum client_stage client_where(const struct socks_client *c)
{
	return c->stage;
}

int client_code(const struct socks_client *c)
{
	return c->has_code ? c->code : -1;
}

const struct endpoint *client_bound(const struct socks_client *c)
{
	return &c->bnd;
}

const char *client_stage_text(enum client_stage stage)
{
	return stages[stage].text;
}

enum client_cause client_cause(const struct socks_client *c)
{
	return c->cause;
}

const char *client_why(const struct socks_client *c)
{
	if (c->cause == CLIENT_CAUSE_REPLY)
		return is_v5(c) ? reply_socks5_text(c->code) : reply_socks4_text(c->code);
	return causes[c->cause].text;
}

const uint8_t *client_heard(const struct socks_client *c, size_t *len)
{
	*len = c->heard;
	return c->in;
}
