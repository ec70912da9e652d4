/*
 * How it works: the whole file is read into one buffer and cut in place. Three arrays, sized by
 * counting the words first, hold what was found: addrs (one per line, the line before shared where
 * its text is the same, as in block lists), entries (one per name, indexed by uthash) and refs
 * (which links an entry to its addresses, in the file's order). Nothing changes after hosts_load()
 * has returned.
 */
#include <config/hosts.h>

#include <config/ascii.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HASH_NONFATAL_OOM         1
#define HASH_FUNCTION(at, len, h) ((h) = hash_octets(at, len))
#define uthash_nonfatal_oom(e)    ((e)->lost = true)
#include <uthash.h>

/* A file that is larger is none of people's making; refs are counted in 32 bits. */
#define FILE_SIZE_MAX (256u << 20)

struct addr {
	uint32_t scope;
	bool is_ipv6;
	uint8_t ip[16];
};

/* Numbers are counted from 1, 0 is none. */
struct ref {
	uint32_t addr, next;
};

struct entry {
	const char *name; /* in text, lower case */
	uint32_t first, last;
	bool lost; /* uthash had no memory for it */
	UT_hash_handle hh;
};

struct hosts {
	char *path, *text;
	struct stat seen;
	struct addr *addrs;
	struct ref *refs;
	struct entry *entries, *index;
	uint32_t addr_count, ref_count, entry_count;
};

/* FNV-1a; uthash's own default falls through its cases in a way that clang warns of. */
static unsigned hash_octets(const char *at, size_t len)
{
	unsigned h = 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)at[i]) * 16777619u;
	return h ^ h >> 15;
}

