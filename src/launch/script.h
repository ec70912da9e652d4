/* "#!" lines, as the kernel's binfmt_script reads them. */
#ifndef LAUNCH_SCRIPT_H
#define LAUNCH_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

#define SCRIPT_HEAD 256 /* octets that the kernel looks at */

/*
 * @head  the file's first octets, zeros after its end
 * @name  where the interpreter's name begins, not NUL-terminated; its argument is nobody's matter
 *
 * Returns the name's length, 0 where this is no script, or what execve fails with: -ENOEXEC or,
 * for an empty name, -EACCES.
 */
int script_interpreter(const uint8_t head[SCRIPT_HEAD], const char **name);

#endif
