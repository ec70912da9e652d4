/*
 * What a program file is: can the library get into it, or what stands in the way. Judged as the
 * kernel would execute it: through "#!" lines to the file that is loaded, with the loader that
 * this one asks for.
 *
 * Opens, reads and closes files, one at a time; allocates nothing and takes no lock, so that the
 * child of a vfork may ask. Needs some 4 KiB of stack.
 *
 * Not seen: interpreters of binfmt_misc, but for files of another machine, and security modules
 * that set AT_SECURE for reasons of their own.
 */
#ifndef LAUNCH_TARGET_H
#define LAUNCH_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A "#!" line gives at most 253 octets (the kernel's BINPRM_BUF_SIZE is 256). */
#define TARGET_NAME_MAX 256

/* Interpreters of interpreters; one more is ELOOP (the kernel's exec_binprm). */
#define TARGET_SCRIPTS_MAX 5

enum target_kind {
	/* Of glibc's dynamic loader; for which class of library: see launch/entry.h. */
	TARGET_DYNAMIC,
	/* The loader would ignore LD_PRELOAD, or there is none, or can't know: ->why. */
	TARGET_UNREACHABLE,
	/* Would gain privileges, hence ignore LD_PRELOAD (AT_SECURE): ->why. */
	TARGET_PRIVILEGED,
	/* execve fails: ->err. With -ENOEXEC and a text file execvp runs /bin/sh instead. */
	TARGET_FAILS,
};

enum target_why {
	TARGET_WHY_NONE,
	TARGET_WHY_STATIC,     /* no loader at all; static-pie, too */
	TARGET_WHY_LOADER,     /* another libc's: ->loader */
	TARGET_WHY_MACHINE,    /* of a machine that only an emulator runs: ->machine */
	TARGET_WHY_GO,         /* calls the kernel itself, even where it is linked with libc */
	TARGET_WHY_AUDIT,      /* the loader's --audit: of a library with a libc of its own */
	TARGET_WHY_UNREADABLE, /* may be executed and not read, so who knows; ->err: why */
	TARGET_WHY_CAPS,       /* file capabilities; UNREACHABLE where no_new_privs voids them */
	TARGET_WHY_SETUID,     /* of ->uid */
	TARGET_WHY_SETGID,     /* of ->gid */
	TARGET_WHY_IDS,        /* our own real and effective ids differ */
};

struct target {
	enum target_kind kind;
	enum target_why why;
	int err;          /* negative errno */
	unsigned scripts; /* "#!" lines on the way */
	bool is_elf;      /* what follows is known */
	bool is_native;   /* of this very class and machine */
	bool is_loader;   /* glibc's loader itself, to be run as a command */
	bool is_idle;     /* as which it executes nothing; of target_judge_loaded() */
	uint8_t class;    /* ELFCLASS32 or ELFCLASS64 */
	uint16_t machine; /* EM_X86_64, ... */
	uid_t uid;
	gid_t gid;
	char program[TARGET_NAME_MAX]; /* what the last "#!" line names; "" without one */
	/* What a loader run as a command is to load, borrowed from its arguments; or NULL. */
	const char *loads;
	/* PT_INTERP, "" where there is none, or where it is longer and nobody's that we know. */
	char loader[TARGET_NAME_MAX];
};

/*
 * Judge the file that execve(path) would load, by this process's ids and working directory. errno
 * is left as it was.
 */
void target_judge(const char *path, struct target *out);

/*
 * A loader that is run as a command (->is_loader) is what it loads: to be called with what it will
 * get, after @out was judged. Nothing is done about others. @argv and @envp may be NULL.
 */
void target_judge_loaded(struct target *out, char *const argv[], char *const envp[]);

/*
 * target_judge() for execvp(@file): the first place of @path (PATH's value, or NULL) that can be
 * executed is written to @place. Where there is none, @out is of TARGET_FAILS with execvp's errno,
 * and @place the file that it is about, or "" where there is no such file.
 *
 * @cap  PATH_MAX + NAME_MAX + 2 holds whatever can be found
 */
void target_find(const char *file, const char *path, char *place, size_t cap, struct target *out);

#endif
