#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unit.h>

#include "tables.h"

#define LEAST_ROOM (128 << 10) /* with less, no table is made */

static off_t memory_of_file(void)
{
	struct stat st;

	ck_assert_int_eq(stat(table_path, &st), 0);
	return st.st_blocks * 512;
}

static const struct {
	int names, peers, direct, pages; /* of 4,096 octets, at most */
} sizes[] = {
	{ 0, 0, 0, 2 },
	{ 1, 0, 0, 4 },
	{ 3, 0, 0, 6 },
	{ 3, 1, 0, 7 },
	{ 0, 9, 0, 3 },
	{ 0, 0, 1, 3 },
	{ 0, 0, 3, 3 },
	{ 0, 0, 20000, 65 },
	{ 10, 10, 0, 14 },
	{ 300, 1024, 0, 34 },
	{ 20000, 0, 0, 2 + 16 + 20 + 256 },
};

START_TEST(file_takes_memory_only_for_what_is_in_it)
{
	struct peer peer = { .shown_family = AF_INET };
	struct endpoint ep;
	struct table *t;
	char name[40];
	uint32_t slot;

	if (sysconf(_SC_PAGESIZE) != 4096) {
		skip("file_takes_memory", "the machine has larger pages");
		return;
	}
	folder_init();
	t = table_open(table_path, NULL);
	for (int i = 0; i < sizes[_i].names; i++)
		ck_assert_int_eq(
			table_put(t, name, (size_t)sprintf(name, "host%d.example.org", i), &slot),
			0);
	for (int i = 0; i < sizes[_i].peers; i++)
		peers_note(t, (uint64_t)i + 1, &peer);
	for (int i = 0; i < sizes[_i].direct; i++) {
		ep = address_of((uint32_t)i);
		ck_assert_int_eq(direct_note(t, &ep), 0);
	}
	/* Looking for what is not there takes none. */
	for (uint32_t i = 0; i < POOL_SLOTS; i++)
		table_name(t, i, NULL);
	for (int i = 0; i < 1000; i++) {
		table_find(t, name, (size_t)sprintf(name, "miss%d.example.org", i));
		peers_find(t, 5000 + (uint64_t)i, &peer);
		ep = address_of(1u << 20 | (uint32_t)i);
		direct_find(t, &ep);
	}
	table_close(t);
	ck_assert_int_le(memory_of_file(), sizes[_i].pages * 4096);
	ck_assert_int_eq(why_private(table_path), 0);
	folder_fini();
}
END_TEST

