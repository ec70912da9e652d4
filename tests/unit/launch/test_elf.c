/* Files put together octet by octet, and such as the machine's own tools make. */
#include "folder.h"

#include <elf.h>
#include <errno.h>
#include <launch/target.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define OUR_DATA   ELFDATA2LSB
#define OTHER_DATA ELFDATA2MSB
#else
#define OUR_DATA   ELFDATA2MSB
#define OTHER_DATA ELFDATA2LSB
#endif

/* Another class of this machine's kind, or the same one again. */
#if defined(__x86_64__)
#define OURS   ELFCLASS64, EM_X86_64
#define SECOND ELFCLASS32, EM_386
#elif defined(__aarch64__)
#define OURS   ELFCLASS64, EM_AARCH64
#define SECOND ELFCLASS32, EM_ARM
#elif defined(__i386__)
#define OURS   ELFCLASS32, EM_386
#define SECOND ELFCLASS64, EM_X86_64
#else
#define OURS   0, 0
#define SECOND 0, 0
#endif

#define GLIBC "@/ld-linux-test.so.2"
#define MUSL  "@/ld-musl-test.so.1"

enum { PHDRS_FIRST = 64, PHDRS_MANY = 20 };

static const struct row {
	uint8_t class;
	uint16_t machine, type;
	const char *loader, *soname,
		*note; /* NULL: none; "+libc": audit libraries are asked for, too */
	enum target_kind kind;
	enum target_why why;
	int err;
	uint8_t data;     /* 0: ours */
	unsigned padding; /* PT_NULL segments before all others */
	bool bad_phentsize, no_nul;
} rows[] = {
	{ OURS, ET_DYN, GLIBC, NULL, NULL, TARGET_DYNAMIC, 0, 0, 0, 0, 0, 0 },
	{ OURS, ET_EXEC, GLIBC, NULL, NULL, TARGET_DYNAMIC, 0, 0, 0, 0, 0, 0 },
	{ OURS, ET_DYN, GLIBC, "libc.so.6", NULL, TARGET_DYNAMIC, 0, 0, 0, 0, 0, 0 },
	{ OURS, ET_DYN, GLIBC, NULL, NULL, TARGET_DYNAMIC, 0, 0, 0, PHDRS_MANY, 0, 0 },
	{ SECOND, ET_EXEC, GLIBC, NULL, NULL, TARGET_DYNAMIC, 0, 0, 0, 0, 0, 0 },
	/* The loader itself, as a command. */
	{ OURS, ET_DYN, NULL, "ld-linux-x86-64.so.2", NULL, TARGET_DYNAMIC, 0, 0, 0, 0, 0, 0 },
	{ OURS, ET_DYN, NULL, "ld64.so.2", NULL, TARGET_DYNAMIC, 0, 0, 0, PHDRS_MANY, 0, 0 },
	{ SECOND, ET_DYN, NULL, "ld-linux.so.2", NULL, TARGET_DYNAMIC, 0, 0, 0, 0, 0, 0 },
	/* Audit libraries of its own. */
	{ OURS, ET_DYN, GLIBC, "+", NULL, TARGET_UNREACHABLE, TARGET_WHY_AUDIT, 0, 0, 0, 0, 0 },
	{ SECOND, ET_EXEC, GLIBC, "+libm.so.6", NULL, TARGET_UNREACHABLE, TARGET_WHY_AUDIT, 0, 0, 0,
	  0, 0 },
	{ OURS, ET_DYN, NULL, "+ld64.so.2", NULL, TARGET_UNREACHABLE, TARGET_WHY_AUDIT, 0, 0, 0, 0,
	  0 },
	/* Static, static-pie, a library without a loader of its own. */
	{ OURS, ET_EXEC, NULL, NULL, NULL, TARGET_UNREACHABLE, TARGET_WHY_STATIC, 0, 0, 0, 0, 0 },
	{ OURS, ET_DYN, NULL, NULL, NULL, TARGET_UNREACHABLE, TARGET_WHY_STATIC, 0, 0, 0, 0, 0 },
	{ OURS, ET_DYN, NULL, "libm.so.6", NULL, TARGET_UNREACHABLE, TARGET_WHY_STATIC, 0, 0, 0, 0,
	  0 },
	{ OURS, ET_EXEC, NULL, "ld-linux.so.2", NULL, TARGET_UNREACHABLE, TARGET_WHY_STATIC, 0, 0,
	  0, 0, 0 },
	{ SECOND, ET_EXEC, NULL, NULL, NULL, TARGET_UNREACHABLE, TARGET_WHY_STATIC, 0, 0, 0, 0, 0 },
	/* Another libc's. */
	{ OURS, ET_DYN, MUSL, NULL, NULL, TARGET_UNREACHABLE, TARGET_WHY_LOADER, 0, 0, 0, 0, 0 },
	{ OURS, ET_DYN, "/system/bin/linker64", NULL, NULL, TARGET_FAILS, TARGET_WHY_LOADER,
	  -ENOENT, 0, 0, 0, 0 },
	/* Go's linker leaves a note, alone or among others. */
	{ OURS, ET_EXEC, NULL, NULL, "Go\0", TARGET_UNREACHABLE, TARGET_WHY_GO, 0, 0, 0, 0, 0 },
	{ OURS, ET_DYN, GLIBC, NULL, "Go\0", TARGET_UNREACHABLE, TARGET_WHY_GO, 0, 0, 0, 0, 0 },
	{ OURS, ET_DYN, GLIBC, NULL, "GNU", TARGET_DYNAMIC, 0, 0, 0, 0, 0, 0 },
	/* Emulators. */
	{ ELFCLASS64, EM_ALPHA, ET_DYN, GLIBC, NULL, NULL, TARGET_UNREACHABLE, TARGET_WHY_MACHINE,
	  0, 0, 0, 0, 0 },
	{ OURS, ET_DYN, GLIBC, NULL, NULL, TARGET_UNREACHABLE, TARGET_WHY_MACHINE, 0, OTHER_DATA, 0,
	  0, 0 },
	/* What execve refuses. */
	{ OURS, ET_DYN, "@/ld-linux-absent.so.2", NULL, NULL, TARGET_FAILS, 0, -ENOENT, 0, 0, 0,
	  0 },
	{ OURS, ET_REL, NULL, NULL, NULL, TARGET_FAILS, 0, -ENOEXEC, 0, 0, 0, 0 },
	{ OURS, ET_CORE, NULL, NULL, NULL, TARGET_FAILS, 0, -ENOEXEC, 0, 0, 0, 0 },
	{ OURS, ET_DYN, GLIBC, NULL, NULL, TARGET_FAILS, 0, -ENOEXEC, 0, 0, 1, 0 },
	{ OURS, ET_DYN, GLIBC, NULL, NULL, TARGET_FAILS, 0, -ENOEXEC, 0, 0, 0, 1 },
	{ OURS, ET_DYN, "", NULL, NULL, TARGET_FAILS, 0, -ENOEXEC, 0, 0, 0, 0 },
};

