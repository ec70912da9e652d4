#include "mailbox.h"

#include <errno.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <unistd.h>

bool mailbox_empty(struct mailbox *m)
{
	struct letter *l, *next;

	pthread_mutex_lock(&m->lock);
	l = m->first;
	m->first = NULL;
	m->last = NULL;
	pthread_mutex_unlock(&m->lock);
	if (!l)
		return false;
	for (; l; l = next) {
		next = l->next;
		l->read(l);
	}
	return true;
}

static void bell_rang(struct watch *w, uint32_t events)
{
	struct mailbox *m = LOOP_OWNER(w, struct mailbox, bell);
	uint64_t count;
	ssize_t n;

	(void)events;
	/* Before the letters: one that is posted meanwhile rings again. */
	n = read(w->fd, &count, sizeof(count));
	(void)n;
	(void)mailbox_empty(m);
}

int mailbox_init(struct mailbox *m, struct loop *loop)
{
	int err;

	*m = (struct mailbox){ .loop = loop, .bell = { .fd = -1, .ready = bell_rang } };
	err = pthread_mutex_init(&m->lock, NULL);
	if (err != 0) {
		m->loop = NULL;
		return -err;
	}
	m->bell.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	err = m->bell.fd < 0 ? -errno : loop_want(loop, &m->bell, EPOLLIN);
	if (err < 0)
		mailbox_fini(m);
	return err;
}

void mailbox_fini(struct mailbox *m)
{
	if (!m->loop)
		return;
	loop_close(m->loop, &m->bell);
	pthread_mutex_destroy(&m->lock);
	m->loop = NULL;
}

void mailbox_post(struct mailbox *m, struct letter *l)
{
	static const uint64_t one = 1;
	bool was_empty;
	ssize_t n;

	l->next = NULL;
	pthread_mutex_lock(&m->lock);
	was_empty = !m->first;
	if (was_empty)
		m->first = l;
	else
		m->last->next = l;
	m->last = l;
	/* Under the lock, lest the box is gone. The counter has room for all rings there can be. */
	if (was_empty) {
		n = write(m->bell.fd, &one, sizeof(one));
		(void)n;
	}
	pthread_mutex_unlock(&m->lock);
}