START_TEST(head_that_promises_memory_gets_it_when_opened)
{
	const uint32_t all[5] = { 0xffff, POOL_SLOTS * 4, PEERS_KNOWN * 48, DIRECT_SIZE, 16 << 20 };
	struct stat st;
	int fd;

	folder_init();
	make_table();
	fd = open(table_path, O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(pwrite(fd, all, sizeof(all), 76), sizeof(all));
	ck_assert_int_eq(why_private(table_path), 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_ge(st.st_blocks * 512, FILE_SIZE);
	close(fd);
	folder_fini();
}
END_TEST

/* What a program may have done to itself between two names. */
static void unlink_file(void)
{
	unlink(table_path);
}

static void change_root(void)
{
	if (geteuid() == 0 && chroot("/proc") < 0)
		_exit(98);
}

static void change_user(void)
{
	if (geteuid() == 0 && setuid(NOBODY) < 0)
		_exit(98);
}

static void use_up_descriptors(void)
{
	const struct rlimit limit = { 0, 0 };

	setrlimit(RLIMIT_NOFILE, &limit);
}

static void replace_file(void)
{
	unlink(table_path);
	close(open(table_path, O_CREAT | O_RDWR, 0600));
}

/* As kernels before 5.14 say it. */
static void old_kernel(void)
{
	deny(SYS_madvise, 2, 23, true, EINVAL);
}

static void old_kernel_and_unlink(void)
{
	old_kernel();
	unlink_file();
}

static void old_kernel_and_replace(void)
{
	old_kernel();
	replace_file();
}

static const struct {
	void (*meanwhile)(void);
	int result;
} meanwhile[] = {
	{ unlink_file, 0 },
	{ change_root, 0 },
	{ change_user, 0 },
	{ replace_file, 0 },
	{ use_up_descriptors, 0 },
	{ old_kernel, 0 },
	{ old_kernel_and_unlink, ENOSPC },
	{ old_kernel_and_replace, ENOSPC },
};

START_TEST(table_grows_whatever_the_program_did)
{
	pid_t pid;

	folder_init();
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		struct table *t = table_open(table_path, NULL);
		struct stat st;
		int err = put_many(t, 0, 10);

		meanwhile[_i].meanwhile();
		if (err == 0)
			err = put_many(t, 10, 20000);
		/* A file put in the table's place was not touched. */
		if (stat(table_path, &st) == 0 && meanwhile[_i].meanwhile == replace_file &&
		    st.st_blocks != 0)
			err = -EEXIST;
		_exit(-err);
	}
	ck_assert_int_eq(child_wait(pid), meanwhile[_i].result);
	folder_fini();
}
END_TEST

static int open_on_old_kernel(void)
{
	old_kernel();
	return open_quietly();
}

START_TEST(table_can_be_made_on_an_old_kernel)
{
	folder_init();
	ck_assert_int_eq(in_child(open_on_old_kernel), 0);
	make_table();
	folder_fini();
}
END_TEST

/* More peers than there is room for, or as many as are known. */
static int note_peers(struct table *t)
{
	struct peer peer = { .shown_family = AF_INET, .len = sizeof(struct sockaddr_in) };
	int known = 0;

	peer.addr.sin6_family = AF_INET;
	for (uint64_t i = 1; i <= 2 * PEERS_KNOWN; i++) {
		peers_note(t, i, &peer);
		known += peers_find(t, i, &peer);
	}
	return known;
}

/*
 * A tmpfs of so many KiB in a mount namespace of the child's own. 97: there is no such thing to be
 * had.
 */
static int room_kib;

static int on_small_tmpfs(void)
{
	int why = 99, err = 0, n = 0, known;
	struct table *t, *other;
	char options[40], name[40];
	uint32_t slot;

	sprintf(options, "size=%dk,mode=700", room_kib);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", folder, "tmpfs", 0, options) < 0)
		return 97;
	t = table_open(table_path, &why);
	if (!t)
		return 1;
	if (room_kib < LEAST_ROOM / 1024)
		return why == -ENOSPC && access(table_path, F_OK) < 0 && put_many(t, 0, 1000) == 0
		               ? 0
		               : 2;
	if (why != 0)
		return 3;
	/* Until it is full; then what is there holds, in this process and in others. */
	while (err == 0)
		err = table_put(t, name, (size_t)sprintf(name, "host%d.example.org", n++), &slot);
	if (err != -ENOSPC || n < 100)
		return 4;
	if (put_many(t, 0, n - 1) < 0)
		return 5;
	other = table_open(table_path, &why);
	if (why != 0 || put_many(other, 0, n - 1) < 0)
		return 6;
	for (int i = 0; i < 1000; i++)
		if (table_find(other, name, (size_t)sprintf(name, "miss%d", i)) != 0)
			return 7;
	for (slot = 0; slot < POOL_SLOTS; slot++)
		table_name(other, slot, NULL);
	/*
	 * Peers have a few pages that were left, or nothing: all are known for a while, or none is.
	 */
	known = note_peers(other);
	if (known != 0 && known != 2 * PEERS_KNOWN)
		return 8;
	/* An address likewise: what is noted is known. */
	for (uint32_t i = 0; i < 1000; i++) {
		struct endpoint ep = address_of(i);

		if ((direct_note(other, &ep) == 0) != direct_find(t, &ep))
			return 9;
	}
	return 0;
}

START_TEST(full_tmpfs_is_an_error_and_no_signal)
{
	static const int rooms[] = { 4, 64, 124, 128, 152, 176, 256, 300 };

	for (int i = 0; i < ROWS(rooms); i++) {
		int status;

		folder_init();
		room_kib = rooms[i];
		status = in_child(on_small_tmpfs);
		folder_fini();
		if (status == 97) {
			skip("full_tmpfs", "needs root and a mount namespace");
			return;
		}
		ck_assert_msg(status == 0, "%d KiB: step %d", rooms[i], status);
	}
}
END_TEST

/*
 * Full but for so many pages when a session comes to its first name and peer: nothing is touched in
 * vain.
 */
static int on_filled_tmpfs(void)
{
	char *zeros = calloc(1, 512 << 10);
	struct table *t, *other;
	int why, fill;
	uint32_t slot;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", folder, "tmpfs", 0, "size=512k,mode=700") < 0)
		return 97;
	t = table_open(table_path, &why);
	strcat(folder, "/fill");
	fill = open(folder, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	if (!zeros || why != 0 || fill < 0 || write(fill, zeros, 512 << 10) != (504 << 10) ||
	    ftruncate(fill, (504 - 4 * room_kib) << 10) < 0)
		return 1;
	free(zeros);
	other = table_open(table_path, &why);
	if (!other || why != 0)
		return 2;
	/* A name needs a page of buckets and one of records; peers take what is left. */
	if (table_put(t, "name", 4, &slot) != (room_kib < 2 ? -ENOSPC : 0))
		return 3;
	if ((table_find(other, "name", 4) != 0) != (room_kib >= 2))
		return 4;
	for (slot = 0; slot < POOL_SLOTS; slot++)
		table_name(other, slot, NULL);
	if ((note_peers(other) > 0) != (room_kib == 3))
		return 5;
	return 0;
}

START_TEST(tmpfs_filled_by_others_is_an_error_and_no_signal)
{
	int status;

	folder_init();
	room_kib = _i; /* pages */
	status = in_child(on_filled_tmpfs);
	folder_fini();
	if (status == 97)
		skip("filled_tmpfs", "needs root and a mount namespace");
	else
		ck_assert_msg(status == 0, "%d pages: step %d", _i, status);
}
END_TEST

/* Kernels before 5.14 can't say it, nor can a sandbox that lets nobody ask. */
static bool is_told_of_truncation(void)
{
	void *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bool yes = page != MAP_FAILED && madvise(page, 4096, 22) == 0;

	munmap(page, 4096);
	if (!yes)
		skip("truncation", "needs Linux 5.14");
	return yes;
}

/* To what length a table with 300 names is cut, and whether that takes a page from it. */
static const struct {
	off_t size;
	int found;
} cuts[] = {
	{ 0, -ESTALE },
	{ 1, -ESTALE },
	{ 4096, -ESTALE },
	{ 4096 + POOL_SLOTS * 4, -ESTALE },
	{ FILE_SIZE / 2, -ESTALE },
	{ FILE_SIZE - 4096, -ESTALE },
	{ FILE_SIZE - 1, 0 },
	{ FILE_SIZE, 0 },
	{ FILE_SIZE + 4096, 0 },
};

START_TEST(truncated_file_is_left_for_a_private_table)
{
	uint32_t slots[300], slot, known = 0;
	struct endpoint ep = address_of(1);
	struct table *t;
	char name[40];
	pid_t pid;

	if (!is_told_of_truncation())
		return;
	folder_init();
	t = table_open(table_path, NULL);
	for (int i = 0; i < 300; i++)
		ck_assert_int_eq(table_put(t, name, (size_t)sprintf(name, "old%d", i), &slots[i]),
		                 0);
	ck_assert_int_eq(direct_note(t, &ep), 0);
	ck_assert_int_eq(table_check(t), 0);
	ck_assert_int_eq(truncate(table_path, cuts[_i].size), 0);
	errno = ENOTTY;
	ck_assert_int_eq(table_check(t), cuts[_i].found);
	ck_assert_int_eq(table_check(t), 0);
	ck_assert_int_eq(errno, ENOTTY);
	for (int i = 0; i < 300; i++) {
		size_t len = (size_t)sprintf(name, "old%d", i);

		known += table_find(t, name, len) == slots[i] && table_name(t, slots[i], NULL);
	}
	ck_assert_uint_eq(known, cuts[_i].found ? 0 : 300);
	ck_assert_int_eq(direct_find(t, &ep), cuts[_i].found == 0);
	/* It grows as any, also beyond what the file had; children share it. */
	ck_assert_int_eq(put_many(t, 0, 20000), 0);
	pid = fork();
	if (pid == 0)
		_exit(table_find(t, "host7.example.org", 17) == 0 ||
		      table_put(t, "child", 5, &slot) < 0);
	ck_assert_int_eq(child_wait(pid), 0);
	ck_assert_uint_ne(table_find(t, "child", 5), 0);
	table_close(t);
	ck_assert_int_eq(why_private(table_path), cuts[_i].size == FILE_SIZE ? 0 : -EBADMSG);
	folder_fini();
}
END_TEST

/* A name that needs memory beyond the end has none, and there is no signal. */
START_TEST(growth_beyond_the_end_is_an_error)
{
	struct table *t;

	folder_init();
	t = table_open(table_path, NULL);
	ck_assert_int_eq(put_many(t, 0, 10), 0);
	ck_assert_int_eq(truncate(table_path, FILE_SIZE - (15 << 20)), 0);
	ck_assert_int_eq(put_many(t, 10, POOL_SLOTS - 1), -ENOSPC);
	ck_assert_int_eq(put_many(t, 0, 10), 0);
	table_close(t);
	folder_fini();
}
END_TEST

enum { WITNESSES = 8, SEEN = 200 };

static struct witness {
	struct table *t;
	pthread_barrier_t *start;
	int found;
	uint32_t slots[SEEN];
} witnesses[WITNESSES];

static void *witness(void *arg)
{
	struct witness *w = arg;
	char name[40];
	int err;

	pthread_barrier_wait(w->start);
	do {
		err = table_check(w->t);
		w->found += err == -ESTALE;
		sched_yield();
	} while (err == -EAGAIN);
	for (int i = 0; i < SEEN; i++)
		if (table_put(w->t, name, (size_t)sprintf(name, "seen%d", i), &w->slots[i]) < 0 ||
		    !table_name(w->t, w->slots[i], NULL))
			w->slots[i] = 0;
	return NULL;
}

START_TEST(threads_leave_a_truncated_file_once_and_together)
{
	pthread_barrier_t start;

	if (!is_told_of_truncation())
		return;
	pthread_barrier_init(&start, NULL, WITNESSES);
	for (int round = 0; round < 100; round++) {
		pthread_t threads[WITNESSES];
		struct table *t;
		int found = 0;

		folder_init();
		t = table_open(table_path, NULL);
		ck_assert_int_eq(put_many(t, 0, 10), 0);
		ck_assert_int_eq(truncate(table_path, 0), 0);
		for (int i = 0; i < WITNESSES; i++) {
			witnesses[i] = (struct witness){ .t = t, .start = &start };
			ck_assert_int_eq(pthread_create(&threads[i], NULL, witness, &witnesses[i]),
			                 0);
		}
		for (int i = 0; i < WITNESSES; i++) {
			pthread_join(threads[i], NULL);
			found += witnesses[i].found;
			ck_assert_mem_eq(witnesses[i].slots, witnesses[0].slots,
			                 sizeof(witnesses[i].slots));
		}
		ck_assert_int_eq(found, 1);
		for (int i = 0; i < SEEN; i++)
			ck_assert_uint_ne(witnesses[0].slots[i], 0);
		table_close(t);
		folder_fini();
	}
	pthread_barrier_destroy(&start);
}
END_TEST

UNIT_MAIN("names/table_back", { file_takes_memory_only_for_what_is_in_it, ROWS(sizes) },
          { head_that_promises_memory_gets_it_when_opened, 0 },
          { table_grows_whatever_the_program_did, ROWS(meanwhile) },
          { table_can_be_made_on_an_old_kernel, 0 }, { full_tmpfs_is_an_error_and_no_signal, 0 },
          { tmpfs_filled_by_others_is_an_error_and_no_signal, 4 },
          { truncated_file_is_left_for_a_private_table, ROWS(cuts) },
          { growth_beyond_the_end_is_an_error, 0 },
          { threads_leave_a_truncated_file_once_and_together, 0 })
