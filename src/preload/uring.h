/* May a program have rings of io_uring? */
#ifndef PRELOAD_URING_H
#define PRELOAD_URING_H

#include <stdbool.h>

/* By SOCKSIFY_IO_URING; that it is so is told once for each process, when it first is asked. */
bool uring_is_allowed(void);

#endif
