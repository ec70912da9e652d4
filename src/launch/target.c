#include <launch/target.h>

#include "elf.h"
#include "file.h"
#include "privilege.h"
#include "script.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <launch/search.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* At one go: a "#!" line, or headers, loader and notes of an ELF file as linkers lay them out. */
#define HEAD_MAX 1536

static void set_fails(struct target *t, int err)
{
	t->kind = TARGET_FAILS;
	t->err = err;
}

/* What do_open_execat() asks for: a regular file with leave to execute, its mount's too. */
static int may_execute(const char *path, struct stat *st)
{
	if (stat(path, st) < 0)
		return -errno;
	if (!S_ISREG(st->st_mode))
		return -EACCES;
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

/*
 * One file of the chain. Returns true where it is a script, with its interpreter in out->program.
 * @path may be out->program itself.
 */
static bool judge_file(const char *path, struct stat *st, struct target *out)
{
	uint8_t head[HEAD_MAX] = { 0 };
	const char *name;
	ssize_t n;
	int fd, len, err = may_execute(path, st);

	if (err < 0) {
		set_fails(out, err);
		return false;
	}
	fd = file_open(path);
	n = fd < 0 ? fd : file_read(fd, head, sizeof(head), 0);
	if (n < 0) {
		out->kind = TARGET_UNREACHABLE;
		out->why = TARGET_WHY_UNREADABLE;
		out->err = (int)n;
	} else if (memcmp(head, ELFMAG, SELFMAG) == 0) {
		elf_judge(fd, head, (size_t)n, out);
	} else {
		len = script_interpreter(head, &name);
		if (len > 0) {
			memcpy(out->program, name, (size_t)len);
			out->program[len] = '\0';
			out->scripts++;
			close(fd);
			return true;
		}
		set_fails(out, len < 0 ? len : -ENOEXEC);
	}
	if (fd >= 0)
		close(fd);
	return false;
}

/* Our own is there, or we were not. */
static void judge_loader(struct target *out)
{
	const char *own = elf_own_loader();
	struct stat st;
	int err;

	if (!out->loader[0] || (own && strcmp(own, out->loader) == 0))
		return;
	err = may_execute(out->loader, &st);
	if (err < 0)
		set_fails(out, err);
}

void target_judge(const char *path, struct target *out)
{
	int saved = errno;
	struct stat st;
	bool is_void;
	enum target_why gain;

	memset(out, 0, sizeof(*out));
	while (judge_file(path, &st, out)) {
		path = out->program;
		if (out->scripts > TARGET_SCRIPTS_MAX) {
			int err = may_execute(path, &st);

			set_fails(out, err < 0 ? err : -ELOOP);
			break;
		}
	}
	if (out->kind != TARGET_FAILS && out->why != TARGET_WHY_MACHINE)
		judge_loader(out);
	if (out->kind != TARGET_FAILS) {
		gain = privilege_gained(path, &st, &is_void);
		if (gain != TARGET_WHY_NONE && (!is_void || out->kind == TARGET_DYNAMIC)) {
			out->kind = is_void ? TARGET_UNREACHABLE : TARGET_PRIVILEGED;
			out->why = gain;
			out->uid = st.st_uid;
			out->gid = st.st_gid;
		}
	}
	errno = saved;
}

/* Is it about a file that is there, and not about one that isn't. */
static bool is_telling(const struct target *t)
{
	return t->err != -ENOENT || t->is_elf || t->scripts > 0;
}

void target_find(const char *file, const char *path, char *place, size_t cap, struct target *out)
{
	struct search s;
	int err;

	search_init(&s, file, path);
	while (search_next(&s, place, cap)) {
		target_judge(place, out);
		if (out->kind != TARGET_FAILS || out->err == -ENOEXEC ||
		    !search_goes_on(&s, out->err))
			return;
	}
	err = s.err;
	/* Once more, for the file that says why. */
	search_init(&s, file, path);
	while (search_next(&s, place, cap)) {
		target_judge(place, out);
		if (out->kind == TARGET_FAILS && out->err == err && is_telling(out))
			return;
	}
	place[0] = '\0';
	memset(out, 0, sizeof(*out));
	set_fails(out, err);
}
