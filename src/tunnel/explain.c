/*
 * How it works: a failure is of one of four kinds, each with its table. The handshake's machine
 * knows why (by cause), the proxy's reply says why (by code), TCP to the proxy failed (by errno),
 * or the deadline came (by stage). The cause's words come from where they are known first, and are
 * made more precise here; the advice is here alone.
 */
#include <tunnel/explain.h>

#include <base/errtext.h>
#include <errno.h>
#include <socks/reply.h>
#include <stdio.h>
#include <string.h>

#define N_ROWS(table)    (sizeof(table) / sizeof((table)[0]))
#define QUOTE_OCTETS_MAX 8 /* of an answer that is no text */

static const char other_proxy[] =
	"socksify speaks SOCKS alone: is there another port for it? socksifyd, or ssh -D PORT, "
	"make a SOCKS proxy of a machine that you reach";

/* Why the handshake's machine gave up. */
static const struct cause_row {
	enum client_cause cause;
	const char *advice;
} by_cause[] = {
	{ CLIENT_CAUSE_IPV6, "use socks5:// or socks5h://, if the proxy speaks SOCKS5" },
	{ CLIENT_CAUSE_NAME, "use socks4a://, which sends names along" },
	{ CLIENT_CAUSE_WANTS_PASSWORD,
	  "put them into the URL, socks5h://USER:PASSWORD@HOST:PORT, or into SOCKSIFY_USER and "
	  "SOCKSIFY_PASSWORD_FILE" },
	{ CLIENT_CAUSE_WANTS_SOME,
	  "put a user and password into the URL, socks5h://USER:PASSWORD@HOST:PORT, or into "
	  "SOCKSIFY_USER and SOCKSIFY_PASSWORD_FILE" },
	{ CLIENT_CAUSE_WANTS_OTHER, "without the user and password first; if that fails alike, it "
	                            "wants GSSAPI (Kerberos), or "
	                            "nobody from this address" },
	{ CLIENT_CAUSE_WANTS_GSSAPI, "ask whoever runs the proxy for a user and password" },
	{ CLIENT_CAUSE_CREDENTIALS,
	  "check both; in a URL, octets such as @ : / and % are written %40 %3A %2F %25" },
	{ CLIENT_CAUSE_HTTP, other_proxy },
	{ CLIENT_CAUSE_TLS, other_proxy },
	{ CLIENT_CAUSE_SSH,
	  "ssh -D 1080 HOST makes a SOCKS proxy of it: then socksify -x 127.0.0.1:1080" },
	{ CLIENT_CAUSE_SOCKS4, "use socks4a://, or socks4:// where that fails" },
	{ CLIENT_CAUSE_SOCKS5, "use socks5h://" },
	{ CLIENT_CAUSE_NOISE, other_proxy },
	{ CLIENT_CAUSE_ODD_METHOD, other_proxy },
};

/* TCP to the proxy: what errno alone doesn't say. */
static const struct errno_row {
	int err;
	const char *meaning, *advice;
} by_errno[] = {
	{ ECONNREFUSED, "nothing listens there",
	  "is socksifyd, or whatever the proxy is, running? start it, or name the right one: "
	  "socksify -x HOST:PORT" },
	{ ETIMEDOUT, "a firewall drops it, or nobody is there",
	  "is this the right address? SOCKSIFY_TIMEOUT=5 waits less" },
	{ ENETUNREACH, NULL, "has this machine a route there? is the network, or the VPN, up?" },
	{ EHOSTUNREACH, NULL, "is this the right address? is the proxy's machine up?" },
	{ EACCES, "this machine's firewall or a sandbox forbids it", "" },
	{ EPERM, "this machine's firewall or a sandbox forbids it", "" },
};

