#include "users.h"

#include "opener.h"
#include "table.h"
#include "username.h"

#include <assert.h>
#include <crypt.h>
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (64L << 20) /* octets */

static_assert(USERS_HASH_MAX == CRYPT_OUTPUT_SIZE, "a hash fits");

struct user {
	bool lost;
	uint8_t len;
	char name[USERS_NAME_MAX + 1];
	char *hash;
	UT_hash_handle hh;
};

struct users {
	struct user *table;
	char **hashes; /* theirs, as a list */
	size_t n, room;
	uint64_t seed;
	char decoy[USERS_HASH_MAX];
};

/* Hashes */

/* Bare of what crypt(5) forbids in a hash. */
static bool is_hash_text(const char *text, bool traditional)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c <= ' ' || c >= 0x7f || strchr(":;*!\\", c))
			return false;
		if (traditional && !isalnum(c) && c != '.' && c != '/')
			return false;
	}
	return true;
}

/*
 * crypt_checksalt(3) looks at the setting alone. A hash that was cut when it was copied is found
 * by the length of what comes behind (crypt(5)).
 */
static bool is_whole(const char *hash)
{
	static const struct {
		const char *prefix;
		size_t tail, all; /* octets after the last '$', or of the whole; 0: not fixed */
	} kinds[] = {
		{ "$y$", 43, 0 },  { "$gy$", 43, 0 }, { "$7$", 43, 0 }, { "$2", 0, 60 },
		{ "$6$", 86, 0 },  { "$5$", 43, 0 },  { "$1$", 22, 0 }, { "$sha1$", 28, 0 },
		{ "$md5", 22, 0 }, { "$3$", 32, 0 },  { "_", 0, 20 },
	};
	const char *last = strrchr(hash, '$');

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strncmp(hash, kinds[i].prefix, strlen(kinds[i].prefix)) != 0)
			continue;
		return kinds[i].all ? strlen(hash) == kinds[i].all
		                    : strlen(last + 1) == kinds[i].tail;
	}
	/* DES; and a kind that this table doesn't know is the library's to judge. */
	return hash[0] == '$' || strlen(hash) == 13;
}

bool users_hash_is_valid(const char *hash, bool *weak)
{
	int verdict = crypt_checksalt(hash);

	*weak = verdict == CRYPT_SALT_METHOD_LEGACY;
	return (verdict == CRYPT_SALT_OK || *weak) && strlen(hash) < USERS_HASH_MAX &&
	       is_hash_text(hash, hash[0] != '$' && hash[0] != '_') && is_whole(hash);
}

/* The file */

static int make_room(struct users *u)
{
	size_t room = u->room * 2 + 16;
	char **grown;

	if (u->n < u->room)
		return 0;
	grown = realloc(u->hashes, room * sizeof(char *));
	if (!grown)
		return -ENOMEM;
	u->hashes = grown;
	u->room = room;
	return 0;
}

static int add(struct users *u, const struct user *one, const char *hash)
{
	struct user *user;

	if (make_room(u) < 0)
		return -ENOMEM;
	user = malloc(sizeof(*user));
	if (!user)
		return -ENOMEM;
	*user = *one;
	user->hash = strdup(hash);
	if (user->hash)
		HASH_ADD(hh, u->table, name, user->len, user);
	if (!user->hash || user->lost) {
		free(user->hash);
		free(user);
		return -ENOMEM;
	}
	u->hashes[u->n++] = user->hash;
	return 0;
}

/* -EBADMSG with what is wrong in @r. */
static int read_line(struct users *u, char *text, unsigned line, struct users_report *r)
{
	struct user one = { 0 }, *known = NULL;
	char *hash = strchr(text, ':');
	bool weak;
	int len;

	r->last.what = "there is no \":\"";
	r->last.expected = "NAME:HASH";
	if (!hash)
		return -EBADMSG;
	*hash++ = '\0';
	r->last.what = "white space around the name";
	r->last.expected = "NAME:HASH without it, or \\x20 for a space that belongs to the name";
	if (isspace((unsigned char)text[0]) ||
	    (hash[-1] == '\0' && hash - 1 > text && isspace((unsigned char)hash[-2])))
		return -EBADMSG;
	len = username_read(text, one.name, &r->last.what, &r->last.expected);
	if (len < 0)
		return -EBADMSG;
	one.len = (uint8_t)len;
	r->last.what = "more than one \":\"";
	r->last.expected = "NAME:HASH and nothing more";
	if (strchr(hash, ':'))
		return -EBADMSG;
	r->last.what = "what follows the name is no hash that crypt(3) knows, or not all of it";
	r->last.expected = "the output of socksifyd --hash";
	if (!users_hash_is_valid(hash, &weak))
		return -EBADMSG;
	HASH_FIND(hh, u->table, one.name, one.len, known);
	r->last.what = "this name had a line before";
	r->last.expected = "one line for each name";
	if (known)
		return -EBADMSG;
	if (weak && r->weak_line == 0)
		r->weak_line = line;
	return add(u, &one, hash);
}

