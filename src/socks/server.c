/*
 * How it works: a state either reads a message, and then states[] has its reader, or waits for the
 * caller, and then states[] has the event that says so. enter() is the only one who moves. A reader
 * is shown all that has come and tells how much of it belongs to its message; the rest is given
 * back.
 */
#include <errno.h>
#include <socks/server.h>

static size_t read_version(struct socks_server *s, size_t have);
static size_t read_greeting(struct socks_server *s, size_t have);
static size_t read_userpass(struct socks_server *s, size_t have);
static size_t read_request4(struct socks_server *s, size_t have);
static size_t read_request5(struct socks_server *s, size_t have);

static const struct state_info {
	enum server_event event;
	/*
	 * Of the @have octets in ->in, how many it took: all of them where it needs more, or where
	 * they are of no use.
	 */
	size_t (*read)(struct socks_server *s, size_t have);
} states[] = {
	[SERVER_ST_VERSION] = { SERVER_MORE, read_version },
	[SERVER_ST_GREETING] = { SERVER_MORE, read_greeting },
	[SERVER_ST_CHOOSE] = { SERVER_METHOD, NULL },
	[SERVER_ST_USERPASS] = { SERVER_MORE, read_userpass },
	[SERVER_ST_JUDGE] = { SERVER_CREDENTIALS, NULL },
	[SERVER_ST_REQUEST4] = { SERVER_MORE, read_request4 },
	[SERVER_ST_REQUEST5] = { SERVER_MORE, read_request5 },
	[SERVER_ST_ANSWER] = { SERVER_REQUEST, NULL },
	[SERVER_ST_SECOND] = { SERVER_MORE, NULL },
	[SERVER_ST_OVER] = { SERVER_MORE, NULL },
	[SERVER_ST_CLOSE] = { SERVER_CLOSE, NULL },
};

#define USERPASS_OK     0x00 /* RFC 1929 section 2: all else is failure */
#define USERPASS_FAILED 0x01

void server_init(struct socks_server *s)
{
	*s = (struct socks_server){ .st = SERVER_ST_VERSION, .code = -1 };
}

static enum server_event enter(struct socks_server *s, enum server_state st)
{
	s->st = st;
	s->len = 0;
	return states[st].event;
}

/*
 * A writer behind what waits already; ->out has room for all that one handshake can leave unsent.
 */
static struct writer out_begin(struct socks_server *s)
{
	return (struct writer){ .buf = s->out, .cap = sizeof(s->out), .pos = s->out_len };
}

static void queue_reply(struct socks_server *s, uint8_t code, const struct endpoint *bnd)
{
	static const struct endpoint none;
	struct writer w = out_begin(s);

	if (!bnd)
		bnd = &none;
	if (s->version == SOCKS4_VERSION) {
		const struct socks4_reply rp = { .code = code, .bnd = *bnd };

		socks4_put_reply(&w, &rp);
	} else {
		const struct socks5_reply rp = { .rep = code, .bnd = *bnd };

		socks5_put_reply(&w, &rp);
	}
	s->code = code;
	s->out_len = w.pos;
}

static void queue_method(struct socks_server *s, uint8_t method)
{
	struct writer w = out_begin(s);

	socks5_put_method(&w, method);
	s->out_len = w.pos;
}

static void queue_status(struct socks_server *s, uint8_t status)
{
	struct writer w = out_begin(s);

	socks5_put_userpass_status(&w, status);
	s->out_len = w.pos;
}

/* A request that the machine itself turns down. */
static enum server_event refuse(struct socks_server *s, uint8_t code)
{
	queue_reply(s, code, NULL);
	return enter(s, SERVER_ST_CLOSE);
}

static size_t wait_for_more(struct socks_server *s, size_t have)
{
	s->len = have;
	return have;
}

/* People point browsers at a SOCKS port by mistake, and deserve to be told. */
static void greet_http(struct socks_server *s)
{
	static const char answer[] = "HTTP/1.1 501 Not Implemented\r\n"
				     "Connection: close\r\n"
				     "Content-Type: text/plain\r\n"
				     "Content-Length: 49\r\n"
				     "\r\n"
				     "This is a SOCKS server; it does not proxy HTTP.\r\n";
	struct writer w = out_begin(s);

	put_octets(&w, answer, sizeof(answer) - 1);
	s->out_len = w.pos;
}

/*
 * The first octets: which protocol is it. They stay where they are, as part of its first message.
 */
