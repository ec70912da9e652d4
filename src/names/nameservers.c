/*
 * How it works: what the file said last stands in a ring of snapshots, each with the file's stamp.
 * A slot's count is odd while it is written; a reader copies the newest slot and takes the copy
 * only where the count was even, and the same before and after. Where there is no such copy, or the
 * file has another stamp by now, the reader reads the file for himself, and puts what he found into
 * a slot that nobody is just writing: at worst, with all of them lost to forks that came in the
 * midst of that, each call reads the file.
 */
#include <names/nameservers.h>

#include <config/resolvconf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DNS_PORT 53 /* RFC 1035 section 4.2 */

#define RING_SLOTS 4
#define NO_SLOT    RING_SLOTS

/* Of the file at a time; a longer line is cut there. Signal handlers' stacks are small. */
#define PIECE_LEN 512

/* Without the room for a name that an endpoint has. */
struct server {
	uint8_t ip[16];
	uint32_t scope;
	uint32_t is_ipv6;
};

struct stamp {
	uint64_t dev, ino, size;
	int64_t mtime_s, mtime_ns, ctime_s, ctime_ns;
};

struct snapshot {
	struct stamp stamp;
	uint64_t n;
	struct server servers[NAMESERVERS_MAX];
};

#define SNAPSHOT_WORDS (sizeof(struct snapshot) / sizeof(uint64_t))
_Static_assert(sizeof(struct snapshot) % sizeof(uint64_t) == 0, "it is copied by words");

struct slot {
	atomic_uint count;
	_Atomic(uint64_t) words[SNAPSHOT_WORDS];
};

static const char *conf_path = "/etc/resolv.conf";
static struct slot ring[RING_SLOTS];
static atomic_uint newest = NO_SLOT;

void nameservers_set_path(const char *path)
{
	conf_path = path;
	atomic_store(&newest, NO_SLOT);
}

static bool ring_get(struct snapshot *out)
{
	unsigned at = atomic_load_explicit(&newest, memory_order_acquire), count;
	uint64_t words[SNAPSHOT_WORDS];
	struct slot *slot = &ring[at];

	if (at == NO_SLOT)
		return false;
	count = atomic_load_explicit(&slot->count, memory_order_acquire);
	for (size_t i = 0; i < SNAPSHOT_WORDS; i++)
		words[i] = atomic_load_explicit(&slot->words[i], memory_order_acquire);
	if (count % 2 != 0 || atomic_load_explicit(&slot->count, memory_order_relaxed) != count)
		return false;
	memcpy(out, words, sizeof(*out));
	return true;
}

static void ring_put(const struct snapshot *s)
{
	unsigned at = atomic_load_explicit(&newest, memory_order_relaxed);
	uint64_t words[SNAPSHOT_WORDS];

	memcpy(words, s, sizeof(words));
	for (unsigned i = 1; i <= RING_SLOTS; i++) {
		unsigned next = (at + i) % RING_SLOTS;
		struct slot *slot = &ring[next];
		unsigned count = atomic_load_explicit(&slot->count, memory_order_relaxed);

		if (count % 2 != 0 ||
		    !atomic_compare_exchange_strong(&slot->count, &count, count + 1))
			continue;
		/* Released, each: who sees one of these words sees the odd count, too. */
		for (size_t w = 0; w < SNAPSHOT_WORDS; w++)
			atomic_store_explicit(&slot->words[w], words[w], memory_order_release);
		atomic_store_explicit(&slot->count, count + 2, memory_order_release);
		atomic_store_explicit(&newest, next, memory_order_release);
		return;
	}
}

static struct stamp stamp_of(const struct stat *st)
{
	return (struct stamp){ (uint64_t)st->st_dev,         (uint64_t)st->st_ino,
		               (uint64_t)st->st_size,        (int64_t)st->st_mtim.tv_sec,
		               (int64_t)st->st_mtim.tv_nsec, (int64_t)st->st_ctim.tv_sec,
		               (int64_t)st->st_ctim.tv_nsec };
}

