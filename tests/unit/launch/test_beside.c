#include "folder.h"

#include <errno.h>
#include <launch/beside.h>

static const struct beside library = { "../lib/deep/l.so", "../preload/l.so", "/no/such/l.so" };

static void check_found(const char *from, const char *want)
{
	char own[PATH_MAX], have[PATH_MAX];

	ck_assert_int_eq(beside_folder(folder_path(from), own, sizeof(own)), 0);
	ck_assert_int_eq(beside_find(&library, own, have, sizeof(have)), 0);
	ck_assert_str_eq(have, folder_path(want));
}

START_TEST(installed_comes_before_built)
{
	folder_init();
	folder_put("bin/program", "", 0, 0755);
	folder_put("preload/l.so", "", 0, 0755);
	check_found("bin/program", "preload/l.so");
	folder_put("lib/deep/l.so", "", 0, 0755);
	check_found("bin/program", "lib/deep/l.so");
	folder_fini();
}
END_TEST

START_TEST(links_in_the_way_are_followed)
{
	folder_init();
	folder_put("tree/bin/program", "", 0, 0755);
	folder_put("tree/lib/deep/l.so", "", 0, 0755);
	ck_assert_int_eq(symlink("tree/bin", folder_path("commands")), 0);
	ck_assert_int_eq(symlink("commands/program", folder_path("program")), 0);
	check_found("commands/program", "tree/lib/deep/l.so");
	check_found("program", "tree/lib/deep/l.so");
	folder_fini();
}
END_TEST

START_TEST(configured_place_is_what_remains)
{
	char have[PATH_MAX], own[PATH_MAX];

	folder_init();
	ck_assert_int_eq(beside_find(&library, "/no/such/bin", have, sizeof(have)), -ENOENT);
	ck_assert_str_eq(have, library.configured);
	ck_assert_int_eq(beside_find(&library, NULL, have, sizeof(have)), -ENOENT);
	ck_assert_str_eq(have, library.configured);
	ck_assert_int_eq(beside_folder(folder_path("absent"), own, sizeof(own)), -ENOENT);
	ck_assert_int_eq(beside_folder("/proc/self/exe", own, sizeof(own)), 0);
	ck_assert_int_eq(own[0], '/');
	folder_fini();
}
END_TEST

/* More steps up than there are folders end at the root. */
START_TEST(root_is_the_end_of_the_way_up)
{
	const struct beside far = { "../../../../../proc/self/status", "x", "y" };
	char have[PATH_MAX];

	ck_assert_int_eq(beside_find(&far, "/bin", have, sizeof(have)), 0);
	ck_assert_str_eq(have, "/proc/self/status");
}
END_TEST

UNIT_MAIN("launch/beside", { installed_comes_before_built, 0 },
          { links_in_the_way_are_followed, 0 }, { configured_place_is_what_remains, 0 },
          { root_is_the_end_of_the_way_up, 0 })
