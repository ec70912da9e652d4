/*
 * How it works: a new table is written whole into a file without a name and given its name by
 * linkat(2), so that nobody ever sees half of one; whoever comes second finds the name taken and
 * opens that file. The address range of the whole table is mapped at once and the descriptor
 * closed. The shared flock(2) taken before belongs to the open file, which the mapping holds:
 * table_collect() sees by it that the table is in use, until the last process that maps it is gone,
 * however it went.
 */
#include "table_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

/*
 * Where a file system has less than this left for a new table, the first names would fill it: their
 * table is rather a private one.
 */
#define LEAST_ROOM (128u << 10)

/* How often to look again at a file that is just being collected, a millisecond apart. */
#define OPEN_TRIES 50

/* Of a table: where the address space is limited (RLIMIT_AS), and of the least. */
#define SMALL_SLOTS   4096
#define BUCKETS_LEAST (TABLE_PAGE / 4)
#define RECORDS_LEAST (64u << 10)

/* Of the buckets, each with a bit of its own in the head. */
#define PARTS_MAX 32

_Static_assert(sizeof(struct table_head) == 128, "slots begin in a cache line of their own");
/* Programs of both classes are of one session, and i386 has 64-bit numbers at multiples of four. */
_Static_assert(offsetof(struct table_head, seed) == 24 &&
                       offsetof(struct table_head, given) == 64 &&
                       offsetof(struct table_record, name) == 13,
               "the same file for 32 bits as for 64");

/* Octets for each slot's record; names are shorter by far. */
#define RECORD_MEAN 128

/* 17 MB of addresses for the default pool; memory only for what is used. */
static struct table_geometry geometry_for(uint32_t slots)
{
	struct table_geometry g = { slots, slots / 8, slots * RECORD_MEAN };

	if (g.buckets < BUCKETS_LEAST)
		g.buckets = BUCKETS_LEAST;
	if (g.records < RECORDS_LEAST)
		g.records = RECORDS_LEAST;
	return g;
}

static struct table_geometry full_size(void)
{
	return geometry_for(pool_slots());
}

/* A part is a page, but of large tables, which have too many of them. */
static uint32_t part_shift(const struct table_geometry *g)
{
	uint32_t shift = 0;

	while (4u << shift < TABLE_PAGE || g->buckets >> shift > PARTS_MAX)
		shift++;
	return shift;
}

/* Where each part of the file begins. Returns where the last one ends. */
static uint32_t lay_out(struct table *t, const struct table_geometry *g)
{
	const uint32_t len[TABLE_AREAS] = {
		[TABLE_SLOTS] = g->slots * 4,
		[TABLE_PEERS] = PEERS_KNOWN * sizeof(struct table_peer),
		[TABLE_DIRECT] = TABLE_DIRECT_LEN,
		[TABLE_RECORDS] = g->records,
	};
	uint32_t at = sizeof(struct table_head);

	for (int i = 0; i < TABLE_AREAS; i++) {
		t->areas[i] = (struct table_area){ at, len[i] };
		at = (at + len[i] + TABLE_PAGE - 1) / TABLE_PAGE * TABLE_PAGE;
		if (i == TABLE_SLOTS) {
			t->buckets_at = at;
			at += g->buckets * 4;
		}
	}
	t->end_at = at;
	t->geometry = *g;
	t->part_shift = part_shift(g);
	return at + TABLE_PAGE;
}

static size_t size_of(const struct table_geometry *g)
{
	static const struct table none;
	struct table t = none;

	return lay_out(&t, g);
}

/* Map a file, or with @fd -1 anonymous memory, and put a struct table before it. */
static int map(int fd, const struct table_geometry *g, struct table **out)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t own = (sizeof(struct table) + page - 1) / page * page, size = size_of(g);
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
	lay_out(t, g);
	base += own;
	t->head = (struct table_head *)(void *)base;
	t->slots = (_Atomic uint32_t *)(void *)(base + t->areas[TABLE_SLOTS].at);
	t->buckets = (_Atomic uint32_t *)(void *)(base + t->buckets_at);
	t->peers = (struct table_peer *)(void *)(base + t->areas[TABLE_PEERS].at);
	t->direct = (struct table_direct *)(void *)(base + t->areas[TABLE_DIRECT].at);
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