static bool stamp_equal(const struct stamp *a, const struct stamp *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* Whom libc asks where nobody is named (resolv.conf(5)). */
static const uint8_t this_machine[4] = { 127, 0, 0, 1 };

/* 0.0.0.0 and :: are this machine, for whoever connects there. */
static void specify(struct endpoint *ep)
{
	if (!endpoint_is_unspecified(ep))
		return;
	memset(ep->ip, 0, sizeof(ep->ip));
	if (ep->kind == ENDPOINT_IPV4)
		memcpy(ep->ip, this_machine, sizeof(this_machine));
	else
		ep->ip[15] = 1;
}

/* @len octets are whole lines. */
static void take_lines(struct snapshot *s, const char *text, size_t len)
{
	const char *at = text, *end = text + len, *stop;
	struct endpoint ep = { .kind = ENDPOINT_NONE };

	for (; at < end && s->n < NAMESERVERS_MAX; at = stop + 1) {
		stop = memchr(at, '\n', (size_t)(end - at));
		if (!stop)
			stop = end;
		if (resolvconf_parse(at, (size_t)(stop - at), &ep, 1) == 0)
			continue;
		endpoint_unmap(&ep);
		specify(&ep);
		s->servers[s->n].is_ipv6 = ep.kind == ENDPOINT_IPV6;
		s->servers[s->n].scope = ep.scope;
		memcpy(s->servers[s->n++].ip, ep.ip, sizeof(ep.ip));
	}
}

static int read_file(int fd, struct snapshot *s)
{
	char piece[PIECE_LEN];
	bool cut = false; /* what comes is the rest of a line that was too long */
	size_t len = 0;

	while (s->n < NAMESERVERS_MAX) {
		ssize_t got = read(fd, piece + len, sizeof(piece) - len);
		const char *nl;
		size_t whole;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		len += (size_t)got;
		nl = memrchr(piece, '\n', len);
		whole = nl ? (size_t)(nl + 1 - piece) : 0;
		if (got == 0 || (whole == 0 && len == sizeof(piece)))
			whole = len;
		if (whole > 0) {
			const char *first = cut ? memchr(piece, '\n', whole) : piece;

			if (first)
				take_lines(s, first, whole - (size_t)(first - piece));
			cut = piece[whole - 1] != '\n';
			memmove(piece, piece + whole, len - whole);
			len -= whole;
		}
		if (got == 0)
			break;
	}
	return 0;
}

/* Returns 0 or a negative errno with @s undefined. */
static int load(struct snapshot *s)
{
	struct stat before, after;
	struct stamp now;
	int fd, err = 0;

	do
		/* A FIFO without a writer must not hold up whoever asks. */
		fd = open(conf_path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return -errno;
	memset(s, 0, sizeof(*s));
	if (fstat(fd, &before) < 0)
		err = -errno;
	else if (!S_ISREG(before.st_mode))
		err = -EINVAL;
	else
		err = read_file(fd, s);
	if (err == 0 && fstat(fd, &after) < 0)
		err = -errno;
	close(fd);
	if (err < 0)
		return err;
	s->stamp = stamp_of(&before);
	now = stamp_of(&after);
	/* What was written while it was read is read again the next time. */
	if (stamp_equal(&s->stamp, &now))
		ring_put(s);
	return 0;
}

/*
 * The file as it is now. @missing: it can't be read, and @s is what it said when it last could, if
 * anything; a program that has changed its root may go on with what it knows.
 */
static void current(struct snapshot *s, bool *missing)
{
	bool known = ring_get(s);
	int saved = errno, cancel;
	struct snapshot fresh;
	struct stat st;

	*missing = false;
	if (known && stat(conf_path, &st) == 0) {
		struct stamp now = stamp_of(&st);

		if (stamp_equal(&now, &s->stamp))
			goto out;
	}
	/* open(2), read(2) and close(2) are cancellation points, and some callers are not. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	*missing = load(&fresh) < 0;
	pthread_setcancelstate(cancel, &cancel);
	if (!*missing)
		*s = fresh;
	else if (!known)
		s->n = 0;
out:
	errno = saved;
}

static bool is_server(const struct server *s, const struct endpoint *ep)
{
	if (s->is_ipv6 != (ep->kind == ENDPOINT_IPV6))
		return false;
	/* Either may have been written without a scope, where the other needs one. */
	if (s->is_ipv6 && s->scope != 0 && ep->scope != 0 && s->scope != ep->scope)
		return false;
	return memcmp(s->ip, ep->ip, s->is_ipv6 ? 16 : 4) == 0;
}

static bool is_ipv4(const struct endpoint *ep, const uint8_t ip[4])
{
	return ep->kind == ENDPOINT_IPV4 && memcmp(ep->ip, ip, 4) == 0;
}

/* resolved's stub listeners (systemd-resolved.service(8)): programs know them by heart. */
static bool is_stub(const struct endpoint *ep)
{
	static const uint8_t stub[4] = { 127, 0, 0, 53 }, proxy_stub[4] = { 127, 0, 0, 54 };

	return is_ipv4(ep, stub) || is_ipv4(ep, proxy_stub);
}

bool nameservers_has(const struct endpoint *ep)
{
	struct endpoint asked;
	struct snapshot s;
	bool missing;

	if (ep->port != DNS_PORT || (ep->kind != ENDPOINT_IPV4 && ep->kind != ENDPOINT_IPV6))
		return false;
	asked = *ep;
	endpoint_unmap(&asked);
	specify(&asked);
	if (is_stub(&asked))
		return true;
	current(&s, &missing);
	for (size_t i = 0; i < s.n; i++)
		if (is_server(&s.servers[i], &asked))
			return true;
	return (s.n == 0 || missing) && is_ipv4(&asked, this_machine);
}

size_t nameservers_list(struct endpoint *out, size_t max)
{
	struct snapshot s;
	bool missing;
	size_t n;

	if (max == 0)
		return 0;
	current(&s, &missing);
	for (n = 0; n < s.n && n < max; n++) {
		const struct server *one = &s.servers[n];

		if (one->is_ipv6)
			endpoint_set_ipv6(&out[n], one->ip, DNS_PORT);
		else
			endpoint_set_ipv4(&out[n], one->ip, DNS_PORT);
		out[n].scope = one->is_ipv6 ? one->scope : 0;
	}
	if (n == 0)
		endpoint_set_ipv4(&out[n++], this_machine, DNS_PORT);
	return n;
}
