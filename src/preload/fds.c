#include "fds.h"

#include "real.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CHUNK_ENTRIES 512
#define CHUNKS        2048 /* 1,048,576 descriptors, the kernel's own default limit (fs.nr_open) */

struct chunk {
	struct fd_entry entries[CHUNK_ENTRIES];
};

static _Atomic(struct chunk *) chunks[CHUNKS];

struct fd_entry *fds_find(int fd)
{
	struct chunk *c;

	if (fd < 0 || fd >= CHUNKS * CHUNK_ENTRIES)
		return NULL;
	c = atomic_load_explicit(&chunks[fd / CHUNK_ENTRIES], memory_order_acquire);
	return c ? &c->entries[fd % CHUNK_ENTRIES] : NULL;
}

static void add_chunk(size_t i)
{
	struct chunk *none = NULL, *c;
	int saved = errno;

	/* Zeros are what nobody knows anything of. */
	c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (c != MAP_FAILED && !atomic_compare_exchange_strong(&chunks[i], &none, c))
		munmap(c, sizeof(*c));
	errno = saved;
}

struct fd_entry *fds_make(int fd)
{
	struct fd_entry *e = fds_find(fd);

	if (e || fd < 0 || fd >= CHUNKS * CHUNK_ENTRIES)
		return e;
	add_chunk((size_t)fd / CHUNK_ENTRIES);
	return fds_find(fd);
}

int fds_next(int fd, unsigned flags)
{
	while (fd < CHUNKS * CHUNK_ENTRIES) {
		struct chunk *c = atomic_load_explicit(&chunks[fd / CHUNK_ENTRIES],
		                                       memory_order_acquire);

		for (int i = fd % CHUNK_ENTRIES; c && i < CHUNK_ENTRIES; i++, fd++)
			if (fds_has(&c->entries[i], flags))
				return fd;
		if (!c)
			fd += CHUNK_ENTRIES - fd % CHUNK_ENTRIES;
	}
	return -1;
}

/* As the kernel fills it (getdents64(2)). readdir() would allocate. */
struct directory_entry {
	uint64_t inode;
	int64_t offset;
	uint16_t len;
	uint8_t type;
	char name[];
};

bool fds_scan(bool (*fn)(int fd, void *arg), void *arg)
{
	_Alignas(struct directory_entry) char buf[2048];
	/* Not /proc/self, which is empty once the first thread has ended. */
	int dir = open("/proc/thread-self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool goes_on = true;
	long n;

	if (dir < 0)
		return false;
	while (goes_on &&
	       (n = real->syscall(SYS_getdents64, dir, (long)buf, sizeof(buf), 0, 0, 0)) > 0) {
		const struct directory_entry *d;

		for (long at = 0; goes_on && at < n; at += d->len) {
			d = (const struct directory_entry *)(buf + at);
			if (d->name[0] != '.' && atoi(d->name) != dir)
				goes_on = fn(atoi(d->name), arg);
		}
	}
	real->close(dir);
	return true;
}
