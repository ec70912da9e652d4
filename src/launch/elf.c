/*
 * How it works: fields are read at their offsets for the file's own class, so that one code serves
 * both. A file of the other byte order is of another machine, and nothing else is asked of it. The
 * kernel takes the first PT_INTERP, and so does this. What the kernel would refuse is left to it,
 * unless it decides something here.
 */
#include "elf.h"

#include "file.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define PHDRS_AT_ONCE 8
#define NOTE_MAX      256  /* octets of one PT_NOTE that are looked at */
#define NT_GO_BUILDID 4    /* of the note's owner "Go" */
#define DYNAMIC_MAX   1024 /* entries; files have some thirty */

#define DYNAMIC_AT_ONCE 40

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define NATIVE_DATA ELFDATA2LSB
#else
#define NATIVE_DATA ELFDATA2MSB
#endif

struct phdr {
	uint32_t type;
	uint64_t offset, vaddr, filesz;
};

struct image {
	int fd;
	const uint8_t *head; /* the file's first octets, read already */
	size_t head_len;
	bool is_64;
	uint16_t type, phnum;
	uint64_t phoff;
	/* Of the segments, what is wanted; PT_NULL where there is none. */
	struct phdr interp, dynamic;
	bool is_go;
};

/* The header of the program that this code is part of; the linker defines it. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

/* Fields that differ in width: at one offset in a 32-bit structure, at another in a 64-bit one. */
static uint64_t get_word(const uint8_t *at, bool is_64)
{
	uint64_t wide;
	uint32_t narrow;

	if (is_64) {
		memcpy(&wide, at, sizeof(wide));
		return wide;
	}
	memcpy(&narrow, at, sizeof(narrow));
	return narrow;
}

