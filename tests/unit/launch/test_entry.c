#include "folder.h"

#include <elf.h>
#include <errno.h>
#include <launch/entry.h>
#include <limits.h>

#define LIB "libsocksify.so"

/* What stands at the start of an ELF file of a class and machine. */
static void put_elf(const char *name, uint8_t class, uint16_t machine)
{
	Elf64_Ehdr head = { .e_ident = { 0x7f, 'E', 'L', 'F', class, 0, EV_CURRENT },
		            .e_type = ET_DYN,
		            .e_machine = machine };

	head.e_ident[EI_DATA] = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB
	                                                                  : ELFDATA2MSB;
	folder_put(name, &head, sizeof(head), 0755);
}

static struct target native(void)
{
	struct target t;

	target_judge("/proc/self/exe", &t);
	ck_assert(t.is_native);
	return t;
}

static struct target second(const char *loader)
{
	struct target t = { .kind = TARGET_DYNAMIC, .is_elf = true };

	t.class = sizeof(void *) == 8 ? ELFCLASS32 : ELFCLASS64;
	t.machine = EM_386;
	snprintf(t.loader, sizeof(t.loader), "%s", folder_put(loader, "", 0, 0755));
	return t;
}

/* "lib/x86_64-linux-gnu": where our own loader lies. */
static const char *own_lib(void)
{
	static char lib[TARGET_NAME_MAX];
	struct target t = native();

	ck_assert_int_eq(entry_dst_lib(t.loader, lib, sizeof(lib)), 0);
	return lib;
}

START_TEST(folder_of_the_loader_is_what_lib_stands_for)
{
	static const struct {
		const char *at, *lib;
	} rows[] = {
		{ "lib64/ld-linux.so.2", "lib64" },
		{ "store/glibc-2.36/lib/ld-linux.so.2", "lib" },
		{ "link/ld-linux.so.2", "lib32" },
	};
	char lib[64];

	folder_init();
	folder_put("lib64/ld-linux.so.2", "", 0, 0755);
	folder_put("store/glibc-2.36/lib/ld-linux.so.2", "", 0, 0755);
	folder_put("lib32/ld-linux.so.2", "", 0, 0755);
	ck_assert_int_eq(symlink("lib32", folder_path("link")), 0);
	for (int i = 0; i < ROWS(rows); i++) {
		ck_assert_int_eq(entry_dst_lib(folder_path(rows[i].at), lib, sizeof(lib)), 0);
		ck_assert_str_eq(lib, rows[i].lib);
	}
	ck_assert_int_eq(entry_dst_lib(folder_path("nothing"), lib, sizeof(lib)), -ENOENT);
	ck_assert_int_eq(entry_dst_lib(folder_path("lib64"), lib, 3), -ENAMETOOLONG);
	folder_fini();
}
END_TEST

/* The loader is asked itself: a library that lies there must be found by a path with $LIB. */
START_TEST(our_own_loader_agrees)
{
	char path[PATH_MAX], command[PATH_MAX * 2];
	struct target t = native();

	folder_init();
	snprintf(path, sizeof(path), "x/%s/" LIB, own_lib());
	/* Nothing that can be loaded; so the loader complains of it, and not of its absence. */
	folder_put(path, "nonsense", 8, 0755);
	snprintf(command, sizeof(command),
	         "LD_PRELOAD='%s/x/$LIB/" LIB "' /bin/true 2>&1 | grep -q 'file too short'",
	         folder);
	ck_assert_int_eq(unsetenv("LD_PRELOAD"), 0);
	ck_assert_int_eq(system(command), 0);
	folder_fini();
	ck_assert_int_eq(t.kind, TARGET_DYNAMIC);
}
END_TEST

START_TEST(plain_path_where_one_class_is_installed)
{
	char lib[PATH_MAX], have[PATH_MAX];
	struct target t = native();

	folder_init();
	snprintf(have, sizeof(have), "%s/" LIB, own_lib());
	put_elf(have, t.class, t.machine);
	snprintf(lib, sizeof(lib), "%s/%s/" LIB, folder, own_lib());
	ck_assert_int_eq(entry_for(have, sizeof(have), lib, &t), 0);
	ck_assert_str_eq(have, lib);
	folder_fini();
}
END_TEST

START_TEST(plain_path_where_the_folder_is_unusual)
{
	char have[PATH_MAX];
	struct target t = native();

	ck_assert_int_eq(entry_for(have, sizeof(have), "/opt/x/" LIB, &t), 0);
	ck_assert_str_eq(have, "/opt/x/" LIB);
	ck_assert_int_eq(entry_for(have, sizeof(have), "/" LIB, &t), 0);
	ck_assert_str_eq(have, "/" LIB);
	ck_assert_int_eq(entry_for(have, 7, "/" LIB, &t), -ENAMETOOLONG);
}
END_TEST