/* The proxy replied. @version is that of SOCKS: 5B means other things in 5. */
static const struct code_row {
	int version;
	uint8_t first, last;
	const char *advice;
} by_code[] = {
	{ 5, SOCKS5_GENERAL_FAILURE, SOCKS5_GENERAL_FAILURE,
	  "the proxy's own log may say more; many say this of a name that they can't resolve" },
	{ 5, SOCKS5_NOT_ALLOWED, SOCKS5_NOT_ALLOWED,
	  "whoever runs the proxy can allow it; NO_PROXY sends it past the proxy" },
	{ 5, SOCKS5_NET_UNREACHABLE, SOCKS5_NET_UNREACHABLE,
	  "has the proxy a route there? an IPv6 address needs one with IPv6" },
	{ 5, SOCKS5_HOST_UNREACHABLE, SOCKS5_HOST_UNREACHABLE,
	  "is the name right? try it on the proxy's machine" },
	{ 5, SOCKS5_REFUSED, SOCKS5_REFUSED,
	  "the proxy works; is the port right, and does the destination listen there?" },
	{ 5, SOCKS5_TTL_EXPIRED, SOCKS5_TTL_EXPIRED,
	  "the proxy works; the destination is down, or a firewall stands before it" },
	{ 5, SOCKS5_BAD_COMMAND, SOCKS5_BAD_COMMAND, "whoever runs the proxy can allow CONNECT" },
	{ 5, SOCKS5_BAD_ADDRESS_TYPE, SOCKS5_BAD_ADDRESS_TYPE,
	  "socks5h:// sends names, socks5:// sends addresses: try the other" },
	{ 5, 0xf4, 0xf5, "the onion service wants a key: ClientOnionAuthDir in Tor's torrc" },
	{ 5, 0xf6, 0xf6, "is the onion address whole?" },
	{ 5, 0xf0, 0xf7, "the onion service may be down; try again later" },
	{ 4, SOCKS4_REJECTED, SOCKS4_REJECTED,
	  "SOCKS4 says no more than this; socks5h:// does, if the proxy speaks SOCKS5" },
	{ 4, SOCKS4_NO_IDENTD, SOCKS4_NO_IDENTD,
	  "run an identd here, or ask whoever runs the proxy to do without" },
	{ 4, SOCKS4_IDENT_DIFFERS, SOCKS4_IDENT_DIFFERS,
	  "name the user that identd knows: socks4a://USER@HOST:PORT" },
};

/* At this stage: the proxy hung up, or stayed silent until the deadline. */
static const struct stage_row {
	enum client_stage stage;
	const char *closed, *closed_advice;
	const char *silent, *silent_advice;
} by_stage[] = {
	{ CLIENT_STAGE_METHOD, "the proxy closed the connection at the greeting",
	  "is it SOCKS5? socks4a:// is for SOCKS4, and HTTP proxies close so, too; else it does "
	  "not "
	  "admit this machine: ask whoever runs it",
	  "the proxy did not answer the greeting",
	  "is it a SOCKS proxy? SOCKS4 and HTTP proxies may wait in silence: try socks4a://" },
	{ CLIENT_STAGE_CREDENTIALS, "the proxy closed the connection at the credentials",
	  "some refuse a user and password so: check both",
	  "the proxy did not answer the credentials",
	  "the proxy may be asking another machine; its own log may say more" },
	{ CLIENT_STAGE_REPLY, "the proxy closed the connection at the request",
	  "some refuse a destination so; the proxy's own log may say more",
	  "the proxy did not answer the request",
	  "the proxy may still be waiting for the destination, which is down or behind a firewall; "
	  "a larger SOCKSIFY_TIMEOUT waits longer" },
};

/* In SOCKS4 the request comes first. */
static const struct stage_row first_request = {
	CLIENT_STAGE_REPLY,
	"the proxy closed the connection at the request",
	"is it SOCKS4? try socks5h://; else it does not admit this machine: ask whoever runs it",
	"the proxy did not answer the request",
	"is it a SOCKS4 proxy? others may wait in silence: try socks5h://",
};

static const struct stage_row *find_stage(const struct proxy *px, enum client_stage stage)
{
	if (px->protocol != SOCKS_V5)
		return &first_request;
	if (stage == CLIENT_STAGE_GREETING)
		stage = CLIENT_STAGE_METHOD;
	for (size_t i = 0; i < N_ROWS(by_stage); i++)
		if (by_stage[i].stage == stage)
			return &by_stage[i];
	return &by_stage[N_ROWS(by_stage) - 1];
}

static const char *advice_of_code(const struct proxy *px, int code)
{
	int version = px->protocol == SOCKS_V5 ? 5 : 4;

	for (size_t i = 0; i < N_ROWS(by_code); i++)
		if (by_code[i].version == version && code >= by_code[i].first &&
		    code <= by_code[i].last)
			return by_code[i].advice;
	return "the proxy's own log may say more";
}

