#include "direct.h"

#include "loop.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct direct {
	struct watch watch; /* first: a watch is cast back */
	struct direct *next;
	struct tally *tally;
	int filler;
};

static struct direct *directs;
static void (*take)(int, struct tally *);

static void take_in(struct watch *w, uint32_t events)
{
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd >= 0)
		take(fd, ((struct direct *)w)->tally);
}

int direct_listen(struct tally *t, void (*take_one)(int fd, struct tally *t))
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct direct *d = calloc(1, sizeof(*d));
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (t->port) {
		close(fd);
		free(d);
		return t->port;
	}
	if (!d || bind(fd, (struct sockaddr *)&sa, len) < 0 ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		exit(1);
	take = take_one;
	*d = (struct direct){ { take_in, fd }, directs, t, -1 };
	directs = d;
	t->port = ntohs(sa.sin_port);
	if (strncmp(t->name, "held.", 5) == 0) {
		d->filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (listen(fd, 0) < 0 || connect(d->filler, (struct sockaddr *)&sa, len) < 0)
			exit(1);
	} else if (strncmp(t->name, "refused.", 8) != 0) {
		listen(fd, 4096);
		loop_add(&d->watch, EPOLLIN);
	}
	return t->port;
}

void direct_release(struct tally *t)
{
	struct direct *d = directs;

	while (d && d->tally != t)
		d = d->next;
	if (!d || d->filler < 0)
		return;
	if (strncmp(t->name, "held.refused.", 13) == 0) {
		close(d->watch.fd);
	} else {
		listen(d->watch.fd, 4096);
		close(accept(d->watch.fd, NULL, NULL));
		loop_add(&d->watch, EPOLLIN);
	}
	close(d->filler);
	d->filler = -1;
}
