#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unit.h>

#include "tables.h"

START_TEST(file_is_sparse_and_ours_alone_whatever_the_umask)
{
	static const mode_t masks[] = { 0, 022, 0777 };
	struct stat st;
	mode_t old;

	for (int i = 0; i < ROWS(masks); i++) {
		folder_init();
		old = umask(masks[i]);
		make_table();
		umask(old);
		ck_assert_int_eq(stat(table_path, &st), 0);
		ck_assert_int_eq(st.st_mode, S_IFREG | 0600);
		ck_assert_int_eq(st.st_size, FILE_SIZE);
		ck_assert_int_eq(st.st_nlink, 1);
		folder_fini();
	}
}
END_TEST

START_TEST(last_folder_is_made_and_no_other)
{
	char path[200];
	struct stat st;

	folder_init();
	snprintf(path, sizeof(path), "%s/new/names", folder);
	ck_assert_int_eq(why_private(path), 0);
	snprintf(path, sizeof(path), "%s/new", folder);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode, S_IFDIR | 0700);
	snprintf(path, sizeof(path), "%s/a/b/names", folder);
	ck_assert_int_eq(why_private(path), -ENOENT);
	folder_fini();
}
END_TEST

static void as_symlink(void)
{
	char other[128];

	make_table();
	snprintf(other, sizeof(other), "%s.other", table_path);
	ck_assert_int_eq(rename(table_path, other), 0);
	ck_assert_int_eq(symlink(other, table_path), 0);
}

static void as_dangling_symlink(void)
{
	ck_assert_int_eq(symlink("/dev/shm/socksify-test-nowhere", table_path), 0);
}

static void as_fifo(void)
{
	ck_assert_int_eq(mkfifo(table_path, 0600), 0);
}

static void as_folder(void)
{
	ck_assert_int_eq(mkdir(table_path, 0700), 0);
}

static void as_readable_to_all(void)
{
	make_table();
	ck_assert_int_eq(chmod(table_path, 0644), 0);
}

static void as_empty(void)
{
	make_table();
	ck_assert_int_eq(truncate(table_path, 0), 0);
}

static void as_short(void)
{
	make_table();
	ck_assert_int_eq(truncate(table_path, FILE_SIZE - 1), 0);
}

static void as_long(void)
{
	make_table();
	ck_assert_int_eq(truncate(table_path, FILE_SIZE + 1), 0);
}

static void as_hole(void)
{
	make_table();
	ck_assert_int_eq(truncate(table_path, 0), 0);
	ck_assert_int_eq(truncate(table_path, FILE_SIZE), 0);
}

static void in_open_folder(void)
{
	ck_assert_int_eq(chmod(folder, 0777), 0);
}

static void locked_for_removal(void)
{
	int fd;

	make_table();
	fd = open(table_path, O_RDWR);
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	/* Left open: why_private() counts from here. */
}

static const struct {
	void (*make)(void);
	int why;
} strange[] = {
	{ as_symlink, -ELOOP },     { as_dangling_symlink, -ELOOP }, { as_fifo, -EPERM },
	{ as_folder, -EISDIR },     { as_readable_to_all, -EPERM },  { as_empty, -EBADMSG },
	{ as_short, -EBADMSG },     { as_long, -EBADMSG },           { as_hole, -EBADMSG },
	{ in_open_folder, -EPERM }, { locked_for_removal, -EAGAIN },
};

START_TEST(strange_file_gives_a_private_table)
{
	folder_init();
	strange[_i].make();
	ck_assert_int_eq(why_private(table_path), strange[_i].why);
	folder_fini();
}
END_TEST

/* Fields of the head: where, and what may not be there. */
static const struct {
	off_t at;
	uint32_t value;
} damage[] = {
	{ 0, 0 },
	{ 4, 0 }, /* magic */
	{ 8, 0 }, /* version */
	{ 8, 1 },
	{ 12, 1 },          /* slots */
	{ 16, 16383 },      /* buckets */
	{ 20, UINT32_MAX }, /* records */
	{ 32, 0 },          /* first slot */
	{ 32, POOL_SLOTS },
	{ 64, 993 }, /* slots given, beyond what is backed */
	{ 64, POOL_SLOTS },
	{ 64, UINT32_MAX },
	{ 68, 4097 }, /* octets of records used, beyond what is backed */
	{ 68, UINT32_MAX },
	{ 76, 1 << 16 }, /* pages of buckets backed */
	{ 80, 0 },       /* slots backed, one is given */
	{ 80, POOL_SLOTS * 4 + 1 },
	{ 84, PEERS_KNOWN * 48 + 1 }, /* peers backed */
	{ 88, DIRECT_SIZE + 1 },      /* direct addresses backed */
	{ 92, 0 },                    /* records backed, "name" is there */
	{ 92, (16 << 20) + 1 },
};

