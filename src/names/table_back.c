/*
 * How it works: the file is sparse. A hole that is touched while the tmpfs is full raises SIGBUS,
 * in reading too, so memory is asked for before, and the head says how far each area has it: who
 * wants to write beyond has memory put there first and raises the mark then; who reads goes no
 * further than the mark. Dying in between leaves memory that nobody counts on. Names fall into any
 * part of the buckets, so each of these has a mark of its own.
 *
 * Memory is asked for by MADV_POPULATE_WRITE, which answers with an error and needs neither path
 * nor descriptor (a program may have changed its root or its user since), and on kernels before
 * 5.14 by fallocate(2) on the file opened anew.
 *
 * Whoever may write the file may also truncate it, by mistake rather than in malice, and what is
 * then gone is a SIGBUS to touch. The last page of the file is gone with anything else, so to ask
 * for it by MADV_POPULATE_READ says whether all is still there. What is truncated in the instant
 * between the question and the touch, or on kernels before 5.14, is the one case that is left.
 */
#include "table_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* since Linux 5.14, glibc 2.35 */
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

int table_open_file(int dir, const char *path, int flags)
{
	int fd;

	do
		fd = openat(dir, path, flags, S_IRUSR | S_IWUSR);
	while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

int table_allocate(int fd, size_t at, size_t len)
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
	int fd = table_open_file(AT_FDCWD, t->path, TABLE_OPEN_FLAGS);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) == 0 && st.st_dev == t->dev && st.st_ino == t->ino)
		return fd;
	close(fd);
	return -ESTALE;
}

int table_back_at(const struct table *t, int fd, size_t at, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), begin = at / page * page;
	size_t end = (at + len + page - 1) / page * page;
	int saved = errno, again, err;

	if (madvise((char *)t->head + begin, end - begin, MADV_POPULATE_WRITE) == 0)
		return 0;
	err = errno == EINVAL ? 0 : -ENOSPC;
	if (err == 0) {
		again = fd < 0 ? reopen(t) : fd;
		if (again < 0 || table_allocate(again, at, len) < 0)
			err = -ENOSPC;
		if (again >= 0 && again != fd)
			close(again);
	}
	errno = saved;
	return err;
}

static int back(const struct table *t, size_t at, size_t len)
{
	int cancel, err;

	/* Anonymous memory is charged as it is touched, and never ends in a SIGBUS. */
	if (t->home == TABLE_PRIVATE)
		return 0;
	/* open(2) and close(2) are cancellation points, and the caller may hold a lock. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	err = table_back_at(t, -1, at, len);
	pthread_setcancelstate(cancel, &cancel);
	return err;
}

int table_check(struct table *t)
{
	size_t page, begin;
	int saved = errno, err = 0;

	if (t->home == TABLE_PRIVATE)
		return 0;
	page = (size_t)sysconf(_SC_PAGESIZE);
	begin = t->end_at / page * page;
	if (madvise((char *)t->head + begin, page, MADV_POPULATE_READ) < 0 && errno == EFAULT)
		err = table_file_leave(t);
	errno = saved;
	return err;
}

uint32_t table_backed(const struct table *t, enum table_area_id id)
{
	uint32_t v = atomic_load_explicit(&t->head->backed[id], memory_order_acquire);

	return v < t->areas[id].len ? v : t->areas[id].len;
}

/* How far to go where @need octets are wanted and @now are there: as much again, up to a limit. */
static uint32_t goal_of(const struct table_area *area, uint32_t now, uint32_t need)
{
	uint32_t goal = now + (now < TABLE_STEP ? now : TABLE_STEP);

	if (goal < need)
		goal = need;
	goal = (area->at + goal + TABLE_PAGE - 1) / TABLE_PAGE * TABLE_PAGE - area->at;
	return goal < area->len ? goal : area->len;
}

int table_back(struct table *t, enum table_area_id id, uint32_t need)
{
	const struct table_area *area = &t->areas[id];
	uint32_t now = table_backed(t, id), goal;
	int err;

	if (need <= now)
		return 0;
	goal = goal_of(area, now, need);
	err = back(t, area->at + now, goal - now);
	if (err < 0)
		return err;
	/* Others may have grown it further meanwhile; it never shrinks. */
	while (now < goal && !atomic_compare_exchange_weak(&t->head->backed[id], &now, goal))
		;
	return 0;
}

bool table_bucket_is_backed(const struct table *t, uint32_t bucket)
{
	uint32_t bits = atomic_load_explicit(&t->head->bucket_parts, memory_order_acquire);

	return bits >> (bucket >> t->part_shift) & 1;
}

int table_back_bucket(struct table *t, uint32_t bucket)
{
	uint32_t part = bucket >> t->part_shift, len = 4u << t->part_shift;
	int err;

	if (table_bucket_is_backed(t, bucket))
		return 0;
	err = back(t, t->buckets_at + part * len, len);
	if (err == 0)
		atomic_fetch_or(&t->head->bucket_parts, 1u << part);
	return err;
}
