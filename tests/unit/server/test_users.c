#include "unit.h"

#include <crypt.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include <username.h>

/* Real hashes of the password "x"; the last character of each may not be missing. */
static const struct {
	const char *hash;
	bool weak;
} hashes[] = {
	{ "$y$j75$6Z8Pyzx9uC5ZPgHvHUaXB/$3q3qhXyMKHWrjLJLPKvcpqvAzcIPJ5o2UdYTLXz8Vi.", false },
	{ "$2b$05$3p4L81BA8MgmY4QjXZr9k.67I4I5RpURR0pKRbANOXblP55xeZij2", false },
	{ "$6$WilIA77KtBXZUBsC$lgtAuUgS16xwQgRMrCJo/NMvE877n0k3mThZbGkKlfgJLLuQDJHgArlodxIpUT9f"
	  "WR.CZhcOCrl24w0Xbwweg/",
	  false },
	{ "$5$U/d/tkQvOgHKSMWS$GDZZCwSDBZ3Xzeb7Ti5rPZwvz3bDv8E/sP7shtwoVt9", true },
	{ "$1$jnMcsB55$Z3B6BinJQd.uFjLRdg88p1", true },
	{ "ydahoov4Ih6eA", true },
};

START_TEST(a_hash_must_be_whole)
{
	char cut[USERS_HASH_MAX];
	bool weak;

	ck_assert(users_hash_is_valid(hashes[_i].hash, &weak));
	ck_assert_int_eq(weak, hashes[_i].weak);
	snprintf(cut, sizeof(cut), "%s", hashes[_i].hash);
	cut[strlen(cut) - 1] = '\0';
	ck_assert(!users_hash_is_valid(cut, &weak));
	snprintf(cut, sizeof(cut), "%sx", hashes[_i].hash);
	ck_assert(!users_hash_is_valid(cut, &weak));
	snprintf(cut, sizeof(cut), "!%s", hashes[_i].hash);
	ck_assert(!users_hash_is_valid(cut, &weak));
}
END_TEST

/* Each kind that the library can make, as it makes it. */
static const char *const kinds[] = {
	"$y$", "$gy$",   "$7$",  "$2b$", "$2a$", "$2y$", "$6$",
	"$5$", "$sha1$", "$md5", "$1$",  "_",    "",
};

START_TEST(every_kind_of_hash_is_known)
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data data = { 0 };
	const char *hash;
	bool weak;

	/* A library may be built without one. */
	if (!crypt_gensalt_rn(kinds[_i], 0, NULL, 0, setting, sizeof(setting)))
		return;
	hash = crypt_r("x", setting, &data);
	ck_assert_ptr_nonnull(hash);
	ck_assert_msg(users_hash_is_valid(hash, &weak), "%s", hash);
}
END_TEST

struct made {
	char path[64];
	int fd;
};

static void made_init(struct made *m, const char *text, size_t len)
{
	snprintf(m->path, sizeof(m->path), "/tmp/socksifyd-users.XXXXXX");
	m->fd = mkstemp(m->path);
	ck_assert_int_ge(m->fd, 0);
	ck_assert_int_eq(write(m->fd, text, len), (ssize_t)len);
}

static void made_fini(struct made *m)
{
	close(m->fd);
	unlink(m->path);
}

#define H "ydahoov4Ih6eA"

static const struct {
	const char *text;
	size_t len;
	unsigned line;
	const char *what;
} bad[] = {
#define ROW(text, line, what)                      \
	{                                          \
		text, sizeof(text) - 1, line, what \
	}
	ROW("bob", 1, "no \":\""),
	ROW("# ok\n\nbob\n", 3, "no \":\""),
	ROW(":" H, 1, "no name"),
	ROW("bob:", 1, "no hash"),
	ROW("bob:*", 1, "no hash"),
	ROW("bob:plain text", 1, "no hash"),
	ROW("bob:" H ":", 1, "more than one"),
	ROW("bob: " H, 1, "no hash"),
	ROW("bob:" H " ", 1, "no hash"),
	ROW(" bob:" H, 1, "white space"),
	ROW("bob :" H, 1, "white space"),
	ROW("b\001b:" H, 1, "control"),
	ROW("b\177b:" H, 1, "control"),
	ROW("b\\b:" H, 1, "backslash"),
	ROW("b\\xg0:" H, 1, "backslash"),
	ROW("b\\x0:" H, 1, "backslash"),
	ROW("b\\:" H, 1, "backslash"),
	ROW("b\0b:" H, 1, "value 0"),
	ROW("\xef\xbb\xbf"
	    "bob:" H,
	    1, "byte order mark"),
	ROW("\xef\xbb\xbf# users", 1, "byte order mark"),
	ROW("bob:" H "\nbob:" H, 2, "before"),
	ROW("bob:" H "\nb\\x6fb:" H, 2, "before"),
#undef ROW
};

START_TEST(a_malformed_line_is_named)
{
	struct users_report r;
	struct users *u;
	struct made m;

	made_init(&m, bad[_i].text, bad[_i].len);
	ck_assert_int_eq(users_load(&u, NULL, m.path, &r), -EBADMSG);
	ck_assert_ptr_null(u);
	ck_assert_uint_eq(r.n_mistakes, 1);
	ck_assert_uint_eq(r.mistakes[0].line, bad[_i].line);
	ck_assert_msg(strstr(r.mistakes[0].what, bad[_i].what) != NULL, "%s", r.mistakes[0].what);
	ck_assert_ptr_nonnull(r.mistakes[0].expected);
	ck_assert_ptr_null(strstr(r.mistakes[0].what, H));
	made_fini(&m);
}
END_TEST