struct image {
	uint8_t octets[4096];
	size_t len;
	bool is_64;
	unsigned phnum;
};

static void put_word(struct image *im, uint64_t v)
{
	uint32_t narrow = (uint32_t)v;

	if (im->is_64)
		memcpy(im->octets + im->len, &v, 8);
	else
		memcpy(im->octets + im->len, &narrow, 4);
	im->len += im->is_64 ? 8 : 4;
}

static void put_phdr(struct image *im, uint32_t type, uint64_t at, uint64_t len)
{
	Elf64_Phdr wide = { .p_type = type, .p_offset = at, .p_filesz = len };
	Elf32_Phdr narrow = { .p_type = type, .p_offset = (uint32_t)at, .p_filesz = (uint32_t)len };
	uint8_t *to = im->octets + PHDRS_FIRST;

	/* Memory begins elsewhere than the file, so that the one is not taken for the other. */
	wide.p_vaddr = at + 0x10000;
	narrow.p_vaddr = (uint32_t)at + 0x10000;
	if (im->is_64)
		memcpy(to + im->phnum++ * sizeof(wide), &wide, sizeof(wide));
	else
		memcpy(to + im->phnum++ * sizeof(narrow), &narrow, sizeof(narrow));
}

static void put_header(struct image *im, const struct row *r)
{
	uint8_t ident[EI_NIDENT] = { 0x7f,      'E',      'L',
		                     'F',       r->class, r->data ? r->data : OUR_DATA,
		                     EV_CURRENT };
	uint16_t phentsize = im->is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	Elf64_Ehdr wide = { .e_type = r->type, .e_machine = r->machine, .e_version = EV_CURRENT };
	Elf32_Ehdr narrow = { .e_type = r->type, .e_machine = r->machine, .e_version = EV_CURRENT };

	phentsize = (uint16_t)(phentsize + r->bad_phentsize);
	memcpy(wide.e_ident, ident, sizeof(ident));
	memcpy(narrow.e_ident, ident, sizeof(ident));
	wide.e_phoff = narrow.e_phoff = PHDRS_FIRST;
	wide.e_phnum = narrow.e_phnum = (uint16_t)im->phnum;
	wide.e_phentsize = narrow.e_phentsize = phentsize;
	if (im->is_64)
		memcpy(im->octets, &wide, sizeof(wide));
	else
		memcpy(im->octets, &narrow, sizeof(narrow));
}

