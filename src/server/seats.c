#include "seats.h"

#include "source.h"
#include "table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct seats {
	struct seats_params params;
	pthread_mutex_t lock;
	atomic_uint n; /* written under the lock */
	struct source *sources;
	struct seat_user *users;
};

struct seat_user {
	bool lost; /* uthash had no memory for it */
	unsigned n;
	UT_hash_handle hh;
	char name[];
};

struct seats *seats_new(const struct seats_params *params)
{
	struct seats *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->params = *params;
	if (pthread_mutex_init(&l->lock, NULL) != 0) {
		free(l);
		return NULL;
	}
	return l;
}

void seats_free(struct seats *l)
{
	if (!l)
		return;
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static unsigned source_limit(const struct seats *l, const union address *from)
{
	struct endpoint ep;

	address_to_endpoint(from, &ep);
	return l->params.spare_loopback && endpoint_is_loopback(&ep) ? l->params.all
	                                                             : l->params.source;
}

enum seats_res seat_take(struct seats *l, const union address *from, struct seat *seat)
{
	unsigned max = source_limit(l, from);
	enum seats_res res = SEATS_FULL;

	*seat = (struct seat){ 0 };
	pthread_mutex_lock(&l->lock);
	if (l->n < l->params.all) {
		seat->source = source_get(&l->sources, from, max);
		res = seat->source ? SEATS_ROOM : SEATS_SOURCE_FULL;
	}
	if (seat->source) {
		seat->seats = l;
		l->n++;
	}
	pthread_mutex_unlock(&l->lock);
	return res;
}

/* NULL where memory is short. */
static struct seat_user *user_get(struct seats *l, const char *name, size_t len)
{
	struct seat_user *u = NULL;

	HASH_FIND(hh, l->users, name, len, u);
	if (u)
		return u;
	u = calloc(1, sizeof(*u) + len);
	if (!u)
		return NULL;
	memcpy(u->name, name, len);
	HASH_ADD_KEYPTR(hh, l->users, u->name, len, u);
	if (!u->lost)
		return u;
	free(u);
	return NULL;
}

enum seats_res seat_name(struct seat *seat, const char *user, size_t len)
{
	struct seats *l = seat->seats;
	enum seats_res res = SEATS_ROOM;
	struct seat_user *u;

	if (seat->user || l->params.user == 0)
		return SEATS_ROOM;
	pthread_mutex_lock(&l->lock);
	u = user_get(l, user, len);
	if (!u) {
		res = SEATS_NO_MEMORY;
	} else if (u->n >= l->params.user) {
		res = SEATS_USER_FULL;
	} else {
		u->n++;
		seat->user = u;
	}
	pthread_mutex_unlock(&l->lock);
	return res;
}

bool seats_full(const struct seats *l)
{
	return l->n >= l->params.all;
}

void seat_leave(struct seat *seat)
{
	struct seats *l = seat->seats;
	struct seat_user *u = seat->user;

	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	source_put(&l->sources, seat->source);
	l->n--;
	if (u && --u->n == 0) {
		HASH_DEL(l->users, u);
		free(u);
	}
	pthread_mutex_unlock(&l->lock);
	*seat = (struct seat){ 0 };
}
