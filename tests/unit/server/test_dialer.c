/* Listeners on loopback: one that takes whoever comes, and such whose queue is full. */
#include "unit.h"

#include <dialer.h>
#include <fcntl.h>
#include <unistd.h>

#define FILLERS     8
#define SILENT      2
#define BOTH_MS     400 /* after the second attempt, before the third */
#define PATIENCE_MS 5000

struct world {
	struct loop loop;
	struct dialer *dialer;
	struct timer break_off, too_long;
	int sockets[1 + SILENT * (1 + FILLERS)];
	size_t n;
	int err;
	bool done;
};

static union address listener(struct world *w, int backlog)
{
	union address a = { .in = { .sin_family = AF_INET,
		                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, &a.sa, sizeof(a.in)), 0);
	ck_assert_int_eq(listen(fd, backlog), 0);
	address_of_socket(&a, fd);
	w->sockets[w->n++] = fd;
	return a;
}

/* The kernel drops what comes once the queue is full. */
static union address silent(struct world *w)
{
	union address a = listener(w, 0);
	int fd;

	for (int i = 0; i < FILLERS; i++) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(fd, &a.sa, sizeof(a.in));
		w->sockets[w->n++] = fd;
	}
	return a;
}

static const char *closed(void *arg, const union address *to)
{
	(void)arg;
	(void)to;
	return NULL;
}

static void done(void *arg, int err, const struct dialled *winner)
{
	struct world *w = arg;

	(void)winner;
	w->done = true;
	w->err = err;
	loop_stop(&w->loop);
}

static bool is_ours(const struct world *w, int fd)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->sockets[i] == fd)
			return true;
	return false;
}

/* What is under way fails, all of it in one round of the loop. */
static void break_off(struct timer *t)
{
	const struct world *w = LOOP_OWNER(t, struct world, break_off);

	for (int fd = STDERR_FILENO + 1; fd < 256; fd++)
		if (!is_ours(w, fd))
			(void)shutdown(fd, SHUT_RDWR);
}

static void too_long(struct timer *t)
{
	loop_stop(&LOOP_OWNER(t, struct world, too_long)->loop);
}

START_TEST(one_that_connects_while_others_fail_is_told)
{
	struct world w = { .break_off.due = break_off, .too_long.due = too_long };
	union address to[SILENT + 1];

	ck_assert_int_eq(loop_init(&w.loop), 0);
	for (int i = 0; i < SILENT; i++)
		to[i] = silent(&w);
	to[SILENT] = listener(&w, 8);
	w.dialer = dialer_new(&w.loop, closed, done, &w);
	ck_assert_ptr_nonnull(w.dialer);
	dialer_add(w.dialer, to, SILENT + 1, true, 0);
	loop_start_timer(&w.loop, &w.break_off, BOTH_MS);
	loop_start_timer(&w.loop, &w.too_long, PATIENCE_MS);
	ck_assert_int_eq(loop_run(&w.loop), 0);
	ck_assert(w.done);
	ck_assert_int_eq(w.err, 0);
	dialer_free(w.dialer);
	while (w.n > 0)
		close(w.sockets[--w.n]);
	loop_fini(&w.loop);
}
END_TEST

UNIT_MAIN("server dialer", { one_that_connects_while_others_fail_is_told, 0 })