static const char *advice_of_cause(enum client_cause cause)
{
	for (size_t i = 0; i < N_ROWS(by_cause); i++)
		if (by_cause[i].cause == cause)
			return by_cause[i].advice;
	return "";
}

/*
 * What was said instead of SOCKS, for a log: its first line where it is text, else its first
 * octets. Returns @buf, "" where the cause says as much already.
 */
static char *quote(const struct dial_report *r, char *buf, size_t cap)
{
	size_t n = 0, at = 0;

	buf[0] = '\0';
	while (n < r->n_heard && r->heard[n] >= ' ' && r->heard[n] < 0x7f)
		n++;
	if (n > 2) {
		snprintf(buf, cap, "; it says \"%.*s\"", (int)n, (const char *)r->heard);
	} else if (r->cause == CLIENT_CAUSE_NOISE && r->n_heard > 0) {
		at = (size_t)snprintf(buf, cap, "; it says");
		for (n = 0; n < r->n_heard && n < QUOTE_OCTETS_MAX; n++)
			at += (size_t)snprintf(buf + at, cap - at, " %02x", r->heard[n]);
	}
	return buf;
}

/* @proxy may be NULL: the destination itself is meant then, and advice on proxies is none. */
static void explain_tcp(const struct proxy *proxy, int err, struct explanation *out)
{
	for (size_t i = 0; i < N_ROWS(by_errno); i++) {
		if (-by_errno[i].err != err)
			continue;
		snprintf(out->cause, sizeof(out->cause), "%s%s%s", err_text(err),
		         by_errno[i].meaning ? ": " : "",
		         by_errno[i].meaning ? by_errno[i].meaning : "");
		out->advice = proxy ? by_errno[i].advice : "";
		return;
	}
	snprintf(out->cause, sizeof(out->cause), "%s", err_text(err));
}

/* The machine gave up. */
static void explain_cause(const struct proxy *px, const struct dial_report *r,
                          struct explanation *out)
{
	char said[DIAL_HEARD_MAX + 16];

	if (r->cause == CLIENT_CAUSE_REPLY) {
		snprintf(out->cause, sizeof(out->cause), "%s (reply %02x)", r->why,
		         (unsigned)r->code);
		out->advice = advice_of_code(px, r->code);
	} else if (r->cause == CLIENT_CAUSE_CLOSED) {
		snprintf(out->cause, sizeof(out->cause), "%s", find_stage(px, r->stage)->closed);
		out->advice = find_stage(px, r->stage)->closed_advice;
	} else if (r->cause == CLIENT_CAUSE_CREDENTIALS && !px->has_password) {
		snprintf(out->cause, sizeof(out->cause),
		         "the proxy refuses this user, for whom no password is set");
		out->advice = "put the password into SOCKSIFY_PASSWORD_FILE, or into the URL, "
			      "USER:PASSWORD@HOST";
	} else {
		snprintf(out->cause, sizeof(out->cause), "%s%s", r->why,
		         quote(r, said, sizeof(said)));
		out->advice = advice_of_cause(r->cause);
	}
}

void explain_failure(const struct proxy *proxy, const struct dial_report *report, int err,
                     struct explanation *out)
{
	out->advice = "";
	if (report->cause != CLIENT_CAUSE_NONE) {
		explain_cause(proxy, report, out);
	} else if (proxy && report->reached && err == -ETIMEDOUT) {
		const struct stage_row *row = find_stage(proxy, report->stage);

		snprintf(out->cause, sizeof(out->cause), "%s", row->silent);
		out->advice = row->silent_advice;
	} else if (!report->reached && report->hop.kind != ENDPOINT_NONE) {
		explain_tcp(proxy, err, out);
	} else if (proxy && proxy->addr.kind == ENDPOINT_NAME && err == -EHOSTUNREACH) {
		snprintf(out->cause, sizeof(out->cause), "the proxy's name has no address");
		out->advice = "is the name right, and does this machine's DNS know it? an address "
			      "in its place needs none";
	} else {
		snprintf(out->cause, sizeof(out->cause), "%s",
		         report->why ? report->why : err_text(err));
	}
}