#define GET(at, is_64, s, member)                                                              \
	get_word((at) + ((is_64) ? offsetof(Elf64_##s, member) : offsetof(Elf32_##s, member)), \
	         is_64)

static uint16_t get_half(const uint8_t *at)
{
	uint16_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static void get_phdr(const uint8_t *at, bool is_64, struct phdr *out)
{
	memcpy(&out->type, at, sizeof(out->type));
	out->offset = GET(at, is_64, Phdr, p_offset);
	out->vaddr = GET(at, is_64, Phdr, p_vaddr);
	out->filesz = GET(at, is_64, Phdr, p_filesz);
}

static ssize_t image_read(const struct image *im, void *buf, size_t len, uint64_t offset)
{
	if (offset > im->head_len || len > im->head_len - offset)
		return file_read(im->fd, buf, len, offset);
	memcpy(buf, im->head + offset, len);
	return (ssize_t)len;
}

/* A note of owner "Go" is what the Go linker leaves in every program (its build id). */
static bool note_is_go(const struct image *im, const struct phdr *ph)
{
	uint8_t buf[NOTE_MAX];
	ssize_t n = image_read(im, buf, ph->filesz < sizeof(buf) ? ph->filesz : sizeof(buf),
	                       ph->offset);
	size_t at = 0, len = n > 0 ? (size_t)n : 0;

	while (at + sizeof(Elf32_Nhdr) + 4 <= len) {
		Elf32_Nhdr nh;
		uint64_t size;

		memcpy(&nh, buf + at, sizeof(nh));
		if (nh.n_type == NT_GO_BUILDID && nh.n_namesz == 4 &&
		    memcmp(buf + at + sizeof(nh), "Go\0", 4) == 0)
			return true;
		size = sizeof(nh) + (((uint64_t)nh.n_namesz + 3) & ~UINT64_C(3)) +
		       (((uint64_t)nh.n_descsz + 3) & ~UINT64_C(3));
		if (size > len - at)
			return false;
		at += (size_t)size;
	}
	return false;
}

/*
 * Each segment in turn; with @vaddr not NULL the one that holds this address is looked for, and
 * *@vaddr becomes an offset in the file.
 *
 * Returns 0, -ENOEXEC where a table is not what the kernel takes.
 */
static int walk(struct image *im, uint64_t *vaddr)
{
	size_t size = im->is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	uint8_t buf[PHDRS_AT_ONCE * sizeof(Elf64_Phdr)];
	bool is_found = false;

	for (unsigned i = 0; i < im->phnum; i++) {
		const uint8_t *at = buf + i % PHDRS_AT_ONCE * size;
		unsigned left = im->phnum - i;
		struct phdr ph;

		if (i % PHDRS_AT_ONCE == 0) {
			size_t want = (left < PHDRS_AT_ONCE ? left : PHDRS_AT_ONCE) * size;

			if (image_read(im, buf, want, im->phoff + i * size) != (ssize_t)want)
				return -ENOEXEC;
		}
		get_phdr(at, im->is_64, &ph);
		if (vaddr) {
			if (!is_found && ph.type == PT_LOAD && *vaddr >= ph.vaddr &&
			    *vaddr - ph.vaddr < ph.filesz) {
				*vaddr = *vaddr - ph.vaddr + ph.offset;
				is_found = true;
			}
		} else if (ph.type == PT_INTERP && im->interp.type == PT_NULL) {
			im->interp = ph;
		} else if (ph.type == PT_DYNAMIC) {
			im->dynamic = ph;
		} else if (ph.type == PT_NOTE && !im->is_go) {
			im->is_go = note_is_go(im, &ph);
		}
	}
	return vaddr && !is_found ? -ENOEXEC : 0;
}

/* What PT_DYNAMIC says, as far as it matters here; values that are not there are UINT64_MAX. */
struct dynamic {
	uint64_t strtab, soname;
	bool audits;
};

/* Returns whether another entry follows. */
static bool take_entry(struct dynamic *d, uint64_t tag, uint64_t value)
{
	switch (tag) {
	case DT_NULL:
		return false;
	case DT_STRTAB:
		d->strtab = value;
		break;
	case DT_SONAME:
		d->soname = value;
		break;
	case DT_AUDIT:
	case DT_DEPAUDIT:
		d->audits = true;
		break;
	}
	return true;
}

/* @d says that there is nothing, and what can't be read adds nothing. */
static void read_dynamic(struct image *im, struct dynamic *d)
{
	size_t size = im->is_64 ? sizeof(Elf64_Dyn) : sizeof(Elf32_Dyn);
	uint64_t n = im->dynamic.filesz / size;
	uint8_t buf[DYNAMIC_AT_ONCE * sizeof(Elf64_Dyn)];
	ssize_t got = 0;

	for (uint64_t i = 0; i < n && i < DYNAMIC_MAX; i++) {
		const uint8_t *entry = buf + i % DYNAMIC_AT_ONCE * size;

		if (i % DYNAMIC_AT_ONCE == 0)
			got = image_read(im, buf, DYNAMIC_AT_ONCE * size,
			                 im->dynamic.offset + i * size);
		if (got < (ssize_t)((i % DYNAMIC_AT_ONCE + 1) * size) ||
		    !take_entry(d, get_word(entry, im->is_64),
		                get_word(entry + size / 2, im->is_64)))
			return;
	}
}

/* DT_SONAME of a file that is its own loader. */
static bool get_soname(struct image *im, const struct dynamic *d, char *buf, size_t cap)
{
	uint64_t strings = d->strtab;
	ssize_t n;

	if (d->strtab == UINT64_MAX || d->soname == UINT64_MAX || walk(im, &strings) < 0)
		return false;
	n = image_read(im, buf, cap - 1, strings + d->soname);
	if (n < 0)
		return false;
	buf[n] = '\0';
	return true;
}

bool elf_is_glibc_loader(const char *path)
{
	/* glibc's shlib-versions of all its ports. */
	static const char *const begins[] = { "ld-linux", "ld.so.", "ld64.so." };
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
		if (strncmp(name, begins[i], strlen(begins[i])) == 0)
			return true;
	return false;
}

static void set_unreachable(struct target *t, enum target_why why)
{
	t->kind = TARGET_UNREACHABLE;
	t->why = why;
}

static void set_fails(struct target *t, int err)
{
	t->kind = TARGET_FAILS;
	t->err = err;
}

/* The kernel's own checks: its length, that it ends in a NUL. */
static int get_loader(const struct image *im, struct target *out)
{
	uint8_t nul;
	uint64_t len = im->interp.filesz;

	if (len < 2 || len > 4096)
		return -ENOEXEC;
	if (image_read(im, &nul, 1, im->interp.offset + len - 1) != 1 || nul)
		return -ENOEXEC;
	if (len > sizeof(out->loader))
		return 0;
	if (image_read(im, out->loader, (size_t)len, im->interp.offset) != (ssize_t)len)
		return -ENOEXEC;
	return 0;
}

/* Can a kernel of our machine run this class and machine of its own accord. */
static bool is_kin(const struct target *t)
{
	static const uint16_t pairs[][2] = {
		{ EM_X86_64, EM_386 },    { EM_AARCH64, EM_ARM },         { EM_PPC64, EM_PPC },
		{ EM_SPARCV9, EM_SPARC }, { EM_SPARCV9, EM_SPARC32PLUS },
	};
	uint16_t ours = __ehdr_start.e_machine;

	if (t->machine == ours)
		return true;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if ((pairs[i][0] == ours && pairs[i][1] == t->machine) ||
		    (pairs[i][1] == ours && pairs[i][0] == t->machine))
			return true;
	return false;
}

/* glibc's own loader, run as a command; not a static-pie program, which looks alike. */
static bool is_loader(struct image *im, const struct dynamic *d)
{
	char soname[64];

	return im->type == ET_DYN && get_soname(im, d, soname, sizeof(soname)) &&
	       elf_is_glibc_loader(soname);
}

void elf_judge(int fd, const uint8_t *head, size_t len, struct target *out)
{
	struct image im = {
		.fd = fd, .head = head, .head_len = len, .is_64 = head[EI_CLASS] == ELFCLASS64
	};
	struct dynamic dynamic = { .strtab = UINT64_MAX, .soname = UINT64_MAX };
	uint16_t phentsize;
	int err;

	out->is_elf = true;
	out->class = head[EI_CLASS];
	out->machine = get_half(head + offsetof(Elf64_Ehdr, e_machine));
	out->is_native = out->class == __ehdr_start.e_ident[EI_CLASS] &&
	                 out->machine == __ehdr_start.e_machine;
	/* An emulator's, if anybody's; a file that is ELF by its first four octets alone, too. */
	if (head[EI_DATA] != NATIVE_DATA || !is_kin(out) ||
	    (out->class != ELFCLASS32 && out->class != ELFCLASS64)) {
		out->is_native = false;
		set_unreachable(out, TARGET_WHY_MACHINE);
		return;
	}
	im.type = get_half(head + offsetof(Elf64_Ehdr, e_type));
	im.phoff = GET(head, im.is_64, Ehdr, e_phoff);
	im.phnum = get_half(
		head + (im.is_64 ? offsetof(Elf64_Ehdr, e_phnum) : offsetof(Elf32_Ehdr, e_phnum)));
	phentsize = get_half(head + (im.is_64 ? offsetof(Elf64_Ehdr, e_phentsize)
	                                      : offsetof(Elf32_Ehdr, e_phentsize)));
	if ((im.type != ET_EXEC && im.type != ET_DYN) || im.phnum == 0 ||
	    phentsize != (im.is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)))
		err = -ENOEXEC;
	else
		err = walk(&im, NULL);
	if (err == 0 && im.interp.type == PT_INTERP)
		err = get_loader(&im, out);
	if (err == 0)
		read_dynamic(&im, &dynamic);
	if (err < 0)
		set_fails(out, err);
	else if (im.is_go)
		set_unreachable(out, TARGET_WHY_GO);
	else if (im.interp.type == PT_INTERP && !elf_is_glibc_loader(out->loader))
		set_unreachable(out, TARGET_WHY_LOADER);
	else if (im.interp.type != PT_INTERP && !is_loader(&im, &dynamic))
		set_unreachable(out, TARGET_WHY_STATIC);
	else if (dynamic.audits)
		set_unreachable(out, TARGET_WHY_AUDIT);
	else
		out->is_loader = im.interp.type != PT_INTERP;
}

const char *elf_own_loader(void)
{
	const ElfW(Phdr) *ph = (const ElfW(Phdr) *)getauxval(AT_PHDR);
	unsigned long n = getauxval(AT_PHNUM);
	const char *base = NULL;

	for (unsigned long i = 0; ph && i < n; i++)
		if (ph[i].p_type == PT_PHDR)
			base = (const char *)ph - ph[i].p_vaddr;
	for (unsigned long i = 0; base && i < n; i++)
		if (ph[i].p_type == PT_INTERP)
			return base + ph[i].p_vaddr;
	return NULL;
}

bool elf_is_for(const char *path, uint8_t class, uint16_t machine)
{
	uint8_t head[ELF_HEAD] = { 0 };
	int fd = file_open(path);
	ssize_t n;

	if (fd < 0)
		return false;
	n = file_read(fd, head, sizeof(head), 0);
	close(fd);
	return n == sizeof(head) && memcmp(head, ELFMAG, SELFMAG) == 0 && head[EI_CLASS] == class &&
	       head[EI_DATA] == NATIVE_DATA &&
	       get_half(head + offsetof(Elf64_Ehdr, e_machine)) == machine;
}