/* The octets of @fd up to its end and a NUL; the size that fstat told is but a hint. */
static char *read_all(int fd, size_t hint, size_t *len)
{
	size_t cap = hint + 2, n = 0;
	char *buf = malloc(cap), *more;

	while (buf) {
		ssize_t got = read(fd, buf + n, cap - 1 - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			break;
		if (got == 0) {
			buf[n] = '\0';
			*len = n;
			return buf;
		}
		n += (size_t)got;
		if (n > FILE_SIZE_MAX) {
			errno = EFBIG;
			break;
		}
		if (n < cap - 1)
			continue;
		more = realloc(buf, cap *= 2);
		if (!more)
			break;
		buf = more;
	}
	free(buf);
	return NULL;
}

/* The next word of a line, NUL-terminated in place, or NULL at the line's end. */
static char *next_word(char **at, const char *end, size_t *len)
{
	char *p = *at, *word;

	while (p < end && ascii_is_space(*p))
		p++;
	word = p;
	while (p < end && !ascii_is_space(*p))
		p++;
	*len = (size_t)(p - word);
	*p = '\0';
	*at = p < end ? p + 1 : p;
	return *len > 0 ? word : NULL;
}

static char *line_end(char *at, char *end)
{
	char *nl = memchr(at, '\n', (size_t)(end - at));

	return nl ? nl : end;
}

/* How many lines and words there can be at most. */
static void count_words(const char *text, size_t len, size_t *lines, size_t *words)
{
	bool inside = false;

	*lines = 1;
	*words = 0;
	for (size_t i = 0; i < len; i++) {
		bool word = !ascii_is_space(text[i]);

		*lines += text[i] == '\n';
		*words += word && !inside;
		inside = word;
	}
}

static bool addr_equal(const struct addr *a, const struct addr *b)
{
	return a->is_ipv6 == b->is_ipv6 && a->scope == b->scope &&
	       memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

static bool add_addr(struct hosts *h, const char *text)
{
	struct endpoint ep = { .kind = ENDPOINT_NONE };
	struct addr a = { .scope = 0 };

	/* Brackets belong to URLs. */
	if (text[0] == '[' || endpoint_parse_ip(&ep, text) < 0)
		return false;
	a.is_ipv6 = ep.kind == ENDPOINT_IPV6;
	a.scope = a.is_ipv6 ? ep.scope : 0;
	memcpy(a.ip, ep.ip, a.is_ipv6 ? 16 : 4);
	if (h->addr_count == 0 || !addr_equal(&h->addrs[h->addr_count - 1], &a))
		h->addrs[h->addr_count++] = a;
	return true;
}

/* Give a name the address that was added last. Returns false where memory is short. */
static bool add_name(struct hosts *h, char *name, size_t len)
{
	struct entry *e = NULL;

	for (size_t i = 0; i < len; i++)
		name[i] = ascii_lower(name[i]);
	HASH_FIND(hh, h->index, name, len, e);
	if (!e) {
		e = &h->entries[h->entry_count];
		*e = (struct entry){ .name = name };
		HASH_ADD_KEYPTR(hh, h->index, e->name, len, e);
		if (e->lost)
			return false;
		h->entry_count++;
	}
	if (e->last != 0 && h->refs[e->last - 1].addr == h->addr_count)
		return true;
	h->refs[h->ref_count++] = (struct ref){ .addr = h->addr_count };
	if (e->last != 0)
		h->refs[e->last - 1].next = h->ref_count;
	else
		e->first = h->ref_count;
	e->last = h->ref_count;
	return true;
}

/* One line without its end. Returns -EINVAL where it is none of "ADDRESS NAME...", -ENOMEM. */
static int read_line(struct hosts *h, char *at, char *end, char **last_addr)
{
	char *hash = memchr(at, '#', (size_t)(end - at)), *word;
	size_t len, names = 0;
	int err = 0;

	if (hash)
		end = hash;
	word = next_word(&at, end, &len);
	if (!word)
		return 0;
	if (memchr(word, '\0', len))
		return -EINVAL;
	if (!*last_addr || strcmp(*last_addr, word) != 0) {
		*last_addr = NULL;
		if (!add_addr(h, word))
			return -EINVAL;
		*last_addr = word;
	}
	while ((word = next_word(&at, end, &len))) {
		names++;
		if (word[len - 1] == '.')
			len--;
		if (len == 0 || len > ENDPOINT_NAME_MAX || memchr(word, '\0', len))
			err = -EINVAL;
		else if (!add_name(h, word, len))
			return -ENOMEM;
	}
	return names > 0 ? err : -EINVAL;
}

static int read_text(struct hosts *h, size_t len, unsigned *bad_line)
{
	char *at = h->text, *end = h->text + len, *last_addr = NULL;
	size_t lines, words;

	count_words(h->text, len, &lines, &words);
	h->addrs = calloc(lines, sizeof(*h->addrs));
	h->refs = calloc(words + 1, sizeof(*h->refs));
	h->entries = calloc(words + 1, sizeof(*h->entries));
	if (!h->addrs || !h->refs || !h->entries)
		return -ENOMEM;
	for (unsigned number = 1; at < end; number++) {
		char *stop = line_end(at, end);
		int err = read_line(h, at, stop, &last_addr);

		if (err == -ENOMEM)
			return err;
		if (err < 0 && *bad_line == 0)
			*bad_line = number;
		at = stop + 1;
	}
	return 0;
}

struct hosts *hosts_load(const char *path, unsigned *bad_line)
{
	struct hosts *h = calloc(1, sizeof(*h));
	unsigned bad = 0;
	size_t len;
	int fd = -1, err;

	if (!h)
		return NULL;
	h->path = strdup(path);
	if (!h->path)
		goto fail;
	do
		/* A FIFO without a writer must not hold up whoever asks for a name. */
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	while (fd < 0 && errno == EINTR);
	/* Looked at before it is read: a change that comes between shows as one later. */
	if (fd < 0 || fstat(fd, &h->seen) < 0)
		goto fail;
	if (!S_ISREG(h->seen.st_mode)) {
		errno = S_ISDIR(h->seen.st_mode) ? EISDIR : EINVAL;
		goto fail;
	}
	if (h->seen.st_size > (off_t)FILE_SIZE_MAX) {
		errno = EFBIG;
		goto fail;
	}
	h->text = read_all(fd, (size_t)h->seen.st_size, &len);
	if (!h->text)
		goto fail;
	close(fd);
	fd = -1;
	err = read_text(h, len, &bad);
	if (err < 0) {
		errno = -err;
		goto fail;
	}
	if (bad_line)
		*bad_line = bad;
	return h;
fail:
	err = errno;
	if (fd >= 0)
		close(fd);
	hosts_free(h);
	errno = err;
	return NULL;
}

void hosts_free(struct hosts *h)
{
	if (!h)
		return;
	HASH_CLEAR(hh, h->index);
	free(h->entries);
	free(h->refs);
	free(h->addrs);
	free(h->text);
	free(h->path);
	free(h);
}

static bool time_equal(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool hosts_is_current(const struct hosts *h)
{
	struct stat now;

	return stat(h->path, &now) == 0 && now.st_dev == h->seen.st_dev &&
	       now.st_ino == h->seen.st_ino && now.st_size == h->seen.st_size &&
	       time_equal(&now.st_mtim, &h->seen.st_mtim) &&
	       time_equal(&now.st_ctim, &h->seen.st_ctim);
}

static const struct entry *entry_find(const struct hosts *h, const char *name, size_t len)
{
	char key[ENDPOINT_NAME_MAX];
	struct entry *e = NULL;

	if (len > 0 && name[len - 1] == '.')
		len--;
	if (len == 0 || len > sizeof(key))
		return NULL;
	for (size_t i = 0; i < len; i++)
		key[i] = ascii_lower(name[i]);
	HASH_FIND(hh, h->index, key, len, e);
	return e;
}

bool hosts_knows(const struct hosts *h, const char *name, size_t len)
{
	return entry_find(h, name, len) != NULL;
}

size_t hosts_find(const struct hosts *h, const char *name, size_t len, int family,
                  struct endpoint *out, size_t max)
{
	const struct entry *e = entry_find(h, name, len);
	size_t n = 0;

	for (uint32_t r = e ? e->first : 0; r != 0 && n < max; r = h->refs[r - 1].next) {
		const struct addr *a = &h->addrs[h->refs[r - 1].addr - 1];
		struct endpoint ep = { .kind = ENDPOINT_NONE };
		size_t same = 0;

		if (family != AF_UNSPEC && (family == AF_INET6) != a->is_ipv6)
			continue;
		if (a->is_ipv6)
			endpoint_set_ipv6(&ep, a->ip, 0);
		else
			endpoint_set_ipv4(&ep, a->ip, 0);
		ep.scope = a->scope;
		while (same < n && !endpoint_equal(&out[same], &ep))
			same++;
		if (same == n)
			out[n++] = ep;
	}
	return n;
}
