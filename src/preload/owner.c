/*
 * How it works: the kernel is asked for the socket (diag.h); where it can't say, or knows none,
 * /proc/net/udp and its like list them with their users, a line each. All are opened beforehand, so
 * that the helper takes no number of the program's. Who was seen is known for a while.
 */
#include "owner.h"

#include "diag.h"
#include "guard.h"
#include "helper.h"
#include "real.h"

#include <base/clock.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define KNOWN_MAX 64
#define KNOWN_MS  2000
#define FIELD_UID 7

enum { UDP, UDP6, TCP, TCP6, DIAG };

int owner_fds[OWNER_FDS] = { -1, -1, -1, -1, -1 };

static const char *const paths[DIAG] = {
	[UDP] = "/proc/thread-self/net/udp",
	[UDP6] = "/proc/thread-self/net/udp6",
	[TCP] = "/proc/thread-self/net/tcp",
	[TCP6] = "/proc/thread-self/net/tcp6",
};

static struct {
	struct endpoint at;
	int64_t until_ms;
	bool ours;
} known[KNOWN_MAX];
static size_t next_known;

static int first_of(int type)
{
	return type == SOCK_STREAM ? TCP : UDP;
}

static void keep(int i, int fd)
{
	if (fd < 0)
		return;
	owner_fds[i] = helper_raise(fd);
	guard_claim(owner_fds[i], NULL);
}

void owner_open(int type)
{
	for (int i = first_of(type); i < first_of(type) + 2; i++)
		if (owner_fds[i] < 0)
			keep(i, open(paths[i], O_RDONLY | O_CLOEXEC));
	if (owner_fds[DIAG] < 0)
		keep(DIAG, diag_open());
}

