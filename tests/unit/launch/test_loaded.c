/* glibc's loader as a command: by what it loads it is judged. */
#include "folder.h"

#include <elf.h>
#include <errno.h>
#include <launch/target.h>
#include <link.h>

#define WORDS_MAX 8

/* "@" at a word's begin stands for the folder. LOADER is before them. */
static const struct {
	const char *words[WORDS_MAX];
	const char *variable;
	enum target_kind kind;
	enum target_why why;
	bool is_idle;
} rows[] = {
	{ { "/bin/true" }, NULL, TARGET_DYNAMIC, TARGET_WHY_NONE, false },
	{ { "/bin/true", "@static" }, NULL, TARGET_DYNAMIC, TARGET_WHY_NONE, false },
	{ { "@static" }, NULL, TARGET_UNREACHABLE, TARGET_WHY_STATIC, false },
	{ { "@static", "--list" }, NULL, TARGET_UNREACHABLE, TARGET_WHY_STATIC, false },
	/* The loader needs no leave to execute it, and it gains nothing. */
	{ { "@mode" }, NULL, TARGET_UNREACHABLE, TARGET_WHY_STATIC, false },
	{ { "@set-uid" }, NULL, TARGET_DYNAMIC, TARGET_WHY_NONE, false },
	/* What it can't load it says itself. */
	{ { "@missing" }, NULL, TARGET_DYNAMIC, TARGET_WHY_NONE, false },
	{ { "@text" }, NULL, TARGET_DYNAMIC, TARGET_WHY_NONE, false },
	{ { "@broken" }, NULL, TARGET_UNREACHABLE, TARGET_WHY_UNREADABLE, false },
	/* Itself, which it does not load; but who knows what another one would. */
	{ { "LOADER", "@static" }, NULL, TARGET_UNREACHABLE, TARGET_WHY_UNREADABLE, false },
	/* A library's name. */
	{ { "true" }, NULL, TARGET_UNREACHABLE, TARGET_WHY_UNREADABLE, false },
	/* Options. */
	{ { "--inhibit-cache", "@static" }, NULL, TARGET_UNREACHABLE, TARGET_WHY_STATIC, false },
	{ { "--library-path", "/bin/true", "@static" },
	  NULL,
	  TARGET_UNREACHABLE,
	  TARGET_WHY_STATIC,
	  false },
	{ { "--preload", "x", "--argv0", "/bin/true", "--inhibit-rpath", "/bin", "@static" },
	  NULL,
	  TARGET_UNREACHABLE,
	  TARGET_WHY_STATIC,
	  false },
	{ { "--glibc-hwcaps-mask", "x", "--glibc-hwcaps-prepend", "@static", "/bin/true" },
	  NULL,
	  TARGET_DYNAMIC,
	  TARGET_WHY_NONE,
	  false },
	{ { "--argv0", "@static", "/bin/true" }, NULL, TARGET_DYNAMIC, TARGET_WHY_NONE, false },
	{ { "--audit", "x", "/bin/true" }, NULL, TARGET_UNREACHABLE, TARGET_WHY_AUDIT, false },
	{ { "--list", "--audit", "x", "/bin/true" },
	  NULL,
	  TARGET_UNREACHABLE,
	  TARGET_WHY_AUDIT,
	  false },
	{ { "--unknown", "/bin/true" }, NULL, TARGET_UNREACHABLE, TARGET_WHY_UNREADABLE, false },
	{ { "--argv0" }, NULL, TARGET_UNREACHABLE, TARGET_WHY_UNREADABLE, false },
	/* Nothing is executed. */
	{ { NULL }, NULL, TARGET_DYNAMIC, TARGET_WHY_NONE, true },
	{ { "--list", "@static" }, NULL, TARGET_DYNAMIC, TARGET_WHY_NONE, true },
	{ { "--verify", "@static" }, NULL, TARGET_DYNAMIC, TARGET_WHY_NONE, true },
	{ { "--version" }, NULL, TARGET_DYNAMIC, TARGET_WHY_NONE, true },
	{ { "@static" }, "LD_TRACE_LOADED_OBJECTS=1", TARGET_DYNAMIC, TARGET_WHY_NONE, true },
	{ { "@static" }, "LD_TRACE_LOADED_OBJECTS=", TARGET_UNREACHABLE, TARGET_WHY_STATIC, false },
};

