/*
 * Many names, by getaddrinfo(): 70,000 with the pool that everybody has, 200,000 with a larger one,
 * in one program and in several at once; a pool that has no address left; and two sessions, which
 * know nothing of each other.
 */
#include "table.h"

#define PROGRAMS   4
#define LARGE_POOL "198.16.0.0/14,fd00:77::/64"
#define SMALL_POOL "198.18.0.0/22,fd00:77::/64" /* 1,023 names */

/* What the programs of a session were told, shared with them through a file. */
static uint32_t *told;

static void map_told(const char *path, uint32_t names)
{
	size_t len = PROGRAMS * names * sizeof(*told);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, (off_t)len) < 0)
		_exit(98);
	told = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (told == MAP_FAILED)
		_exit(98);
}

static const char *name_of(uint32_t i)
{
	static char name[64];

	snprintf(name, sizeof(name), "ok.n%u.many.test", i);
	return name;
}

/* Each begins elsewhere, so that all of them have new ones. Returns an exit status. */
static int look_all_up(int program, uint32_t names)
{
	uint32_t begin = (uint32_t)program * (names / PROGRAMS);

	for (uint32_t n = 0; n < names; n++) {
		uint32_t i = (begin + n) % names;
		uint32_t ip = address_of(name_of(i));

		if (ip == 0)
			return 1;
		told[(uint32_t)program * names + i] = ip;
	}
	/* A few as they are used. */
	for (uint32_t i = 0; i < names; i += names / 7)
		if (visit(told[(uint32_t)program * names + i]) != 0)
			return 2;
	return 0;
}

static pid_t start(const char *verb, const char *argument, const char *pool)
{
	pid_t pid = fork();

	if (pid == 0) {
		new_session();
		setenv("XDG_RUNTIME_DIR", folder, 1);
		setenv("SOCKSIFY_NAMES", in_folder("names"), 1);
		if (pool)
			setenv("SOCKSIFY_POOL", pool, 1);
		execl(under_self(), "test", verb, argument, (char *)NULL);
		_exit(99);
	}
	ck_assert_int_gt(pid, 0);
	return pid;
}

/* A place for each address that the pool can have. */
static void check_told(int programs, uint32_t names, uint32_t base, uint32_t slots)
{
	uint32_t *owner = calloc(slots, sizeof(*owner));

	ck_assert_ptr_nonnull(owner);
	for (uint32_t i = 0; i < names; i++) {
		uint32_t ip = told[i];

		for (int p = 1; p < programs; p++)
			if (told[(uint32_t)p * names + i] != ip)
				ck_abort_msg("name %u has two addresses", i);
		if (ip <= base || ip - base >= slots)
			ck_abort_msg("name %u has %08x", i, ip);
		if (owner[ip - base] != 0)
			ck_abort_msg("names %u and %u have one address", owner[ip - base] - 1, i);
		owner[ip - base] = i + 1;
	}
	free(owner);
}

static const struct {
	const char *names, *pool;
	uint32_t base, slots;
	int programs;
} sizes[] = {
	{ "70000", NULL, 0xc6120000, 1u << 17, 1 },
	{ "70000", NULL, 0xc6120000, 1u << 17, PROGRAMS },
	{ "200000", LARGE_POOL, 0xc6100000, 1u << 18, 1 },
	{ "200000", LARGE_POOL, 0xc6100000, 1u << 18, PROGRAMS },
};

START_TEST(every_name_has_its_address_in_every_program)
{
	uint32_t names = (uint32_t)atoi(sizes[_i].names);
	pid_t pids[PROGRAMS];

	folder_init();
	map_told(in_folder("told"), names);
	for (int p = 0; p < sizes[_i].programs; p++) {
		char argument[128];

		snprintf(argument, sizeof(argument), "%d %s %s", p, sizes[_i].names, folder);
		pids[p] = start("look-all-up", argument, sizes[_i].pool);
	}
	for (int p = 0; p < sizes[_i].programs; p++)
		ck_assert_int_eq(child_wait(pids[p]), 0);
	check_told(sizes[_i].programs, names, sizes[_i].base, sizes[_i].slots);
	ck_assert_int_eq(log_lines(NULL), 0);
	munmap(told, PROGRAMS * names * sizeof(*told));
	folder_fini();
}
END_TEST

/* The executed half. */
static int fill_the_pool(uint32_t slots)
{
	struct addrinfo *ai;
	uint32_t n = 0, first = 0, ip;

	while ((ip = address_of(name_of(n))) != 0) {
		first = n++ == 0 ? ip : first;
		if (n > slots)
			return 1;
	}
	/* As many as the pool has: none is lost, where nobody raced or died. */
	if (n != slots)
		return 2;
	if (getaddrinfo("one.more.test", "80", NULL, &ai) != EAI_AGAIN)
		return 3;
	h_errno = 0;
	if (gethostbyname("another.test") || h_errno != TRY_AGAIN)
		return 4;
	/* Who has one keeps it, and it can be used. */
	if (address_of(name_of(0)) != first || visit(first) != 0 ||
	    visit(address_of(name_of(n - 1))) != 0)
		return 5;
	return 0;
}

