#include <elf.h>
#include <errno.h>
#include <launch/explain.h>
#include <unit.h>

#define REACH(why_) .kind = TARGET_UNREACHABLE, .why = TARGET_WHY_##why_

static const struct {
	struct target target;
	enum explain_fate fate;
	const char *want;
} reaches[] = {
	{ { REACH(STATIC) },
	  EXPLAIN_CLOSED,
	  "tool is static: the library can't get into it, so it runs without a network "
	  "(SOCKSIFY_EXEC=allow: past the proxy)" },
	{ { REACH(STATIC), .program = "/bin/busybox" },
	  EXPLAIN_REFUSED,
	  "tool: its interpreter /bin/busybox is static: the library can't get into it, and "
	  "SOCKSIFY_EXEC=refuse" },
	{ { REACH(LOADER), .loader = "/lib/ld-musl\n" },
	  EXPLAIN_OPEN,
	  "tool is of another libc (its loader is /lib/ld-musl?): the library can't get into it, "
	  "so it "
	  "goes past the proxy (SOCKSIFY_EXEC=allow)" },
	{ { REACH(UNREADABLE), .err = -EACCES },
	  EXPLAIN_STUCK,
	  "tool can't be looked into (permission denied): the library can't get into it, and no "
	  "socksify is there to run it without a network" },
	{ { REACH(STATIC), .is_loader = true, .loads = "./busybox" },
	  EXPLAIN_REFUSED,
	  "tool: its program ./busybox is static: the library can't get into it, and "
	  "SOCKSIFY_EXEC=refuse" },
	{ { REACH(AUDIT), .is_loader = true, .loads = "./busybox" },
	  EXPLAIN_REFUSED,
	  "tool loads an audit library, with a libc of its own: the library can't get into it, "
	  "and SOCKSIFY_EXEC=refuse" },
	{ { .kind = TARGET_DYNAMIC, .class = ELFCLASS32 },
	  EXPLAIN_REFUSED,
	  "tool is a 32-bit program, and no such libsocksify.so is installed: the library can't "
	  "get "
	  "into it, and SOCKSIFY_EXEC=refuse" },
	{ { .kind = TARGET_DYNAMIC, .is_native = true },
	  EXPLAIN_REFUSED,
	  "tool does not find libsocksify.so where it would run: the library can't get into it, "
	  "and "
	  "SOCKSIFY_EXEC=refuse" },
};

START_TEST(line_says_why_and_what_is_done)
{
	char line[EXPLAIN_MAX];

	explain_reach(&reaches[_i].target, "tool", reaches[_i].fate, line, sizeof(line));
	ck_assert_str_eq(line, reaches[_i].want);
}
END_TEST

#define GAIN(why_) .kind = TARGET_PRIVILEGED, .why = TARGET_WHY_##why_

static const struct {
	struct target target;
	const char *owner, *want;
} gains[] = {
	{ { GAIN(SETUID) }, "root", "run 'sudo socksify tool ...' instead" },
	{ { GAIN(SETUID), .uid = 12 }, "news", "run 'sudo -u news socksify tool ...' instead" },
	{ { GAIN(SETUID), .uid = 12 }, NULL, "run 'sudo -u \\#12 socksify tool ...' instead" },
	{ { GAIN(SETGID), .gid = 12 }, "man", "run 'sudo -g man socksify tool ...' instead" },
	{ { GAIN(SETGID) }, NULL, "run 'sudo -g \\#0 socksify tool ...' instead" },
	{ { GAIN(CAPS) }, NULL, "is a file with capabilities" },
	{ { GAIN(IDS) }, NULL, "start socksify as one user of one group" },
};

START_TEST(gain_has_a_way_out)
{
	char line[EXPLAIN_MAX];

	explain_gain(&gains[_i].target, "tool", gains[_i].owner, line, sizeof(line));
	ck_assert_msg(strstr(line, gains[_i].want), "%s", line);
}
END_TEST

START_TEST(long_names_are_cut)
{
	const struct target t = { REACH(STATIC) };
	char name[4096], line[EXPLAIN_MAX];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (size_t cap = 1; cap <= sizeof(line); cap += 31) {
		explain_reach(&t, name, EXPLAIN_CLOSED, line, cap);
		ck_assert_uint_lt(strlen(line), cap);
		explain_gain(&t, name, NULL, line, cap);
		ck_assert_uint_lt(strlen(line), cap);
	}
	explain_reach(&t, name, EXPLAIN_CLOSED, line, sizeof(line));
	ck_assert_ptr_nonnull(strstr(line, " is static: the library can't get into it"));
}
END_TEST

UNIT_MAIN("launch/explain", { line_says_why_and_what_is_done, ROWS(reaches) },
          { gain_has_a_way_out, ROWS(gains) }, { long_names_are_cut, 0 })
