/*
 * How it works: the whole file is read into one buffer. Each line that is good is written anew over
 * itself as "name\0alias\0...\0"; its address, which is kept apart, leaves room for the last NUL.
 * Four arrays, sized by counting words first, point into that: addrs (one per line, the line before
 * shared where its text is the same, as in block lists), lines, mentions (a name on a line; those
 * of one name are linked in the file's order) and slots (the index: open addressing, the first
 * mention of each name). Nothing changes after hosts_load() has returned.
 */
#include <config/hosts.h>

#include "wordfile.h"

#include <config/ascii.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct addr {
	uint32_t scope;
	bool is_ipv6;
	uint8_t ip[16];
};

/* Addresses and mentions are numbered from 1, 0 is none. Names are offsets in text. */
struct line {
	uint32_t addr, names;
};

struct mention {
	uint32_t name, line;
	uint32_t next; /* of the same name */
	uint32_t last; /* of the same name; right in the first one only */
};

struct hosts {
	char *path, *text;
	struct stat seen;
	struct addr *addrs;
	struct line *lines;
	struct mention *mentions;
	uint32_t *slots, slot_mask;
	uint32_t addr_count, line_count, mention_count;
};

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

/* One trailing dot does not count. */
static size_t key_len(const char *name, size_t len)
{
	return len > 0 && name[len - 1] == '.' ? len - 1 : len;
}

/*
 * The slot of a name of @len octets without a trailing dot: with its first mention, or the empty
 * one where it belongs. There are more slots than names. (FNV-1a.)
 */
static uint32_t *find_slot(const struct hosts *h, const char *name, size_t len)
{
	uint32_t hash = 2166136261u, i;

	for (size_t k = 0; k < len; k++)
		hash = (hash ^ (uint8_t)ascii_lower(name[k])) * 16777619u;
	for (i = hash ^ hash >> 15;; i++) {
		uint32_t *slot = &h->slots[i & h->slot_mask];
		const char *at;

		if (*slot == 0)
			return slot;
		at = h->text + h->mentions[*slot - 1].name;
		if (key_len(at, strlen(at)) == len && ascii_equal(at, name, len))
			return slot;
	}
}

/* Note that the line that was added last lists a name. */
static void add_mention(struct hosts *h, const char *name, size_t len)
{
	uint32_t *slot = find_slot(h, name, key_len(name, len)), number = h->mention_count + 1;
	struct mention *first, *m = &h->mentions[h->mention_count];

	*m = (struct mention){ .name = (uint32_t)(name - h->text), .line = h->line_count - 1 };
	if (*slot == 0) {
		*slot = number;
		m->last = number;
	} else {
		first = &h->mentions[*slot - 1];
		if (h->mentions[first->last - 1].line == m->line)
			return;
		h->mentions[first->last - 1].next = number;
		first->last = number;
	}
	h->mention_count++;
}

/* The address of the line before in text, since block lists have the same on each. */
struct last_addr {
	char text[64];
};

static bool read_addr(struct hosts *h, const char *word, size_t len, struct last_addr *last)
{
	if (memchr(word, '\0', len))
		return false;
	if (strcmp(last->text, word) == 0)
		return true;
	last->text[0] = '\0';
	if (!add_addr(h, word))
		return false;
	if (len < sizeof(last->text))
		memcpy(last->text, word, len + 1);
	return true;
}

/* Returns false where the line is none of "ADDRESS NAME...". */
static bool read_line(struct hosts *h, struct wordfile_line line, struct last_addr *last)
{
	size_t len;
	char *word = wordfile_next_word(&line, &len), *to = word;
	bool good = true;

	if (!word)
		return true;
	if (!read_addr(h, word, len, last))
		return false;
	h->lines[h->line_count++] = (struct line){ h->addr_count, (uint32_t)(to - h->text) };
	while ((word = wordfile_next_word(&line, &len))) {
		size_t key = key_len(word, len);

		if (key == 0 || key > ENDPOINT_NAME_MAX || memchr(word, '\0', len)) {
			good = false;
			continue;
		}
		memmove(to, word, len);
		to[len] = '\0';
		add_mention(h, to, len);
		to += len + 1;
	}
	if (to == h->text + h->lines[h->line_count - 1].names) {
		h->line_count--;
		return false;
	}
	*to = '\0';
	return good;
}

static int read_text(struct hosts *h, size_t len, unsigned *bad_line)
{
	struct last_addr last = { "" };
	char *at = h->text, *end = h->text + len;
	size_t lines, words, slots = 16;

	wordfile_count(h->text, len, &lines, &words);
	while (slots < words + words / 2)
		slots *= 2;
	h->slot_mask = (uint32_t)slots - 1;
	h->addrs = calloc(lines, sizeof(*h->addrs));
	h->lines = calloc(lines, sizeof(*h->lines));
	h->mentions = calloc(words + 1, sizeof(*h->mentions));
	h->slots = calloc(slots, sizeof(*h->slots));
	if (!h->addrs || !h->lines || !h->mentions || !h->slots)
		return -ENOMEM;
	for (unsigned number = 1; at < end; number++) {
		struct wordfile_line line = wordfile_next_line(&at, end);

		if (!read_line(h, line, &last) && *bad_line == 0)
			*bad_line = number;
	}
	return 0;
}

/* @path is NULL for a file that came as a descriptor. */
static struct hosts *load(const char *path, int fd, unsigned *bad_line)
{
	struct hosts *h = calloc(1, sizeof(*h));
	unsigned bad = 0;
	size_t len;
	int err;

	if (!h)
		return NULL;
	h->path = path ? strdup(path) : NULL;
	if (path && !h->path)
		goto fail;
	h->text = path ? wordfile_read(path, &h->seen, &len) : wordfile_read_fd(fd, &h->seen, &len);
	if (!h->text)
		goto fail;
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
	hosts_free(h);
	errno = err;
	return NULL;
}

