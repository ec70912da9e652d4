#include "tally.h"

#include "loop.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

struct waiting {
	struct waiting *next;
	struct sockaddr_in from;
	enum tally_verb verb;
	int n;
	const struct tally *tally;
};

static struct tally *tallies;
static struct waiting *waiting;
static struct watch control;
static void (*carry_out)(struct tally *);
static int (*obey)(enum tally_verb, struct tally *);

struct tally *tally_find(const char *name)
{
	struct tally *t = tallies;

	while (t && strcmp(t->name, name) != 0)
		t = t->next;
	if (!t) {
		t = calloc(1, sizeof(*t));
		if (!t)
			exit(1);
		strncpy(t->name, name, sizeof(t->name) - 1);
		t->next = tallies;
		tallies = t;
	}
	return t;
}

static void answer(const struct sockaddr_in *to, int value)
{
	sendto(control.fd, &value, sizeof(value), 0, (const struct sockaddr *)to, sizeof(*to));
}

void tally_answer(void)
{
	struct waiting **at = &waiting, *w;

	while ((w = *at)) {
		int is = w->verb == TALLY_ENDED ? w->tally->ended : w->tally->requests;

		if (is < w->n) {
			at = &w->next;
			continue;
		}
		answer(&w->from, is);
		*at = w->next;
		free(w);
	}
}

static void wait_for(const struct tally_order *order, const struct tally *t,
                     const struct sockaddr_in *from)
{
	struct waiting *w = malloc(sizeof(*w));

	if (!w)
		exit(1);
	*w = (struct waiting){ waiting, *from, order->verb, order->n, t };
	waiting = w;
}

static void take_order(struct watch *self, uint32_t events)
{
	struct tally_order order;
	struct sockaddr_in from;
	struct tally *t;

	(void)events;
	if (recvfrom(self->fd, &order, sizeof(order), 0, (struct sockaddr *)&from,
	             &(socklen_t){ sizeof(from) }) != sizeof(order))
		return;
	t = tally_find(order.name);
	switch (order.verb) {
	case TALLY_RELEASE:
		t->released = true;
		carry_out(t);
		answer(&from, 0);
		break;
	case TALLY_REQUESTS:
	case TALLY_ENDED:
		wait_for(&order, t, &from);
		break;
	case TALLY_COUNT:
		answer(&from, t->requests);
		break;
	case TALLY_PORT:
		answer(&from, t->port);
		break;
	case TALLY_DIRECT:
	case TALLY_STOP:
		answer(&from, obey(order.verb, t));
		break;
	}
}

void tally_watch(int fd, void (*release)(struct tally *t),
                 int (*obey_verb)(enum tally_verb verb, struct tally *t))
{
	carry_out = release;
	obey = obey_verb;
	control = (struct watch){ take_order, fd };
	loop_add(&control, EPOLLIN);
}
