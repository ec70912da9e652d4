/*
 * How it works: a new table is written whole into a file without a name and given its name by linkat(2),
 * so that nobody ever sees half of one; whoever comes second finds the name taken and opens that file. The
 * address range of the whole table is mapped at once and the descriptor closed. The shared flock(2) taken
 * before belongs to the open file, which the mapping holds: table_collect() sees by it that the table is
 * in use, until the last process that maps it is gone, however it went.
 *
 * The file is sparse. A hole that is touched while the tmpfs is full raises SIGBUS, in reading too, so
 * memory is asked for before: by MADV_POPULATE_WRITE, which answers with an error and needs neither path
 * nor descriptor (a program may have changed its root or its user since), and on kernels before 5.14 by
 * fallocate(2) on the file opened anew.
 */
#include "table_file.h"

#include <errno.h>
#include <fcntl.h>
#include <names/pool.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* since Linux 5.14, glibc 2.35 */
#endif

#define HEAD_SIZE  4096u
#define PEERS_SIZE (PEERS_KNOWN * sizeof(struct table_peer))
#define FIXED_SIZE (HEAD_SIZE + PEERS_SIZE)

/* How often to look again at a file that is just being collected, a millisecond apart. */
#define OPEN_TRIES 50

#define OPEN_FLAGS (O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/* 17 MB of addresses; memory only for what is used. */
static const struct table_geometry full_size = { POOL_SLOTS, 16384, 16u << 20 };

/* Where the address space is limited (RLIMIT_AS). */
static const struct table_geometry small_size = { 4096, 1024, 256u << 10 };

_Static_assert(sizeof(struct table_head) <= HEAD_SIZE, "the head fits");

static size_t round_up(size_t n, size_t unit)
{
	return (n + unit - 1) / unit * unit;
}

static size_t size_of(const struct table_geometry *g)
{
	return FIXED_SIZE + (size_t)g->buckets * 4 + (size_t)g->slots * 4 + g->records;
}

/* Map a file, or with @fd -1 anonymous memory, and put a struct table before it. */
static int map(int fd, const struct table_geometry *g, struct table **out)
{
	size_t own = round_up(sizeof(struct table), (size_t)sysconf(_SC_PAGESIZE));
	size_t size = size_of(g);
	int flags = MAP_SHARED | MAP_FIXED | (fd < 0 ? MAP_ANONYMOUS | MAP_NORESERVE : 0);
	char *base = mmap(NULL, own + size, PROT_READ | PROT_WRITE,
	                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct table *t;
	int err;

	if (base == MAP_FAILED)
		return -errno;
	if (mmap(base + own, size, PROT_READ | PROT_WRITE, flags, fd, 0) == MAP_FAILED) {
		err = -errno;
		munmap(base, own + size);
		return err;
	}
	t = (struct table *)(void *)base;
	t->geometry = *g;
	t->head = (struct table_head *)(void *)(base + own);
	t->peers = (struct table_peer *)(void *)(base + own + HEAD_SIZE);
	t->buckets = (_Atomic uint32_t *)(void *)(base + own + FIXED_SIZE);
	t->slots = t->buckets + g->buckets;
	t->slots_at = FIXED_SIZE + (size_t)g->buckets * 4;
	t->records_at = t->slots_at + (size_t)g->slots * 4;
	t->size = size;
	t->map_len = own + size;
	*out = t;
	return 0;
}

static int note_file(struct table *t, const char *path, const struct stat *st)
{
	size_t len = strlen(path);

	if (len >= sizeof(t->path))
		return -ENAMETOOLONG;
	memcpy(t->path, path, len + 1);
	t->dev = st->st_dev;
	t->ino = st->st_ino;
	return 0;
}

static int open_retry(int dir, const char *path, int flags)
{
	int fd;

	do
		fd = openat(dir, path, flags, S_IRUSR | S_IWUSR);
	while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

static int allocate(int fd, size_t at, size_t len)
{
	int r;

	do
		r = fallocate(fd, 0, (off_t)at, (off_t)len);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

/* The file of a table once more, if it still has its name. */
static int reopen(const struct table *t)
{
	int fd = open_retry(AT_FDCWD, t->path, OPEN_FLAGS);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) == 0 && st.st_dev == t->dev && st.st_ino == t->ino)
		return fd;
	close(fd);
	return -ESTALE;
}

/* @fd  the file where it is open, else -1 */
static int back(const struct table *t, int fd, size_t at, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), begin = at / page * page;
	size_t end = round_up(at + len, page);
	int saved = errno, again, err;

	if (madvise((char *)t->head + begin, end - begin, MADV_POPULATE_WRITE) == 0)
		return 0;
	err = errno == EINVAL ? 0 : -ENOSPC;
	if (err == 0) {
		again = fd < 0 ? reopen(t) : fd;
		if (again < 0 || allocate(again, at, len) < 0)
			err = -ENOSPC;
		if (again >= 0 && again != fd)
			close(again);
	}
	errno = saved;
	return err;
}