/* @_i 0: the pool that everybody has, 1: a small one. */
START_TEST(full_pool_is_eai_again_and_a_line_that_names_the_way_out)
{
	folder_init();
	ck_assert_int_eq(child_wait(start("fill", _i ? "1023" : "131071", _i ? SMALL_POOL : NULL)),
	                 0);
	ck_assert_int_eq(log_lines(NULL), 3);
	ck_assert_int_eq(log_lines("SOCKSIFY_POOL can name larger ranges"), 3);
	ck_assert_int_eq(log_lines("\"one.more.test\""), 1);
	/* The others of the session find it full as well. */
	ck_assert_int_eq(child_wait(start("find-full", name_of(0), _i ? SMALL_POOL : NULL)), 0);
	ck_assert_int_eq(log_lines("SOCKSIFY_POOL can name larger ranges"), 4);
	folder_fini();
}
END_TEST

static int find_full(const char *known)
{
	struct addrinfo *ai;
	uint32_t ip = address_of(known);

	if (ip == 0 || visit(ip) != 0)
		return 1;
	return getaddrinfo("one.more.test", "80", NULL, &ai) == EAI_AGAIN ? 0 : 2;
}

/* A session that waits, with its addresses, until it is let go on. */
struct session {
	pid_t pid;
	FILE *answers;
	int orders;
	uint32_t ip;
};

static void session_begin(struct session *s, const char *name)
{
	int to[2], from[2];

	ck_assert_int_eq(pipe2(to, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(from, O_CLOEXEC), 0);
	s->pid = fork();
	if (s->pid == 0) {
		new_session();
		setenv("XDG_RUNTIME_DIR", folder, 1);
		dup2(to[0], 0);
		dup2(from[1], 1);
		execl(under_self(), "test", "session", name, (char *)NULL);
		_exit(99);
	}
	close(to[0]);
	close(from[1]);
	s->orders = to[1];
	s->answers = fdopen(from[0], "re");
	ck_assert_int_eq(fscanf(s->answers, "%x", &s->ip), 1);
}

/* What comes of a connect to an address in that session: 0 or errno. */
static int session_visit(struct session *s, uint32_t ip)
{
	int err = -1;

	ck_assert_int_gt(dprintf(s->orders, "%x\n", ip), 0);
	ck_assert_int_eq(fscanf(s->answers, "%d", &err), 1);
	return err;
}

static void session_end(struct session *s)
{
	close(s->orders);
	fclose(s->answers);
	ck_assert_int_eq(child_wait(s->pid), 0);
}

/* The executed half. */
static int session_run(const char *name)
{
	uint32_t ip = address_of(name);

	printf("%x\n", ip);
	fflush(stdout);
	while (scanf("%x", &ip) == 1) {
		printf("%d\n", visit(ip));
		fflush(stdout);
	}
	return 0;
}

/*
 * The same name has another address: not always (one chance in 131,071), but never ten times
 * running; and neither session knows the other's.
 */
START_TEST(two_sessions_at_once_have_no_history_in_common)
{
	int same = 0, known = 0;

	folder_init();
	for (int i = 0; i < 10; i++) {
		struct session a, b;

		session_begin(&a, "ok.both.test");
		session_begin(&b, "ok.both.test");
		ck_assert_uint_ne(a.ip, 0);
		ck_assert_uint_ne(b.ip, 0);
		same += a.ip == b.ip;
		known += session_visit(&a, b.ip) != EHOSTUNREACH;
		known += session_visit(&b, a.ip) != EHOSTUNREACH;
		ck_assert_int_eq(session_visit(&a, a.ip), 0);
		ck_assert_int_eq(session_visit(&b, b.ip), 0);
		session_end(&a);
		session_end(&b);
	}
	ck_assert_int_le(same, 1);
	ck_assert_int_eq(known, 2 * same);
	folder_fini();
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("table many");
	TCase *tc = tcase_create("table many");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, every_name_has_its_address_in_every_program, 0,
	                    sizeof(sizes) / sizeof(sizes[0]));
	tcase_add_loop_test(tc, full_pool_is_eai_again_and_a_line_that_names_the_way_out, 0, 2);
	tcase_add_test(tc, two_sessions_at_once_have_no_history_in_common);
	suite_add_tcase(s, tc);
	return s;
}

static int executed(const char *verb, const char *argument)
{
	uint32_t names;
	int program;
	char where[64];

	if (strcmp(verb, "fill") == 0)
		return fill_the_pool((uint32_t)atoi(argument));
	if (strcmp(verb, "find-full") == 0)
		return find_full(argument);
	if (strcmp(verb, "session") == 0)
		return session_run(argument);
	if (sscanf(argument, "%d %u %63s", &program, &names, where) != 3)
		return 97;
	strcpy(folder, where);
	map_told(in_folder("told"), names);
	return look_all_up(program, names);
}

int main(int argc, char **argv)
{
	if (argc == 3)
		return executed(argv[1], argv[2]);
	return under_main(argc, argv, UNDER_IPV4, make);
}
