/* As much of liburing as the library stands before. */
#include <stddef.h>

int io_uring_queue_init(unsigned entries, void *ring, unsigned flags);
int io_uring_queue_init_params(unsigned entries, void *ring, void *params);
int io_uring_queue_init_mem(unsigned entries, void *ring, void *params, void *buf, size_t len);
int io_uring_setup(unsigned entries, void *params);

int io_uring_queue_init(unsigned entries, void *ring, unsigned flags)
{
	return ring ? -1 : (int)(1000 + entries + flags);
}

int io_uring_queue_init_params(unsigned entries, void *ring, void *params)
{
	return ring || params ? -1 : (int)(2000 + entries);
}

int io_uring_queue_init_mem(unsigned entries, void *ring, void *params, void *buf, size_t len)
{
	return ring || params || buf ? -1 : (int)(3000 + entries + len);
}

int io_uring_setup(unsigned entries, void *params)
{
	return params ? -1 : (int)(4000 + entries);
}
