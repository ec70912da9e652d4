/* Another preload, which takes the function that it wraps from libc itself. */
#include <dlfcn.h>
#include <sys/socket.h>

int behind_calls;

/* The headers' own declaration has a transparent union for the address. */
int behind_connect(int fd, const struct sockaddr *sa, socklen_t len) __asm__("connect");

int behind_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
	int (*libcs)(int fd, const struct sockaddr *sa, socklen_t len);

	*(void **)&libcs = dlsym(dlopen("libc.so.6", RTLD_LAZY), "connect");
	/* A call of itself would not end. */
	if (__atomic_add_fetch(&behind_calls, 1, __ATOMIC_RELAXED) > 100)
		return -1;
	return libcs(fd, sa, len);
}
