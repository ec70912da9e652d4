/* The version of the symbols that libc has had from its first day on this machine. */
#ifndef PLUGIN_VERSION_H
#define PLUGIN_VERSION_H

#if defined(__x86_64__) && defined(__LP64__)
#define FIRST_VERSION "GLIBC_2.2.5"
#elif defined(__i386__)
#define FIRST_VERSION "GLIBC_2.0"
#elif defined(__aarch64__)
#define FIRST_VERSION "GLIBC_2.17"
#elif defined(__riscv)
#define FIRST_VERSION "GLIBC_2.27"
#else
#define FIRST_VERSION "GLIBC_2.4"
#endif

#endif