START_TEST(all_malformed_lines_are_named_up_to_twenty)
{
	char text[2 * (USERS_MISTAKES_MAX + 5)];
	struct users_report r;
	struct users *u;
	struct made m;

	for (size_t i = 0; i < sizeof(text); i += 2)
		memcpy(text + i, "x\n", 2);
	made_init(&m, text, sizeof(text));
	ck_assert_int_eq(users_load(&u, NULL, m.path, &r), -EBADMSG);
	ck_assert_uint_eq(r.n_mistakes, USERS_MISTAKES_MAX + 5);
	for (unsigned i = 0; i < USERS_MISTAKES_MAX; i++)
		ck_assert_uint_eq(r.mistakes[i].line, i + 1);
	made_fini(&m);
	made_init(&m, "a:b\nbob:" H "\nbob:" H, strlen("a:b\nbob:" H "\nbob:" H));
	ck_assert_int_eq(users_load(&u, NULL, m.path, &r), -EBADMSG);
	ck_assert_uint_eq(r.n_mistakes, 2);
	ck_assert_uint_eq(r.mistakes[0].line, 1);
	ck_assert_uint_eq(r.mistakes[1].line, 3);
	made_fini(&m);
}
END_TEST

static const struct {
	const char *written; /* NULL: it can't be written shorter */
	const char *name;
	size_t len;
} names[] = {
#define ROW(written, name)                      \
	{                                       \
		written, name, sizeof(name) - 1 \
	}
	ROW("bob", "bob"),
	ROW("b o#b", "b o#b"),
	ROW("\\x23b", "#b"),
	ROW("\\x20b\\x20", " b "),
	ROW("a\\x3ab\\\\", "a:b\\"),
	ROW("\\x00\\x0a\\x7f", "\0\n\177"),
	ROW("z\xc3\xa4", "z\xc3\xa4"),
	ROW("\\xef\xbb\xbf", "\xef\xbb\xbf"),
#undef ROW
};

START_TEST(every_name_can_be_written)
{
	char text[4 * USERS_NAME_MAX + 32];
	struct users_report r;
	struct users *u;
	struct made m;

	username_write(text, names[_i].name, names[_i].len);
	ck_assert_str_eq(text, names[_i].written);
	strcat(text, ":" H "\r\n");
	made_init(&m, text, strlen(text));
	ck_assert_int_eq(users_load(&u, NULL, m.path, &r), 0);
	ck_assert_str_eq(users_hash(u, names[_i].name, names[_i].len), H);
	ck_assert_uint_eq(r.weak_line, 1);
	ck_assert(!r.open_to_all);
	users_free(u);
	made_fini(&m);
}
END_TEST

START_TEST(the_longest_name_has_255_octets)
{
	char text[400];
	struct users_report r;
	struct users *u;
	struct made m;

	for (size_t len = 255; len <= 256; len++) {
		memset(text, 'n', len);
		strcpy(text + len, ":" H);
		made_init(&m, text, strlen(text));
		ck_assert_int_eq(users_load(&u, NULL, m.path, &r), len == 255 ? 0 : -EBADMSG);
		if (len == 255) {
			ck_assert_ptr_nonnull(users_hash(u, text, 255));
			ck_assert_ptr_null(users_hash(u, text, 254));
		}
		users_free(u);
		made_fini(&m);
	}
}
END_TEST

START_TEST(what_is_no_file_is_told)
{
	struct users_report r;
	struct users *u;
	struct made m;

	ck_assert_int_eq(users_load(&u, NULL, "/nonexistent/users", &r), -ENOENT);
	ck_assert_int_eq(users_load(&u, NULL, "/", &r), -EINVAL);
	ck_assert_int_eq(users_load(&u, NULL, "/dev/zero", &r), -EINVAL);
	made_init(&m, "", 0);
	ck_assert_int_eq(fchmod(m.fd, 0604), 0);
	ck_assert_int_eq(users_load(&u, NULL, m.path, &r), 0);
	ck_assert(r.open_to_all);
	ck_assert_uint_eq(users_count(u), 0);
	users_free(u);
	made_fini(&m);
}
END_TEST

/* PROTOCOL item 68: it must cost what the users' own hashes cost. */
START_TEST(a_decoy_is_one_of_the_files_own_hashes)
{
	static const char text[] = "a:" H "\nb:$1$jnMcsB55$Z3B6BinJQd.uFjLRdg88p1\n";
	unsigned first = 0;
	struct users_report r;
	struct users *u;
	struct made m;
	char name[16];

	made_init(&m, text, sizeof(text) - 1);
	ck_assert_int_eq(users_load(&u, NULL, m.path, &r), 0);
	for (int i = 0; i < 1000; i++) {
		int len = snprintf(name, sizeof(name), "n%d", i);
		const char *decoy = users_decoy(u, name, (size_t)len);

		ck_assert_ptr_eq(decoy, users_decoy(u, name, (size_t)len));
		ck_assert(decoy == users_hash(u, "a", 1) || decoy == users_hash(u, "b", 1));
		first += decoy == users_hash(u, "a", 1);
	}
	/* Both kinds: neither is the mark of a name that is not there. */
	ck_assert_uint_gt(first, 300);
	ck_assert_uint_lt(first, 700);
	users_free(u);
	made_fini(&m);
}
END_TEST

UNIT_MAIN("server users", { a_hash_must_be_whole, ROWS(hashes) },
          { every_kind_of_hash_is_known, ROWS(kinds) }, { a_malformed_line_is_named, ROWS(bad) },
          { all_malformed_lines_are_named_up_to_twenty, 0 },
          { every_name_can_be_written, ROWS(names) }, { the_longest_name_has_255_octets, 0 },
          { what_is_no_file_is_told, 0 }, { a_decoy_is_one_of_the_files_own_hashes, 0 })