static const char *put_program(const char *name, uint16_t type, mode_t mode)
{
	struct {
		ElfW(Ehdr) head;
		ElfW(Phdr) load;
	} image;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	memset(&image, 0, sizeof(image));
	ck_assert_int_eq(read(fd, &image.head, sizeof(image.head)), sizeof(image.head));
	close(fd);
	image.head.e_type = type;
	image.head.e_phoff = offsetof(__typeof__(image), load);
	image.head.e_phnum = 1;
	image.load.p_type = PT_LOAD;
	return folder_put(name, &image, sizeof(image), mode);
}

static const char *put_all(void)
{
	put_program("static", ET_EXEC, 0755);
	put_program("mode", ET_EXEC, 0644);
	put_program("broken", ET_REL, 0755);
	folder_put("text", "exit 0\n", 7, 0755);
	return folder_copy("set-uid", "/bin/true", 04755);
}

START_TEST(loader_is_what_it_loads)
{
	char texts[WORDS_MAX][PATH_MAX], loader[TARGET_NAME_MAX], *argv[WORDS_MAX + 2] = { NULL };
	char *envp[] = { (char *)(uintptr_t)rows[_i].variable, NULL };
	struct target t;
	size_t n = 1;

	target_judge("/proc/self/exe", &t);
	ck_assert_str_ne(t.loader, "");
	strcpy(loader, t.loader);
	folder_init();
	put_all();
	argv[0] = loader;
	for (const char *const *word = rows[_i].words; n <= WORDS_MAX && *word; word++, n++) {
		if (strcmp(*word, "LOADER") == 0)
			snprintf(texts[n - 1], PATH_MAX, "%s", loader);
		else if (**word == '@')
			snprintf(texts[n - 1], PATH_MAX, "%s/%s", folder, *word + 1);
		else
			snprintf(texts[n - 1], PATH_MAX, "%s", *word);
		argv[n] = texts[n - 1];
	}
	target_judge(argv[0], &t);
	ck_assert(t.is_loader);
	errno = E2BIG;
	target_judge_loaded(&t, argv, envp);
	ck_assert_int_eq(errno, E2BIG);
	folder_fini();
	ck_assert_int_eq(t.kind, rows[_i].kind);
	ck_assert_int_eq(t.why, rows[_i].why);
	ck_assert_int_eq(t.is_idle, rows[_i].is_idle);
}
END_TEST

START_TEST(other_programs_are_left_alone)
{
	char *argv[] = { (char[]){ "true" }, (char[]){ "--audit" }, NULL };
	struct target t;

	target_judge("/bin/true", &t);
	ck_assert(!t.is_loader);
	target_judge_loaded(&t, argv, NULL);
	ck_assert_int_eq(t.kind, TARGET_DYNAMIC);
	ck_assert(!t.is_idle);
	ck_assert_ptr_null(t.loads);
}
END_TEST

/* By its "#!" line, whose argument is not looked at. */
START_TEST(script_of_the_loader_is_closed)
{
	char *argv[] = { (char[]){ "script" }, NULL }, text[512];
	struct target t;
	int len;

	target_judge("/proc/self/exe", &t);
	len = snprintf(text, sizeof(text), "#!%s /some/program\n", t.loader);
	folder_init();
	target_judge(folder_put("script", text, (size_t)len, 0755), &t);
	folder_fini();
	target_judge_loaded(&t, argv, NULL);
	ck_assert_int_eq(t.kind, TARGET_UNREACHABLE);
	memset(&t, 0, sizeof(t));
	t.is_loader = true;
	target_judge_loaded(&t, NULL, NULL);
	ck_assert(t.is_idle);
}
END_TEST

UNIT_MAIN("launch/loaded", { loader_is_what_it_loads, ROWS(rows) },
          { other_programs_are_left_alone, 0 }, { script_of_the_loader_is_closed, 0 })
