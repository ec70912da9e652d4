/* What an ELF program says of itself: machine, loader, its own name, who made it. */
#ifndef LAUNCH_ELF_H
#define LAUNCH_ELF_H

#include <launch/target.h>

#define ELF_HEAD 64 /* octets of the largest file header */

/*
 * @head, @len  the file's first octets, at least ELF_HEAD, zeros beyond @len
 * @fd          the file; what is not in @head is read by pread(2)
 * @out         the ELF part is written, and kind, why and err: TARGET_DYNAMIC,
 *              TARGET_UNREACHABLE or TARGET_FAILS
 *
 * Whether the loader is there is not looked at.
 */
void elf_judge(int fd, const uint8_t *head, size_t len, struct target *out);

/* Is this the name of a program loader of glibc: it obeys LD_PRELOAD, and has glibc to offer. */
bool elf_is_glibc_loader(const char *path);

/* The loader of the process that this runs in; NULL where it was itself run as a command. */
const char *elf_own_loader(void);

/* Is it an ELF file of this class and machine; nothing else is looked at. */
bool elf_is_for(const char *path, uint8_t class, uint16_t machine);

#endif