struct hosts *hosts_load(const char *path, unsigned *bad_line)
{
	return load(path, -1, bad_line);
}

struct hosts *hosts_load_fd(int fd, unsigned *bad_line)
{
	return load(NULL, fd, bad_line);
}

void hosts_free(struct hosts *h)
{
	if (!h)
		return;
	free(h->slots);
	free(h->mentions);
	free(h->lines);
	free(h->addrs);
	free(h->text);
	free(h->path);
	free(h);
}

static bool time_equal(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool hosts_is_file(const struct hosts *h, const struct stat *now)
{
	return now->st_dev == h->seen.st_dev && now->st_ino == h->seen.st_ino &&
	       now->st_size == h->seen.st_size && time_equal(&now->st_mtim, &h->seen.st_mtim) &&
	       time_equal(&now->st_ctim, &h->seen.st_ctim);
}

bool hosts_is_current(const struct hosts *h)
{
	struct stat now;

	return h->path && stat(h->path, &now) == 0 && hosts_is_file(h, &now);
}

/* The number of a name's first mention, or 0. */
static uint32_t find_mention(const struct hosts *h, const char *name, size_t len)
{
	len = key_len(name, len);
	return len > 0 && len <= ENDPOINT_NAME_MAX ? *find_slot(h, name, len) : 0;
}

bool hosts_knows(const struct hosts *h, const char *name, size_t len)
{
	return find_mention(h, name, len) != 0;
}

/* What an address is in a look-up for AF_INET. */
static bool as_ipv4(const struct addr *a, uint8_t ip[4])
{
	static const uint8_t loopback[16] = { [15] = 1 }, mapped[12] = { [10] = 0xff, 0xff };

	if (!a->is_ipv6)
		memcpy(ip, a->ip, 4);
	else if (memcmp(a->ip, mapped, sizeof(mapped)) == 0)
		memcpy(ip, a->ip + 12, 4);
	else if (memcmp(a->ip, loopback, sizeof(loopback)) == 0)
		memcpy(ip, (uint8_t[]){ 127, 0, 0, 1 }, 4);
	else
		return false;
	return true;
}

/* Returns false where the line has no address of the family. */
static bool show(const struct hosts *h, uint32_t line, int family, struct hosts_line *out)
{
	const struct addr *a = &h->addrs[h->lines[line].addr - 1];
	uint8_t ip[4];

	out->ep.kind = ENDPOINT_NONE;
	out->ep.scope = 0;
	if (family != AF_INET && a->is_ipv6) {
		endpoint_set_ipv6(&out->ep, a->ip, 0);
		out->ep.scope = a->scope;
	} else if (family != AF_INET6 && as_ipv4(a, ip)) {
		endpoint_set_ipv4(&out->ep, ip, 0);
	}
	out->names = h->text + h->lines[line].names;
	return out->ep.kind != ENDPOINT_NONE;
}

bool hosts_next(const struct hosts *h, int family, uint32_t *at, struct hosts_line *out)
{
	while (*at < h->line_count)
		if (show(h, (*at)++, family, out))
			return true;
	return false;
}

bool hosts_next_of(const struct hosts *h, const char *name, size_t len, int family, uint32_t *at,
                   struct hosts_line *out)
{
	uint32_t m = *at == 0 ? find_mention(h, name, len) : h->mentions[*at - 1].next;

	for (; m != 0; m = h->mentions[m - 1].next) {
		*at = m;
		if (show(h, h->mentions[m - 1].line, family, out))
			return true;
	}
	return false;
}

const char *hosts_next_name(const char *name)
{
	name += strlen(name) + 1;
	return *name ? name : NULL;
}

size_t hosts_find(const struct hosts *h, const char *name, size_t len, int family,
                  struct endpoint *out, size_t max)
{
	struct hosts_line line;
	uint32_t at = 0;
	size_t n = 0;

	while (n < max && hosts_next_of(h, name, len, family, &at, &line)) {
		size_t same = 0;

		while (same < n && !endpoint_equal(&out[same], &line.ep))
			same++;
		if (same == n)
			out[n++] = line.ep;
	}
	return n;
}

/* The first line with an address, of which lines have ever higher numbers. Or line_count. */
static uint32_t first_line_of(const struct hosts *h, uint32_t addr)
{
	uint32_t low = 0, high = h->line_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (h->lines[middle].addr < addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low < h->line_count && h->lines[low].addr == addr ? low : h->line_count;
}

bool hosts_line_of(const struct hosts *h, const struct endpoint *ep, struct hosts_line *out)
{
	struct endpoint plain = *ep;
	uint8_t ip[4];

	endpoint_unmap(&plain);
	if (plain.kind != ENDPOINT_IPV4 && plain.kind != ENDPOINT_IPV6)
		return false;
	for (uint32_t i = 0; i < h->addr_count; i++) {
		const struct addr *a = &h->addrs[i];
		bool same = plain.kind == ENDPOINT_IPV4
		                    ? as_ipv4(a, ip) && memcmp(ip, plain.ip, 4) == 0
		                    : a->is_ipv6 && memcmp(a->ip, plain.ip, 16) == 0;
		uint32_t line = same ? first_line_of(h, i + 1) : h->line_count;

		if (line < h->line_count)
			return show(h, line, plain.kind == ENDPOINT_IPV4 ? AF_INET : AF_INET6, out);
	}
	return false;
}

const char *hosts_name_of(const struct hosts *h, const struct endpoint *ep)
{
	struct hosts_line line;

	return hosts_line_of(h, ep, &line) ? line.names : NULL;
}