/* @everything  all memory is there, or will be without being asked for */
static void head_init(struct table *t, bool everything)
{
	struct table_head *head = t->head;
	uint64_t random[2];
	struct timespec now;
	uint32_t shared;

	memcpy(head->magic, TABLE_MAGIC, sizeof(head->magic));
	head->version = TABLE_VERSION;
	head->geometry = t->geometry;
	pool_id(head->pool);
	if (getrandom(random, sizeof(random), GRND_NONBLOCK) != sizeof(random)) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		random[0] = (uint64_t)now.tv_nsec << 32 ^ (uint64_t)getpid();
		random[1] = (uint64_t)now.tv_nsec + (uint64_t)now.tv_sec;
	}
	head->seed = random[0];
	/* A range of one address has no slot to give. */
	head->first = t->geometry.slots > 1 ? (uint32_t)(random[1] % (t->geometry.slots - 1)) + 1
	                                    : 1;
	t->first = head->first;
	if (everything) {
		atomic_store(&head->bucket_parts, UINT32_MAX);
		for (int i = 0; i < TABLE_AREAS; i++)
			atomic_store(&head->backed[i], t->areas[i].len);
	} else {
		/* The slots that share the head's page. */
		shared = TABLE_PAGE - t->areas[TABLE_SLOTS].at;
		if (shared > t->areas[TABLE_SLOTS].len)
			shared = t->areas[TABLE_SLOTS].len;
		atomic_store(&head->backed[TABLE_SLOTS], shared);
	}
}

struct table *table_file_private(void)
{
	struct table_geometry full = full_size(), small = geometry_for(SMALL_SLOTS);
	struct table *t = NULL;

	if (map(-1, &full, &t) < 0 && (full.slots <= small.slots || map(-1, &small, &t) < 0))
		return NULL;
	t->home = TABLE_PRIVATE;
	head_init(t, true);
	return t;
}

int table_file_leave(struct table *t)
{
	enum table_home home = TABLE_IN_FILE;
	size_t own = (size_t)((char *)t->head - (char *)t);
	struct table *fresh;
	int err;

	if (!atomic_compare_exchange_strong(&t->home, &home, TABLE_LEAVES_FILE))
		return home == TABLE_PRIVATE ? 0 : -EAGAIN;
	err = map(-1, &t->geometry, &fresh);
	if (err == 0) {
		head_init(fresh, true);
		/* Before it is seen: who is in the midst of a call has lost his memory anyway. */
		t->first = fresh->first;
		if (mremap(fresh->head, t->map_len - own, t->map_len - own,
		           MREMAP_MAYMOVE | MREMAP_FIXED, t->head) == MAP_FAILED)
			err = -errno;
		munmap(fresh, err < 0 ? fresh->map_len : own);
	}
	t->home = err < 0 ? TABLE_IN_FILE : TABLE_PRIVATE;
	return err < 0 ? err : -ESTALE;
}

/* Has the head what a table of this version can have? */
static bool is_sound(const struct table *t)
{
	const struct table_head *head = t->head;
	uint32_t given = atomic_load(&head->given), used = atomic_load(&head->records_used);
	uint32_t parts = t->geometry.buckets >> t->part_shift;

	if (memcmp(&head->geometry, &t->geometry, sizeof(t->geometry)) != 0 || head->first == 0 ||
	    (head->first >= t->geometry.slots && head->first != 1))
		return false;
	for (int i = 0; i < TABLE_AREAS; i++)
		if (atomic_load(&head->backed[i]) > t->areas[i].len)
			return false;
	return given < t->geometry.slots && given <= atomic_load(&head->backed[TABLE_SLOTS]) / 4 &&
	       used <= atomic_load(&head->backed[TABLE_RECORDS]) &&
	       (uint64_t)atomic_load(&head->bucket_parts) >> parts == 0;
}

static uint32_t pages(uint32_t octets)
{
	return (octets + TABLE_PAGE - 1) / TABLE_PAGE;
}

/* Has the file memory for all that its head says, or can it be had? */
static int check_memory(const struct table *t, int fd, const struct stat *st)
{
	uint32_t bits = atomic_load(&t->head->bucket_parts), backed[TABLE_AREAS], said;
	uint32_t part = 4u << t->part_shift, parts = t->geometry.buckets >> t->part_shift;
	int err = 0;

	for (int i = 0; i < TABLE_AREAS; i++)
		backed[i] = atomic_load(&t->head->backed[i]);
	said = pages(t->areas[TABLE_SLOTS].at + backed[TABLE_SLOTS]) + pages(backed[TABLE_PEERS]) +
	       pages(backed[TABLE_DIRECT]) + pages(backed[TABLE_RECORDS]) + 1 +
	       (uint32_t)__builtin_popcount(bits) * (part / TABLE_PAGE);
	if ((uint64_t)st->st_blocks * 512 >= (uint64_t)said * TABLE_PAGE)
		return 0;
	for (int i = 0; i < TABLE_AREAS && err == 0; i++)
		if (backed[i] > 0)
			err = table_allocate(fd, t->areas[i].at, backed[i]);
	for (uint32_t i = 0; i < parts && err == 0; i++)
		if (bits >> i & 1)
			err = table_allocate(fd, t->buckets_at + i * part, part);
	return err < 0 ? err : table_allocate(fd, t->end_at, TABLE_PAGE);
}