static void build(struct image *im, const struct row *r)
{
	size_t at;
	char loader[256];

	memset(im, 0, sizeof(*im));
	im->is_64 = r->class == ELFCLASS64;
	im->len = 2048;
	for (unsigned i = 0; i < r->padding; i++)
		put_phdr(im, PT_NULL, 0, 0);
	/* One that holds nothing of what is looked for, and one that holds all. */
	put_phdr(im, PT_LOAD, 0, 512);
	put_phdr(im, PT_LOAD, 1024, 3072);
	if (r->loader) {
		snprintf(loader, sizeof(loader), "%s%s", r->loader[0] == '@' ? folder : "",
		         r->loader + (r->loader[0] == '@'));
		at = im->len;
		memcpy(im->octets + at, loader, strlen(loader) + 1);
		im->len += strlen(loader) + 1;
		put_phdr(im, PT_INTERP, at, im->len - at - r->no_nul);
	}
	if (r->note) {
		/* After another note, whose sizes are no multiples of four. */
		Elf32_Nhdr first = { 5, 3, 1 }, nh = { 4, 0, 4 };

		at = im->len;
		memcpy(im->octets + at, &first, sizeof(first));
		memcpy(im->octets + at + sizeof(first), "four\0\0\0\0abc", 12);
		memcpy(im->octets + at + 24, &nh, sizeof(nh));
		memcpy(im->octets + at + 24 + sizeof(nh), r->note, 4);
		im->len += 24 + sizeof(nh) + 4;
		put_phdr(im, PT_NOTE, at, im->len - at);
	}
	if (r->soname) {
		size_t strings = im->len;
		bool audits = r->soname[0] == '+';
		const char *soname = r->soname + audits;

		memcpy(im->octets + strings + 1, soname, strlen(soname) + 1);
		im->len += 64;
		at = im->len;
		if (audits) {
			put_word(im, strcmp(soname, "libm.so.6") ? DT_AUDIT : DT_DEPAUDIT);
			put_word(im, 1);
		}
		put_word(im, DT_SONAME);
		put_word(im, 1);
		put_word(im, DT_STRTAB);
		put_word(im, strings + 0x10000);
		put_word(im, DT_NULL);
		put_word(im, 0);
		put_phdr(im, PT_DYNAMIC, at, im->len - at);
	}
	put_header(im, r);
}

static void put_loaders(void)
{
	folder_put("ld-linux-test.so.2", "", 0, 0755);
	folder_put("ld-musl-test.so.1", "", 0, 0755);
}

START_TEST(file_is_told_by_its_segments)
{
	const struct row *r = &rows[_i];
	struct image im;
	struct target t;

	if (!r->class)
		return;
	folder_init();
	put_loaders();
	build(&im, r);
	target_judge(folder_put("file", im.octets, im.len, 0755), &t);
	folder_fini();
	ck_assert_int_eq(t.kind, r->kind);
	ck_assert_int_eq(t.why, r->why);
	ck_assert_int_eq(t.err, r->err);
	ck_assert(t.is_elf);
	ck_assert_uint_eq(t.class, r->class);
	ck_assert_uint_eq(t.machine, r->machine);
	if (r->why != TARGET_WHY_MACHINE && r->kind == TARGET_DYNAMIC)
		ck_assert_str_eq(t.loader + (r->loader ? strlen(folder) : 0),
		                 r->loader ? r->loader + 1 : "");
}
END_TEST