static size_t read_version(struct socks_server *s, size_t have)
{
	static const char http[][5] = {
		"GET ", "POST", "CONN", "HEAD", "PUT ", "OPTI", "DELE", "PATC", "TRAC",
	};

	if (have == 0)
		return 0;
	if (s->in[0] == SOCKS4_VERSION || s->in[0] == SOCKS5_VERSION) {
		s->version = s->in[0];
		enter(s, s->version == SOCKS4_VERSION ? SERVER_ST_REQUEST4 : SERVER_ST_GREETING);
		return states[s->st].read(s, have);
	}
	for (size_t i = 0; i < sizeof(http) / sizeof(http[0]); i++) {
		size_t n = have < 4 ? have : 4;

		if (memcmp(s->in, http[i], n) != 0)
			continue;
		if (n < 4)
			return wait_for_more(s, have);
		greet_http(s);
		break;
	}
	enter(s, SERVER_ST_CLOSE);
	return have;
}

static size_t read_greeting(struct socks_server *s, size_t have)
{
	size_t used;

	/* It can't be bad: its version has been seen. */
	if (socks5_get_greeting(s->in, have, &s->u.greeting, &used) != WIRE_OK)
		return wait_for_more(s, have);
	enter(s, SERVER_ST_CHOOSE);
	if (s->u.greeting.n_methods == 0)
		server_choose(s, SOCKS5_METHOD_UNACCEPTABLE);
	return used;
}

bool server_offers(const struct socks_server *s, uint8_t method)
{
	return s->st == SERVER_ST_CHOOSE &&
	       memchr(s->u.greeting.methods, method, s->u.greeting.n_methods) != NULL;
}

enum server_event server_choose(struct socks_server *s, uint8_t method)
{
	if (s->st != SERVER_ST_CHOOSE)
		return states[s->st].event;
	if (server_offers(s, method) && method == SOCKS5_METHOD_NONE) {
		queue_method(s, method);
		return enter(s, SERVER_ST_REQUEST5);
	}
	if (server_offers(s, method) && method == SOCKS5_METHOD_USERPASS) {
		queue_method(s, method);
		return enter(s, SERVER_ST_USERPASS);
	}
	queue_method(s, SOCKS5_METHOD_UNACCEPTABLE);
	return enter(s, SERVER_ST_CLOSE);
}

static size_t read_userpass(struct socks_server *s, size_t have)
{
	const struct socks5_userpass *up = &s->u.userpass;
	size_t used;
	enum wire_res res;

	res = socks5_get_userpass(s->in, have, &s->u.userpass, &used);
	if (res == WIRE_SHORT)
		return wait_for_more(s, have);
	enter(s, SERVER_ST_JUDGE);
	if (res == WIRE_BAD || up->user_len == 0 || up->password_len == 0)
		server_accept(s, false);
	return res == WIRE_BAD ? have : used;
}

const struct socks5_userpass *server_userpass(const struct socks_server *s)
{
	return &s->u.userpass;
}

enum server_event server_accept(struct socks_server *s, bool ok)
{
	if (s->st != SERVER_ST_JUDGE)
		return states[s->st].event;
	explicit_bzero(&s->u, sizeof(s->u));
	explicit_bzero(s->in, sizeof(s->in));
	queue_status(s, ok ? USERPASS_OK : USERPASS_FAILED);
	return enter(s, ok ? SERVER_ST_REQUEST5 : SERVER_ST_CLOSE);
}

/*
 * The request is whole: is it one that may be carried out?
 *
 * @malformed  code of this protocol for a destination that can't be
 */
static void take_request(struct socks_server *s, uint8_t cmd, struct endpoint dst,
                         uint8_t malformed)
{
	struct server_request *rq = &s->u.request;

	/* An interface's name in a scope would be ours, not the client's to choose. */
	if (dst.kind == ENDPOINT_NAME && !strchr(dst.name, '%'))
		endpoint_parse_ip(&dst, dst.name);
	endpoint_unmap(&dst);
	if ((dst.kind == ENDPOINT_NAME && !endpoint_name_is_valid(dst.name, dst.name_len)) ||
	    (dst.kind == ENDPOINT_NAME && cmd == SOCKS5_RESOLVE_PTR) ||
	    (dst.port == 0 && cmd == SOCKS5_CONNECT)) {
		refuse(s, malformed);
		return;
	}
	rq->version = s->version;
	rq->cmd = cmd;
	rq->dst = dst;
	enter(s, SERVER_ST_ANSWER);
}