int table_file_back(const struct table *t, size_t at, size_t len)
{
	int cancel, err;

	/* Anonymous memory is charged as it is touched, and never ends in a SIGBUS. */
	if (t->path[0] == '\0')
		return 0;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	err = back(t, -1, at, len);
	pthread_setcancelstate(cancel, &cancel);
	return err;
}

static void head_init(struct table *t, uint32_t slots_grown, uint32_t records_grown)
{
	struct table_head *head = t->head;
	struct timespec now;

	memcpy(head->magic, TABLE_MAGIC, sizeof(head->magic));
	head->version = TABLE_VERSION;
	head->geometry = t->geometry;
	if (getrandom(&head->seed, sizeof(head->seed), GRND_NONBLOCK) != sizeof(head->seed)) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		head->seed = (uint64_t)now.tv_nsec << 32 ^ (uint64_t)getpid();
	}
	atomic_store(&head->next_slot, 1);
	atomic_store(&head->records_used, 0);
	atomic_store(&head->slots_grown, slots_grown);
	atomic_store(&head->records_grown, records_grown);
}

struct table *table_file_private(void)
{
	struct table *t = NULL;

	if (map(-1, &full_size, &t) < 0 && map(-1, &small_size, &t) < 0)
		return NULL;
	head_init(t, t->geometry.slots * 4, t->geometry.records);
	return t;
}

/* Has the head what a table of this version can have, and the file memory for all that it says. */
static int check(const struct table *t, int fd, const struct stat *st)
{
	const struct table_head *head = t->head;
	uint32_t slots = atomic_load(&head->slots_grown), used = atomic_load(&head->records_used);
	uint32_t records = atomic_load(&head->records_grown), next = atomic_load(&head->next_slot);

	if (memcmp(head->magic, TABLE_MAGIC, sizeof(head->magic)) != 0 ||
	    head->version != TABLE_VERSION ||
	    memcmp(&head->geometry, &t->geometry, sizeof(t->geometry)) != 0 || next == 0 ||
	    slots > t->geometry.slots * 4 || next > slots / 4 || records > t->geometry.records ||
	    used > records)
		return -EBADMSG;
	if ((uint64_t)st->st_blocks * 512 >= t->slots_at + slots + records)
		return 0;
	if (allocate(fd, 0, t->slots_at + slots) < 0 || allocate(fd, t->records_at, records) < 0)
		return -EBADMSG;
	return 0;
}

/* Returns 0, -ENOENT where there is none, -EAGAIN where it is just being removed, or what is wrong. */
static int open_existing(const char *path, struct table **out)
{
	struct table *t = NULL;
	struct stat st;
	int fd = open_retry(AT_FDCWD, path, OPEN_FLAGS), err = 0;

	if (fd < 0)
		return fd;
	if (flock(fd, LOCK_SH | LOCK_NB) < 0)
		err = errno == EWOULDBLOCK ? -EAGAIN : -errno;
	else if (fstat(fd, &st) < 0)
		err = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0)
		err = -EPERM;
	else if (st.st_nlink == 0)
		err = -EAGAIN;
	else if (st.st_size != (off_t)size_of(&full_size) || st.st_blocks * 512 < HEAD_SIZE)
		err = -EBADMSG;
	if (err == 0)
		err = map(fd, &full_size, &t);
	if (err == 0)
		err = check(t, fd, &st);
	if (err == 0)
		err = note_file(t, path, &st);
	close(fd);
	if (err < 0)
		table_close(t);
	else
		*out = t;
	return err;
}

