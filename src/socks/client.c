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
	[CLIENT_STAGE_GREETING] = { "greeting", CLIENT_STAGE_METHOD, 0, NULL },
	[CLIENT_STAGE_METHOD] = { "method", CLIENT_STAGE_METHOD, 2, got_method },
	[CLIENT_STAGE_CREDENTIALS] = { "credentials", CLIENT_STAGE_CREDENTIALS, 2, got_status },
	[CLIENT_STAGE_REQUEST] = { "request", CLIENT_STAGE_REPLY, 0, NULL },
	[CLIENT_STAGE_REPLY] = { "reply", CLIENT_STAGE_REPLY, 4, got_reply },
	[CLIENT_STAGE_SECOND_REPLY] = { "second reply", CLIENT_STAGE_SECOND_REPLY, 4, got_reply },
	[CLIENT_STAGE_OVER] = { "over", CLIENT_STAGE_OVER, 0, NULL },
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

static void fail(struct socks_client *c, int err, const char *why)
{
	c->err = err;
	c->why = why;
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

static int check_destination(const struct socks_client *c, const char **why)
{
	static const uint8_t zero[4];

	*why = "no destination is given";
	if (c->dst.kind == ENDPOINT_NONE)
		return -EINVAL;
	if (is_v5(c))
		return 0;
	*why = "SOCKS4 knows no IPv6 addresses";
	if (c->dst.kind == ENDPOINT_IPV6)
		return -EAFNOSUPPORT;
	*why = "SOCKS4 knows no UDP";
	if (c->params.cmd == SOCKS5_UDP_ASSOCIATE)
		return -EAFNOSUPPORT;
	*why = "SOCKS4 knows no names; SOCKS4a does";
	if (c->dst.kind == ENDPOINT_NAME)
		return c->params.protocol == SOCKS_V4 ? -EAFNOSUPPORT : 0;
	/* 0.0.0.0 itself is BIND's "anybody". */
	*why = "SOCKS4a reads addresses of the form 0.0.0.x as a name";
	if (memcmp(c->dst.ip, zero, 3) == 0 && c->dst.ip[3] != 0)
		return -EHOSTUNREACH;
	return 0;
}

static int check_credentials(const struct client_params *p, const char **why)
{
	*why = "the user is over 255 octets";
	if (p->user_len > SOCKS5_CRED_MAX)
		return -EINVAL;
	*why = "the user holds a NUL";
	if (p->protocol != SOCKS_V5)
		return p->user_len > 0 && memchr(p->user, '\0', p->user_len) ? -EINVAL : 0;
	*why = "the password is over 255 octets";
	if (p->password_len > SOCKS5_CRED_MAX)
		return -EINVAL;
	*why = "a password without a user";
	return p->password_len > 0 && p->user_len == 0 ? -EINVAL : 0;
}

int client_init(struct socks_client *c, const struct client_params *params)
{
	const char *why;
	int err;

	*c = (struct socks_client){ .params = *params, .err = -EINPROGRESS, .why = "" };
	if (params->dst)
		c->dst = *params->dst;
	endpoint_unmap(&c->dst);
	c->params.dst = NULL;

	enter(c, is_v5(c) ? CLIENT_STAGE_GREETING : CLIENT_STAGE_REQUEST, CLIENT_SEND);
	err = check_destination(c, &why);
	if (err == 0)
		err = check_credentials(params, &why);
	if (err < 0) {
		fail(c, err, why);
		return err;
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

/* What an answer that is no SOCKS looks like. */
static const char *what_came(const struct socks_client *c)
{
	if (c->in[0] == 'H')
		return "the proxy speaks HTTP, not SOCKS";
	if (is_v5(c) && c->in[0] == 0 && c->in[1] >= SOCKS4_GRANTED &&
	    c->in[1] <= SOCKS4_IDENT_DIFFERS)
		return "the proxy speaks SOCKS4 only";
	if (!is_v5(c) && c->in[0] == SOCKS5_VERSION)
		return "the proxy speaks SOCKS5 only";
	return "the proxy's answer is not SOCKS";
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
		fail(c, -EPROTO, what_came(c));
	else if (method == SOCKS5_METHOD_USERPASS && has_credentials(c))
		go_on(c, CLIENT_STAGE_CREDENTIALS, queue_credentials);
	else if (method == SOCKS5_METHOD_USERPASS)
		fail(c, -EACCES, "the proxy wants a user and password, and none is set");
	else if (method == SOCKS5_METHOD_UNACCEPTABLE && has_credentials(c))
		fail(c, -EACCES, "the proxy takes neither a user and password nor their absence");
	else if (method == SOCKS5_METHOD_UNACCEPTABLE)
		fail(c, -EACCES, "the proxy wants credentials, and none are set");
	else if (method != SOCKS5_METHOD_NONE || (c->params.glue && has_credentials(c)))
		fail(c, -EPROTO, "the proxy chose a method that was not offered");
	else
		go_on(c, CLIENT_STAGE_REQUEST, queue_request);
}

static void got_status(struct socks_client *c)
{
	uint8_t status;
	size_t used;

	if (socks5_get_userpass_status(c->in, c->len, &status, &used) != WIRE_OK)
		fail(c, -EPROTO, what_came(c));
	else if (status != 0)
		fail(c, -EACCES, "the proxy refuses this user and password");
	else
		go_on(c, CLIENT_STAGE_REQUEST, queue_request);
}

/* The reply's code is in. */
static void judge(struct socks_client *c, uint8_t code)
{
	int err = is_v5(c) ? reply_socks5_to_errno(code) : reply_socks4_to_errno(code);

	c->code = code;
	c->has_code = true;
	if (err < 0)
		fail(c, err, is_v5(c) ? reply_socks5_text(code) : reply_socks4_text(code));
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
			fail(c, -EPROTO, what_came(c));
		break;
	}
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
			fail(c, -ECONNREFUSED, "the proxy closed the connection");
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

const char *client_why(const struct socks_client *c)
{
	return c->why;
}
