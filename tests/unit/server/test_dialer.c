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
	struct dialer_share share;
	struct dialer *dialer;
	struct timer at_both, too_long;
	int sockets[1 + SILENT * (1 + FILLERS)];
	size_t n;
	unsigned under_way;
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

static bool is_stream(int fd)
{
	socklen_t len = sizeof(int);
	int type = 0;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

/* What is under way fails, all of it in one round of the loop. */
static void break_off(struct timer *t)
{
	const struct world *w = LOOP_OWNER(t, struct world, at_both);

	for (int fd = STDERR_FILENO + 1; fd < 256; fd++)
		if (!is_ours(w, fd))
			(void)shutdown(fd, SHUT_RDWR);
}

static void too_long(struct timer *t)
{
	loop_stop(&LOOP_OWNER(t, struct world, too_long)->loop);
}

static void count(struct timer *t)
{
	struct world *w = LOOP_OWNER(t, struct world, at_both);

	w->under_way = 0;
	for (int fd = STDERR_FILENO + 1; fd < 256; fd++)
		if (!is_ours(w, fd) && is_stream(fd))
			w->under_way++;
}

/* To silent ones first, which are broken off or counted while they are under way. */
static void dial(struct world *w)
{
	union address to[SILENT + 1];

	ck_assert_int_eq(loop_init(&w->loop), 0);
	w->too_long.due = too_long;
	for (int i = 0; i < SILENT; i++)
		to[i] = silent(w);
	to[SILENT] = listener(w, 8);
	w->dialer = dialer_new(&w->loop, &w->share, closed, done, w);
	ck_assert_ptr_nonnull(w->dialer);
	dialer_add(w->dialer, to, SILENT + 1, true, 0);
	loop_start_timer(&w->loop, &w->at_both, BOTH_MS);
	loop_start_timer(&w->loop, &w->too_long, PATIENCE_MS);
	ck_assert_int_eq(loop_run(&w->loop), 0);
	ck_assert(w->done);
	ck_assert_int_eq(w->err, 0);
	dialer_free(w->dialer);
	ck_assert_uint_eq(w->share.n, 0);
	while (w->n > 0)
		close(w->sockets[--w->n]);
	loop_fini(&w->loop);
}

START_TEST(one_that_connects_while_others_fail_is_told)
{
	struct world w = { .at_both.due = break_off, .share.max = SILENT };

	dial(&w);
}
END_TEST

START_TEST(attempts_are_as_many_as_the_share_has_room_for)
{
	struct world w = { .at_both.due = count, .share.max = (unsigned)_i };

	dial(&w);
	ck_assert_uint_eq(w.under_way, (unsigned)_i + 1);
}
END_TEST

UNIT_MAIN("server dialer", { one_that_connects_while_others_fail_is_told, 0 },
          { attempts_are_as_many_as_the_share_has_room_for, SILENT })