/*
 * The folder of @path as a descriptor, made where it is missing, if it is ours or the system's and nobody
 * else can rename what is in it. @base is set to the file's name in it.
 */
static int open_folder(const char *path, const char **base)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];
	struct stat st;
	size_t len;
	int fd;

	if (!slash || slash == path || slash[1] == '\0')
		return -EINVAL;
	len = (size_t)(slash - path);
	if (len >= sizeof(folder))
		return -ENAMETOOLONG;
	memcpy(folder, path, len);
	folder[len] = '\0';
	fd = open_retry(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -ENOENT && (mkdir(folder, S_IRWXU) == 0 || errno == EEXIST))
		fd = open_retry(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || (st.st_uid != geteuid() && st.st_uid != 0) ||
	    ((st.st_mode & (S_IWGRP | S_IWOTH)) && !(st.st_mode & S_ISVTX))) {
		close(fd);
		return -EPERM;
	}
	*base = slash + 1;
	return fd;
}

/* Size, lock, memory and head of a new file that has no name yet, or a temporary one. */
static int fill(int fd, const char *path, struct table **out)
{
	struct table *t = NULL;
	struct stat st;
	int err;

	/* The mode is not the umask's to decide. */
	if (fchmod(fd, S_IRUSR | S_IWUSR) < 0 || ftruncate(fd, (off_t)size_of(&full_size)) < 0 ||
	    flock(fd, LOCK_SH | LOCK_NB) < 0 || fstat(fd, &st) < 0)
		return -errno;
	err = map(fd, &full_size, &t);
	if (err == 0)
		err = note_file(t, path, &st);
	if (err == 0)
		err = back(t, fd, 0, t->slots_at + TABLE_STEP);
	if (err == 0)
		err = back(t, fd, t->records_at, TABLE_STEP);
	if (err < 0) {
		table_close(t);
		return err;
	}
	head_init(t, TABLE_STEP, TABLE_STEP);
	*out = t;
	return 0;
}

/* A file without a name, named by way of /proc. */
static int create_unnamed(int folder, const char *base, const char *path, struct table **out)
{
	int fd = open_retry(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC), err;
	char self[40];

	if (fd < 0)
		return fd;
	err = fill(fd, path, out);
	if (err == 0) {
		snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
		if (linkat(AT_FDCWD, self, folder, base, AT_SYMLINK_FOLLOW) < 0) {
			err = -errno;
			table_close(*out);
		}
	}
	close(fd);
	return err;
}

/* Where the file system knows no such files, or /proc is missing: a name of its own first. */
static int create_named(int folder, const char *base, const char *path, struct table **out)
{
	char draft[NAME_MAX + 1];
	struct timespec now;
	int fd, err;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (snprintf(draft, sizeof(draft), "%s.%lx.%lx", base, (unsigned long)getpid(),
	             (unsigned long)now.tv_nsec) >= (int)sizeof(draft))
		return -ENAMETOOLONG;
	fd = open_retry(folder, draft, OPEN_FLAGS | O_CREAT | O_EXCL);
	if (fd < 0)
		return fd;
	err = fill(fd, path, out);
	if (err == 0 && linkat(folder, draft, folder, base, 0) < 0) {
		err = -errno;
		table_close(*out);
	}
	unlinkat(folder, draft, 0);
	close(fd);
	return err;
}

static int create(const char *path, struct table **out)
{
	struct rlimit limit;
	const char *base;
	int folder, err;

	/* ftruncate(2) beyond it raises SIGXFSZ. */
	if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
	    limit.rlim_cur < size_of(&full_size))
		return -EFBIG;
	folder = open_folder(path, &base);
	if (folder < 0)
		return folder;
	err = create_unnamed(folder, base, path, out);
	if (err == -EOPNOTSUPP || err == -EISDIR || err == -EINVAL || err == -ENOENT)
		err = create_named(folder, base, path, out);
	close(folder);
	return err;
}

int table_file_open(const char *path, struct table **out)
{
	const struct timespec millisecond = { .tv_nsec = 1000000 };
	int err = -EAGAIN;

	for (int i = 0; i < OPEN_TRIES; i++) {
		err = open_existing(path, out);
		if (err == -ENOENT)
			err = create(path, out);
		if (err == -EAGAIN)
			nanosleep(&millisecond, NULL);
		else if (err != -EEXIST)
			return err;
	}
	return err;
}