START_TEST(damaged_head_gives_a_private_table)
{
	int fd;

	folder_init();
	make_table();
	fd = open(table_path, O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(pwrite(fd, &damage[_i].value, 4, damage[_i].at), 4);
	close(fd);
	ck_assert_int_eq(why_private(table_path), -EBADMSG);
	folder_fini();
}
END_TEST

/* Ranges of other addresses, or of another size, which the file follows. */
START_TEST(table_of_another_pool_is_not_ours)
{
	static const struct prefix ours[2] = {
		{ ENDPOINT_IPV4, 15, { 198, 18 } },
		{ ENDPOINT_IPV6, 64, { 0xfd, 0x5c, 0x93, 0x1e, 0xb7, 0x42 } },
	};
	const struct prefix others[][2] = {
		{ { ENDPOINT_IPV4, 15, { 10, 18 } }, ours[1] },
		{ { ENDPOINT_IPV4, 14, { 198, 16 } }, ours[1] },
		{ { ENDPOINT_IPV4, 24, { 198, 18 } }, ours[1] },
		{ ours[0], { ENDPOINT_IPV6, 64, { 0xfd } } },
		{ ours[0], { ENDPOINT_IPV6, 96, { 0xfd, 0x5c, 0x93, 0x1e, 0xb7, 0x42 } } },
	};

	folder_init();
	make_table();
	pool_init(&others[_i][0], &others[_i][1]);
	ck_assert_int_eq(why_private(table_path), -EDOM);
	pool_init(&ours[0], &ours[1]);
	ck_assert_int_eq(why_private(table_path), 0);
	folder_fini();
}
END_TEST

static const struct {
	const char *path;
	int why;
} paths[] = {
	{ NULL, -EINVAL },
	{ "", -EINVAL },
	{ "names", -EINVAL },
	{ "/socksify-test-names", -EINVAL },
	{ "/nonexistent/folder/names", -ENOENT },
	{ "/dev/null/names", -ENOTDIR },
};

START_TEST(path_that_cannot_be_gives_a_private_table)
{
	ck_assert_int_eq(why_private(paths[_i].path), paths[_i].why);
	ck_assert_int_eq(why_private(paths[_i].path), paths[_i].why);
}
END_TEST

START_TEST(over_long_path_gives_a_private_table)
{
	char *path = malloc(PATH_MAX * 2);

	memset(path, 'x', PATH_MAX * 2);
	path[0] = '/';
	path[PATH_MAX * 2 - 1] = '\0';
	ck_assert_int_eq(why_private(path), -ENAMETOOLONG);
	free(path);
}
END_TEST

static int small_files(void)
{
	const struct rlimit limit = { FILE_SIZE - 1, FILE_SIZE - 1 };

	setrlimit(RLIMIT_FSIZE, &limit);
	return open_quietly();
}

static int small_files_and_many_names(void)
{
	const struct rlimit limit = { 0, 0 };
	struct table *t;
	uint32_t slot;
	char name[40];
	int why;

	setrlimit(RLIMIT_FSIZE, &limit);
	t = table_open(table_path, &why);
	for (int i = 0; why == 0 && i < 20000; i++)
		why = table_put(t, name, (size_t)sprintf(name, "host%d.example.org", i), &slot);
	return -why;
}

START_TEST(limit_on_file_size_is_seen_before_its_signal)
{
	folder_init();
	ck_assert_int_eq(in_child(small_files), EFBIG);
	make_table();
	/* The file is as large as it will ever be: an existing one is used, and grows. */
	ck_assert_int_eq(in_child(small_files), 0);
	ck_assert_int_eq(in_child(small_files_and_many_names), 0);
	folder_fini();
}
END_TEST

static int no_descriptors(void)
{
	const struct rlimit limit = { 0, 0 };

	setrlimit(RLIMIT_NOFILE, &limit);
	return open_quietly();
}

START_TEST(no_descriptor_left_gives_a_private_table)
{
	folder_init();
	ck_assert_int_eq(in_child(no_descriptors), EMFILE);
	make_table();
	ck_assert_int_eq(in_child(no_descriptors), EMFILE);
	folder_fini();
}
END_TEST

static rlim_t address_space;

static int little_memory(void)
{
	const struct rlimit limit = { address_space, address_space };
	struct table *t;
	int why = 0;

	setrlimit(RLIMIT_AS, &limit);
	t = table_open(table_path, &why);
	if (address_space < 4096)
		return t ? 99 : 0;
	return t && why == -ENOMEM ? 0 : 99;
}

START_TEST(limit_on_address_space_gives_a_smaller_table_or_none)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	ck_assert_int_eq(fscanf(f, "%lu", &pages), 1);
	fclose(f);
	if (SANITIZED) {
		skip("limit_on_address_space", "the sanitizer takes it all");
		return;
	}
	folder_init();
	address_space = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + (4 << 20);
	ck_assert_int_eq(in_child(little_memory), 0);
	address_space = 1;
	ck_assert_int_eq(in_child(little_memory), 0);
	folder_fini();
}
END_TEST

static int as_nobody(void)
{
	return setuid(NOBODY) == 0 ? open_quietly() : 99;
}