static int check(struct table *t, int fd, const struct stat *st)
{
	if (!is_sound(t) || check_memory(t, fd, st) < 0)
		return -EBADMSG;
	t->first = t->head->first;
	return 0;
}

/* Whose is it? Its size follows the pool, so this is asked before it is mapped. */
static int check_kind(int fd)
{
	struct table_head head;
	uint8_t pool[POOL_ID_LEN];

	if (pread(fd, &head, sizeof(head), 0) != sizeof(head) ||
	    memcmp(head.magic, TABLE_MAGIC, sizeof(head.magic)) != 0 ||
	    head.version != TABLE_VERSION)
		return -EBADMSG;
	pool_id(pool);
	return memcmp(head.pool, pool, sizeof(pool)) == 0 ? 0 : -EDOM;
}

/*
 * Returns 0, -ENOENT where there is none, -EAGAIN where it is just being removed, or what is wrong.
 */
static int open_existing(const char *path, struct table **out)
{
	const struct table_geometry full = full_size();
	struct table *t = NULL;
	struct stat st;
	int fd = table_open_file(AT_FDCWD, path, TABLE_OPEN_FLAGS), err = 0;

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
	else
		err = check_kind(fd);
	if (err == 0 && (st.st_size != (off_t)size_of(&full) || st.st_blocks * 512 < TABLE_PAGE))
		err = -EBADMSG;
	if (err == 0)
		err = map(fd, &full, &t);
	if (err == 0)
		err = check(t, fd, &st);
	if (err == 0)
		err = note_file(t, path, &st);
	/* For table_collect(): opened now, and not marked as unused any more. */
	if (err == 0)
		futimens(fd, NULL);
	close(fd);
	if (err < 0)
		table_close(t);
	else
		*out = t;
	return err;
}

/*
 * The folder of @path as a descriptor, made where it is missing, if it is ours or the system's and
 * nobody else can rename what is in it. @base is set to the file's name in it.
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
	fd = table_open_file(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -ENOENT && strcmp(folder, TABLE_SHARED_FOLDER) != 0) {
		if (mkdir(folder, S_IRWXU) < 0 && errno != EEXIST)
			return -errno;
		fd = table_open_file(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
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

static bool has_room(int fd)
{
	struct statvfs fs;

	/* A tmpfs without a limit has 0 blocks. */
	return fstatvfs(fd, &fs) < 0 || fs.f_blocks == 0 ||
	       (uint64_t)fs.f_bavail * fs.f_bsize >= LEAST_ROOM;
}

/* Size, lock, memory and head of a new file that has no name yet, or a temporary one. */
static int fill(int fd, const char *path, struct table **out)
{
	const struct table_geometry full = full_size();
	struct table *t = NULL;
	struct stat st;
	int err;

	/* The mode is not the umask's to decide. */
	if (fchmod(fd, S_IRUSR | S_IWUSR) < 0 || ftruncate(fd, (off_t)size_of(&full)) < 0 ||
	    flock(fd, LOCK_SH | LOCK_NB) < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!has_room(fd))
		return -ENOSPC;
	err = map(fd, &full, &t);
	if (err == 0)
		err = note_file(t, path, &st);
	if (err == 0)
		err = table_back_at(t, fd, 0, TABLE_PAGE);
	if (err == 0)
		err = table_back_at(t, fd, t->end_at, TABLE_PAGE);
	if (err < 0) {
		table_close(t);
		return err;
	}
	head_init(t, false);
	*out = t;
	return 0;
}

/* A file without a name, named by way of /proc. */
static int create_unnamed(int folder, const char *base, const char *path, struct table **out)
{
	int fd = table_open_file(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC), err;
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
	fd = table_open_file(folder, draft, TABLE_OPEN_FLAGS | O_CREAT | O_EXCL);
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
	const struct table_geometry full = full_size();
	struct rlimit limit;
	const char *base;
	int folder, err;

	/* ftruncate(2) beyond it raises SIGXFSZ. */
	if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
	    limit.rlim_cur < size_of(&full))
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