/* The folder of the second class holds the right library, the wrong one, none. */
START_TEST(second_class_is_served_where_its_library_is)
{
	char lib[PATH_MAX], have[PATH_MAX], want[PATH_MAX];
	struct target ours = native(), t;

	folder_init();
	t = second("glibc32/lib-second/ld-linux.so.2");
	snprintf(have, sizeof(have), "p/%s/" LIB, own_lib());
	put_elf(have, ours.class, ours.machine);
	snprintf(lib, sizeof(lib), "%s/p/%s/" LIB, folder, own_lib());

	ck_assert_int_eq(entry_for(have, sizeof(have), lib, &t), -ENOENT);
	put_elf("p/lib-second/" LIB, ours.class, ours.machine);
	ck_assert_int_eq(entry_for(have, sizeof(have), lib, &t), -ENOENT);
	put_elf("p/lib-second/" LIB, t.class, t.machine);
	ck_assert_int_eq(entry_for(have, sizeof(have), lib, &t), 0);
	snprintf(want, sizeof(want), "%s/p/$LIB/" LIB, folder);
	ck_assert_str_eq(have, want);
	/* Ours is not where our loader would look: what serves the second would not serve us. */
	snprintf(lib, sizeof(lib), "%s/p/lib-else/" LIB, folder);
	put_elf("p/lib-else/" LIB, ours.class, ours.machine);
	ck_assert_int_eq(entry_for(have, sizeof(have), lib, &t), -ENOENT);
	folder_fini();
}
END_TEST

/* Where this machine has a loader of a second class, and so may have the library. */
START_TEST(form_with_lib_where_both_classes_are_installed)
{
	char lib[PATH_MAX], have[PATH_MAX], want[PATH_MAX], name[PATH_MAX], other[TARGET_NAME_MAX];
	const char *loader = "/lib/ld-linux.so.2";
	struct target t = native(), away;

	if (t.machine != EM_X86_64 || entry_dst_lib(loader, other, sizeof(other)) < 0)
		return;
	folder_init();
	snprintf(name, sizeof(name), "%s/" LIB, own_lib());
	put_elf(name, t.class, t.machine);
	snprintf(lib, sizeof(lib), "%s/%s/" LIB, folder, own_lib());
	snprintf(name, sizeof(name), "%s/" LIB, other);
	put_elf(name, ELFCLASS32, EM_386);
	ck_assert_int_eq(entry_for(have, sizeof(have), lib, &t), 0);
	snprintf(want, sizeof(want), "%s/$LIB/" LIB, folder);
	ck_assert_str_eq(have, want);
	/* A program of another glibc, whose loader means another folder by it: the path itself. */
	away = t;
	snprintf(away.loader, sizeof(away.loader), "%s",
	         folder_put("store/lib-away/ld-linux-x86-64.so.2", "", 0, 0755));
	ck_assert_int_eq(entry_for(have, sizeof(have), lib, &away), 0);
	ck_assert_str_eq(have, lib);
	folder_fini();
}
END_TEST

/* "LIB" in an entry's folder is what our own loader makes of $LIB. */
START_TEST(entry_serves_where_its_library_is_of_the_class)
{
	static const struct {
		const char *entry; /* below the folder, unless it begins with a dot */
		bool ours, second;
	} rows[] = {
		{ "/plain/" LIB, true, false },
		{ "/wrong/" LIB, false, true },
		{ "/none/" LIB, false, false },
		{ "/$LIB/" LIB, true, true },
		{ "/${LIB}/" LIB, true, true },
		{ "/$LIBRARY/" LIB, false, false },
		{ "/$ORIGIN/" LIB, false, false },
		{ "./" LIB, false, false },
		{ LIB, false, false },
		{ "", false, false },
	};
	struct target ours = native(), other;
	char name[PATH_MAX], entry[2 * PATH_MAX];

	folder_init();
	other = second("glibc32/lib-second/ld-linux.so.2");
	put_elf("plain/" LIB, ours.class, ours.machine);
	put_elf("wrong/" LIB, other.class, other.machine);
	snprintf(name, sizeof(name), "%s/" LIB, own_lib());
	put_elf(name, ours.class, ours.machine);
	put_elf("lib-second/" LIB, other.class, other.machine);
	for (int i = 0; i < ROWS(rows); i++) {
		/* An entry ends where its list goes on. */
		int len = snprintf(entry, sizeof(entry), "%s%s",
		                   rows[i].entry[0] == '/' ? folder : "", rows[i].entry);

		strcpy(entry + len, ":/other.so");
		errno = ERANGE;
		ck_assert_msg(entry_serves(entry, (size_t)len, &ours) == rows[i].ours, "%s", entry);
		ck_assert_msg(entry_serves(entry, (size_t)len, &other) == rows[i].second, "%s",
		              entry);
		ck_assert_int_eq(errno, ERANGE);
	}
	memset(entry, 'x', sizeof(entry));
	entry[0] = '/';
	ck_assert(!entry_serves(entry, sizeof(entry), &ours));
	folder_fini();
}
END_TEST

UNIT_MAIN("launch/entry", { folder_of_the_loader_is_what_lib_stands_for, 0 },
          { our_own_loader_agrees, 0 }, { plain_path_where_one_class_is_installed, 0 },
          { plain_path_where_the_folder_is_unusual, 0 },
          { second_class_is_served_where_its_library_is, 0 },
          { form_with_lib_where_both_classes_are_installed, 0 },
          { entry_serves_where_its_library_is_of_the_class, 0 })
