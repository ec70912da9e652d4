/*
 * International names, as getaddrinfo()'s AI_IDN and getnameinfo()'s NI_IDN ask for them. libc
 * itself loads libidn2 at that very call, where it is installed; so does this.
 */
#ifndef PRELOAD_IDN_H
#define PRELOAD_IDN_H

#include <stdbool.h>

/* Has it only octets below 0x80: nothing to encode. */
bool idn_is_ascii(const char *name);

/*
 * A name in the locale's encoding as DNS has it ("xn--..."), and the other way round. Both return 0
 * with @out to be freed, EAI_MEMORY, or EAI_IDN_ENCODE: no such name, or no libidn2.
 */
int idn_encode(const char *name, char **out);
int idn_decode(const char *name, char **out);

#endif