static const char byte_order_mark[] = "\xef\xbb\xbf";

static void note_mistake(struct users_report *r, unsigned line)
{
	r->last.line = line;
	if (r->n_mistakes < USERS_MISTAKES_MAX)
		r->mistakes[r->n_mistakes] = r->last;
	r->n_mistakes++;
}

/* One line without its end. */
static int read_whole_line(struct users *u, char *text, size_t len, unsigned line,
                           struct users_report *r)
{
	if (len != strlen(text)) {
		r->last.what = "an octet of value 0";
		r->last.expected = "text; \\x00 where a name has that octet";
		return -EBADMSG;
	}
	if (line == 1 && strncmp(text, byte_order_mark, 3) == 0) {
		/* Editors write it unseen; it would be part of the first name. */
		r->last.what = "a byte order mark";
		r->last.expected = "text without it, or a name that begins with \\xef";
		return -EBADMSG;
	}
	if (len == 0 || text[0] == '#' || strspn(text, " \t") == len)
		return 0;
	return read_line(u, text, line, r);
}

static int read_lines(struct users *u, FILE *f, struct users_report *r)
{
	char *text = NULL;
	size_t cap = 0;
	ssize_t len;
	unsigned line = 0;
	int err = 0;

	while (err == 0 && (errno = 0, len = getline(&text, &cap, f)) >= 0) {
		line++;
		if (len > 0 && text[len - 1] == '\n')
			text[--len] = '\0';
		if (len > 0 && text[len - 1] == '\r')
			text[--len] = '\0';
		err = read_whole_line(u, text, (size_t)len, line, r);
		/* The next ones may have mistakes, too. */
		if (err == -EBADMSG) {
			note_mistake(r, line);
			err = 0;
		}
	}
	if (err == 0 && errno != 0)
		err = -errno;
	if (text)
		explicit_bzero(text, cap);
	free(text);
	return err == 0 && r->n_mistakes > 0 ? -EBADMSG : err;
}

static int open_file(FILE **out, struct opener *opener, const char *path, struct users_report *r)
{
	struct stat st;
	int err, fd = opener_open(opener, path);

	if (fd < 0)
		return fd;
	err = fstat(fd, &st) < 0      ? -errno
	      : !S_ISREG(st.st_mode)  ? -EINVAL
	      : st.st_size > FILE_MAX ? -EFBIG
	                              : 0;
	*out = err == 0 ? fdopen(fd, "r") : NULL;
	if (!*out) {
		err = err == 0 ? -ENOMEM : err;
		close(fd);
		return err;
	}
	r->open_to_all = st.st_mode & S_IROTH;
	return 0;
}

int users_load(struct users **out, struct opener *opener, const char *path,
               struct users_report *report)
{
	char buf[BUFSIZ];
	struct users *u = NULL;
	FILE *f;
	int err;

	*out = NULL;
	*report = (struct users_report){ 0 };
	err = open_file(&f, opener, path, report);
	if (err < 0)
		return err;
	u = calloc(1, sizeof(*u));
	/* Hashes go through it. */
	(void)setvbuf(f, buf, _IOFBF, sizeof(buf));
	err = u ? read_lines(u, f, report) : -ENOMEM;
	(void)fclose(f);
	explicit_bzero(buf, sizeof(buf));
	if (err == 0 && getrandom(&u->seed, sizeof(u->seed), 0) < 0)
		err = -errno;
	/* The hash in it is of no password: what is tried with it is never right. */
	if (err == 0 && !crypt_gensalt_rn(NULL, 0, NULL, 0, u->decoy, sizeof(u->decoy)))
		err = -errno;
	if (err < 0)
		users_free(u);
	else
		*out = u;
	return err;
}

void users_free(struct users *u)
{
	struct user *user, *next;

	if (!u)
		return;
	HASH_ITER (hh, u->table, user, next) {
		HASH_DEL(u->table, user);
		explicit_bzero(user->hash, strlen(user->hash));
		free(user->hash);
		free(user);
	}
	free(u->hashes);
	free(u);
}

size_t users_count(const struct users *u)
{
	return u->n;
}

const char *users_hash(const struct users *u, const char *name, size_t len)
{
	struct user *user = NULL;

	HASH_FIND(hh, u->table, name, len, user);
	return user ? user->hash : NULL;
}

/*
 * Drawn among the users by the name, so that names that are not there take as long as those that
 * are, and each as long every time, whatever kinds of hashes stand side by side in the file.
 */
const char *users_decoy(const struct users *u, const char *name, size_t len)
{
	uint64_t h = u->seed;

	if (u->n == 0)
		return u->decoy;
	for (size_t i = 0; i < len; i++) {
		h = (h ^ (unsigned char)name[i]) * 0x100000001b3u;
		h ^= h >> 29;
	}
	h *= 0xbf58476d1ce4e5b9u;
	return u->hashes[(h ^ h >> 32) % u->n];
}