void owner_close(void)
{
	for (int i = 0; i < OWNER_FDS; i++) {
		if (owner_fds[i] >= 0)
			real->close(owner_fds[i]);
		owner_fds[i] = -1;
	}
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Returns where it ends, or NULL. */
static const char *get_hex(const char *at, int digits, uint32_t *out)
{
	*out = 0;
	for (int i = 0; i < digits; i++) {
		int d = hex_digit(at[i]);

		if (d < 0)
			return NULL;
		*out = *out << 4 | (uint32_t)d;
	}
	return at + digits;
}

/* "0100007F:0035", or four such words for IPv6: each as the machine reads four octets. */
static bool get_address(const char *at, bool v6, struct endpoint *out)
{
	uint32_t words[4] = { 0 }, port;

	for (int i = 0; i < (v6 ? 4 : 1); i++) {
		at = get_hex(at, 8, &words[i]);
		if (!at)
			return false;
	}
	if (*at != ':' || !get_hex(at + 1, 4, &port))
		return false;
	if (v6)
		endpoint_set_ipv6(out, (uint8_t *)words, (uint16_t)port);
	else
		endpoint_set_ipv4(out, (uint8_t *)words, (uint16_t)port);
	endpoint_unmap(out);
	return true;
}

/* The field of that number, from 0 on; NULL where there are fewer. */
static const char *find_field(const char *line, int n)
{
	for (;; n--) {
		while (*line == ' ')
			line++;
		if (!*line)
			return NULL;
		if (n == 0)
			return line;
		while (*line && *line != ' ')
			line++;
	}
}

/* What is looked for, and what was found. */
struct search {
	struct endpoint from, to;
	bool stream, v6;
	const struct port *port;
	bool found, ours;
};

static bool same_address(const struct endpoint *a, const struct endpoint *b)
{
	return a->kind == b->kind && a->port == b->port &&
	       memcmp(a->ip, b->ip, a->kind == ENDPOINT_IPV4 ? 4 : 16) == 0;
}

/* An unconnected datagram socket shows where it is bound to: everywhere, most of them. */
static bool fits(const struct search *s, const struct endpoint *local,
                 const struct endpoint *remote)
{
	if (s->stream)
		return same_address(local, &s->from) && same_address(remote, &s->to);
	return same_address(local, &s->from) ||
	       (local->port == s->from.port && endpoint_is_unspecified(local));
}

static bool is_our_user(uid_t uid, const struct port *port)
{
	return uid == port->uid || uid == 0 || uid == geteuid() || uid == getuid();
}

static void look_at(struct search *s, const char *line)
{
	const char *local = find_field(line, 1), *remote = find_field(line, 2);
	const char *uid = find_field(line, FIELD_UID);
	struct endpoint a, b;
	uint64_t n = 0;

	if (!uid || !get_address(local, s->v6, &a) || !get_address(remote, s->v6, &b) ||
	    !fits(s, &a, &b))
		return;
	for (; *uid >= '0' && *uid <= '9' && n <= UINT32_MAX; uid++)
		n = n * 10 + (uint64_t)(*uid - '0');
	s->found = true;
	s->ours = s->ours || is_our_user((uid_t)n, s->port);
}

/* False where the table can't be read. */
static bool read_table(struct search *s, int fd)
{
	char buf[4096];
	size_t len = 0;
	off_t pos = 0;

	if (fd < 0)
		return false;
	while (!s->ours) {
		ssize_t n = pread(fd, buf + len, sizeof(buf) - 1 - len, pos);
		char *line = buf, *end;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		pos += n;
		len += (size_t)n;
		buf[len] = '\0';
		while (!s->ours && (end = strchr(line, '\n'))) {
			*end = '\0';
			look_at(s, line);
			line = end + 1;
		}
		len -= (size_t)(line - buf);
		memmove(buf, line, len);
		if (len == sizeof(buf) - 1) /* no line is so long */
			return false;
	}
	return true;
}

/* IPv4 is asked from sockets of either family. */
static bool read_tables(const struct asker *a, struct search *s)
{
	int first = first_of(a->port->type);
	bool whole = true;

	if (s->from.kind == ENDPOINT_IPV4)
		whole = read_table(s, owner_fds[first]);
	s->v6 = true;
	if (!s->ours)
		whole = read_table(s, owner_fds[first + 1]) && whole;
	return s->ours || (!whole && !s->found);
}

static bool ask_kernel(const struct asker *a, struct search *s)
{
	uid_t user;

	if (owner_fds[DIAG] < 0 ||
	    diag_find_user(owner_fds[DIAG], s->stream, &s->from, &s->to, &user) < 0)
		return read_tables(a, s);
	s->found = true;
	s->ours = is_our_user(user, a->port);
	return s->ours;
}

static bool find_known(const struct endpoint *at, bool *ours)
{
	int64_t now = clock_ms();

	for (size_t i = 0; i < KNOWN_MAX; i++) {
		if (now >= known[i].until_ms || !same_address(&known[i].at, at))
			continue;
		*ours = known[i].ours;
		return true;
	}
	return false;
}

static void note(const struct endpoint *at, bool ours)
{
	known[next_known].at = *at;
	known[next_known].ours = ours;
	known[next_known].until_ms = clock_ms() + KNOWN_MS;
	next_known = (next_known + 1) % KNOWN_MAX;
}

bool owner_may_ask(const struct asker *a)
{
	struct search s = { .port = a->port, .stream = a->port->type == SOCK_STREAM };
	struct sockaddr_storage own;
	socklen_t len = sizeof(own);
	bool ours;

	if (endpoint_from_sockaddr(&s.from, (const struct sockaddr *)&a->addr, a->len) < 0)
		return false;
	endpoint_unmap(&s.from);
	if (!s.stream && find_known(&s.from, &ours))
		return ours;
	if (real->getsockname(a->port->watch.fd, (struct sockaddr *)&own, &len) < 0 ||
	    endpoint_from_sockaddr(&s.to, (struct sockaddr *)&own, len) < 0)
		return false;
	endpoint_unmap(&s.to);
	ours = ask_kernel(a, &s);
	/* One that was not found may be closed already, and its port another one's at once. */
	if (!s.stream && s.found)
		note(&s.from, ours);
	return ours;
}