static size_t read_request4(struct socks_server *s, size_t have)
{
	struct socks4_request rq;
	size_t used;
	enum wire_res res;

	if (have >= 2 && s->in[1] != SOCKS4_CONNECT && s->in[1] != SOCKS4_BIND &&
	    s->in[1] != SOCKS4_RESOLVE && s->in[1] != SOCKS4_RESOLVE_PTR) {
		refuse(s, SOCKS4_REJECTED);
		return have;
	}
	res = socks4_get_request(s->in, have, &rq, &used);
	if (res == WIRE_SHORT)
		return wait_for_more(s, have);
	/* 0.0.0.0 is "anybody" for BIND, and nobody for all else. */
	if (res == WIRE_BAD || (rq.cmd != SOCKS4_BIND && endpoint_is_unspecified(&rq.dst))) {
		refuse(s, SOCKS4_REJECTED);
		return have;
	}
	s->u.request.user_len = rq.user_len;
	memcpy(s->u.request.user, rq.user, rq.user_len + 1u);
	take_request(s, rq.cmd, rq.dst, SOCKS4_REJECTED);
	return used;
}

static size_t read_request5(struct socks_server *s, size_t have)
{
	struct socks5_request rq;
	size_t used;
	enum wire_res res;
	bool atyp_bad;

	if (have >= 1 && s->in[0] != SOCKS5_VERSION) {
		refuse(s, SOCKS5_GENERAL_FAILURE);
		return have;
	}
	if (have >= 2 && s->in[1] != SOCKS5_CONNECT && s->in[1] != SOCKS5_BIND &&
	    s->in[1] != SOCKS5_UDP_ASSOCIATE && s->in[1] != SOCKS5_RESOLVE &&
	    s->in[1] != SOCKS5_RESOLVE_PTR) {
		refuse(s, SOCKS5_BAD_COMMAND);
		return have;
	}
	res = socks5_get_request(s->in, have, &rq, &used, &atyp_bad);
	if (res == WIRE_SHORT)
		return wait_for_more(s, have);
	if (res == WIRE_BAD) {
		refuse(s, atyp_bad ? SOCKS5_BAD_ADDRESS_TYPE : SOCKS5_GENERAL_FAILURE);
		return have;
	}
	s->u.request.user_len = 0;
	s->u.request.user[0] = '\0';
	take_request(s, rq.cmd, rq.dst, SOCKS5_GENERAL_FAILURE);
	return used;
}

enum server_event server_feed(struct socks_server *s, const uint8_t *buf, size_t len, size_t *used)
{
	size_t had = s->len, n = sizeof(s->in) - had, took;

	*used = 0;
	if (!states[s->st].read)
		return states[s->st].event;
	if (n > len)
		n = len;
	if (n > 0)
		memcpy(s->in + had, buf, n);
	took = states[s->st].read(s, had + n);
	*used = took - had;
	return states[s->st].event;
}

const struct server_request *server_request(const struct socks_server *s)
{
	return &s->u.request;
}

void server_answer(struct socks_server *s, int err, const struct endpoint *bnd)
{
	server_answer_code(s,
	                   s->version == SOCKS4_VERSION ? reply_socks4_from_errno(err)
	                                                : reply_socks5_from_errno(err),
	                   bnd);
}

void server_answer_code(struct socks_server *s, uint8_t code, const struct endpoint *bnd)
{
	uint8_t cmd = s->u.request.cmd;
	bool first = s->st == SERVER_ST_ANSWER;
	bool granted = code == (s->version == SOCKS4_VERSION ? (uint8_t)SOCKS4_GRANTED
	                                                     : (uint8_t)SOCKS5_SUCCEEDED);

	if (!first && s->st != SERVER_ST_SECOND)
		return;
	/* A name elsewhere would say nothing, and two of them would not fit. */
	if (!granted || (bnd && bnd->kind == ENDPOINT_NAME && cmd != SOCKS5_RESOLVE_PTR))
		bnd = NULL;
	queue_reply(s, code, bnd);
	if (!granted)
		enter(s, SERVER_ST_CLOSE);
	else
		enter(s, first && cmd == SOCKS5_BIND ? SERVER_ST_SECOND : SERVER_ST_OVER);
}

int server_code(const struct socks_server *s)
{
	return s->code;
}

const uint8_t *server_out(const struct socks_server *s, size_t *len)
{
	*len = s->out_len - s->out_pos;
	return s->out + s->out_pos;
}

void server_sent(struct socks_server *s, size_t n)
{
	size_t left = s->out_len - s->out_pos;

	s->out_pos += n < left ? n : left;
	if (s->out_pos == s->out_len) {
		s->out_pos = 0;
		s->out_len = 0;
	}
}