START_TEST(foreign_owner_and_unwritable_folder_give_a_private_table)
{
	if (geteuid() != 0) {
		skip("foreign_owner", "needs root");
		return;
	}
	folder_init();
	/* The folder of somebody else, who cannot be trusted with what lies in it. */
	ck_assert_int_eq(chown(folder, NOBODY, (gid_t)-1), 0);
	ck_assert_int_eq(why_private(table_path), -EPERM);
	ck_assert_int_eq(in_child(as_nobody), 0);
	/* The file of somebody else, although root could open it. */
	ck_assert_int_eq(why_private(table_path), -EPERM);
	ck_assert_int_eq(unlink(table_path), 0);
	/* A folder that can be read but not written. */
	ck_assert_int_eq(chown(folder, 0, (gid_t)-1), 0);
	ck_assert_int_eq(chmod(folder, 0755), 0);
	ck_assert_int_eq(in_child(as_nobody), EACCES);
	make_table();
	ck_assert_int_eq(in_child(as_nobody), EACCES);
	folder_fini();
}
END_TEST

/* @_i 1: without O_TMPFILE. */
START_TEST(all_who_come_at_once_share_one_table)
{
	enum { PROCESSES = 8, ROUNDS = 20 };
	struct table *t;
	char name[40];
	struct stat st;

	for (int round = 0; round < ROUNDS; round++) {
		_Atomic int *ready = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		pid_t pids[PROCESSES];

		folder_init();
		for (int p = 0; p < PROCESSES; p++) {
			uint32_t slot;
			int why = 0;

			pids[p] = fork();
			if (pids[p] > 0)
				continue;
			if (_i == 1)
				deny(SYS_openat, 2, __O_TMPFILE, false, EOPNOTSUPP);
			++*ready;
			while (*ready < PROCESSES)
				sched_yield();
			t = table_open(table_path, &why);
			table_put(t, name, (size_t)sprintf(name, "from%d", p), &slot);
			_exit(why != 0);
		}
		for (int p = 0; p < PROCESSES; p++)
			ck_assert_int_eq(child_wait(pids[p]), 0);
		t = table_open(table_path, NULL);
		for (int p = 0; p < PROCESSES; p++)
			ck_assert_uint_ne(table_find(t, name, (size_t)sprintf(name, "from%d", p)),
			                  0);
		table_close(t);
		ck_assert_int_eq(stat(table_path, &st), 0);
		ck_assert_int_eq(st.st_mode, S_IFREG | 0600);
		/* No draft is left: unlinked and rmdir'ed, the folder is gone. */
		unlink(table_path);
		ck_assert_int_eq(rmdir(folder), 0);
		munmap(ready, 4096);
	}
}
END_TEST

START_TEST(private_table_is_shared_with_children)
{
	struct table *t = table_open(NULL, NULL);
	uint32_t slot;
	pid_t pid;

	ck_assert_int_eq(table_put(t, "before", 6, &slot), 0);
	pid = fork();
	if (pid == 0)
		_exit(table_find(t, "before", 6) == slot ? put_many(t, 0, 3000) : 99);
	ck_assert_int_eq(child_wait(pid), 0);
	ck_assert_uint_ne(table_find(t, "host2999.example.org", 20), 0);
	table_close(t);
}
END_TEST

START_TEST(mapping_keeps_the_lock_until_the_last_process_is_gone)
{
	struct table *t;
	pid_t pid;
	int fd, hold[2];

	folder_init();
	t = table_open(table_path, NULL);
	fd = open(table_path, O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), -1);
	ck_assert_int_eq(pipe(hold), 0);
	pid = fork();
	if (pid == 0) {
		close(hold[1]);
		_exit((int)read(hold[0], hold, 1));
	}
	table_close(t);
	ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), -1); /* the child's mapping */
	close(hold[1]);
	close(hold[0]);
	ck_assert_int_eq(child_wait(pid), 0);
	ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
	close(fd);
	folder_fini();
}
END_TEST

UNIT_MAIN("names/table_file", { file_is_sparse_and_ours_alone_whatever_the_umask, 0 },
          { last_folder_is_made_and_no_other, 0 },
          { strange_file_gives_a_private_table, ROWS(strange) },
          { damaged_head_gives_a_private_table, ROWS(damage) },
          { table_of_another_pool_is_not_ours, 5 },
          { path_that_cannot_be_gives_a_private_table, ROWS(paths) },
          { over_long_path_gives_a_private_table, 0 },
          { limit_on_file_size_is_seen_before_its_signal, 0 },
          { no_descriptor_left_gives_a_private_table, 0 },
          { limit_on_address_space_gives_a_smaller_table_or_none, 0 },
          { foreign_owner_and_unwritable_folder_give_a_private_table, 0 },
          { all_who_come_at_once_share_one_table, 2 }, { private_table_is_shared_with_children, 0 },
          { mapping_keeps_the_lock_until_the_last_process_is_gone, 0 })