/* Nothing that is cut is taken for a program that the library gets into, but where it is whole. */
START_TEST(cut_file_is_never_mistaken)
{
	const struct row *r = &rows[_i];
	struct image im;
	struct target t;

	if (!r->class || r->kind != TARGET_DYNAMIC)
		return;
	folder_init();
	put_loaders();
	build(&im, r);
	for (size_t n = 0; n < im.len; n += n < 256 ? 1 : 23) {
		target_judge(folder_put("file", im.octets, n, 0755), &t);
		if (t.kind == TARGET_DYNAMIC)
			ck_assert_uint_gt(n, 2048);
	}
	folder_fini();
}
END_TEST

/* Whatever the numbers in it say, judging ends, and reads nothing that is not there. */
START_TEST(random_octets_do_no_harm)
{
	uint64_t seed = unit_seed();
	struct image im;
	struct target t;

	folder_init();
	put_loaders();
	for (int round = 0; round < 500; round++) {
		const struct row *r = &rows[unit_below(&seed, sizeof(rows) / sizeof(rows[0]))];

		if (!r->class)
			continue;
		build(&im, r);
		for (size_t n = 1 + unit_below(&seed, 4); n > 0; n--)
			im.octets[4 + unit_below(&seed, unit_below(&seed, 2) ? 500 : im.len - 4)] =
				(uint8_t)unit_random(&seed);
		target_judge(folder_put("file", im.octets, im.len, 0755), &t);
	}
	folder_fini();
}
END_TEST

/* Of this machine: skipped where it is not there. */
static const struct {
	const char *path;
	enum target_kind kind;
	enum target_why why;
} real[] = {
	{ "/bin/true", TARGET_DYNAMIC, TARGET_WHY_NONE },
	{ "/bin/sh", TARGET_DYNAMIC, TARGET_WHY_NONE },
	{ "/lib64/ld-linux-x86-64.so.2", TARGET_DYNAMIC, TARGET_WHY_NONE },
	{ "/lib/ld-linux.so.2", TARGET_DYNAMIC, TARGET_WHY_NONE },
	{ "/lib/ld-linux-aarch64.so.1", TARGET_DYNAMIC, TARGET_WHY_NONE },
	{ "/lib/x86_64-linux-gnu/libc.so.6", TARGET_DYNAMIC, TARGET_WHY_NONE },
	{ "/bin/busybox", TARGET_UNREACHABLE, TARGET_WHY_STATIC },
	{ "/sbin/ldconfig", TARGET_UNREACHABLE, TARGET_WHY_STATIC },
	{ "/lib/ld-musl-x86_64.so.1", TARGET_UNREACHABLE, TARGET_WHY_STATIC },
	{ "/usr/bin/ldd", TARGET_DYNAMIC, TARGET_WHY_NONE },
};

/* /sbin/ldconfig is a script around the program on some systems; then the table does not hold. */
static bool is_elf(const char *path)
{
	char head[SELFMAG] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool is = fd >= 0 && read(fd, head, sizeof(head)) == sizeof(head) &&
	          memcmp(head, ELFMAG, SELFMAG) == 0;

	if (fd >= 0)
		close(fd);
	return is;
}

START_TEST(program_of_this_machine_is_told)
{
	struct target t;

	if (access(real[_i].path, X_OK) < 0 || (real[_i].why && !is_elf(real[_i].path)))
		return;
	target_judge(real[_i].path, &t);
	ck_assert_int_eq(t.kind, real[_i].kind);
	ck_assert_int_eq(t.why, real[_i].why);
}
END_TEST

UNIT_MAIN("launch/elf", { file_is_told_by_its_segments, ROWS(rows) },
          { cut_file_is_never_mistaken, ROWS(rows) }, { random_octets_do_no_harm, 0 },
          { program_of_this_machine_is_told, ROWS(real) })
